//! Proof that the statistics hold: draws classes of which the truth is known, and counts how often the method says it.
//!
//! ```text
//! cargo run --release --no-default-features --example study_statistics                    # all tables
//! cargo run --release --no-default-features --example study_statistics -- --only null --runs 50
//! ```
//!
//! Writes the tables into their blocks of `docs/statistics.md`; the text around them stays. Needs no libtorch. The same
//! options give the same figures, but for times, on any number of threads.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program's own output"
)]

mod cifar;
mod classifier;
mod domino;
mod evaluate;
mod figures;
mod many;
mod modes;
mod null;
mod page;
mod power;
mod score;
mod simulate;
mod threshold;

use std::path::PathBuf;
use std::time::Instant;

use clap::{Parser, ValueEnum};

/// Count how often the statistics say what is true.
#[derive(Debug, Parser)]
struct Args {
    /// Tables, separated by commas; all of them if it is left out.
    #[arg(long, value_delimiter = ',', value_name = "TABLES")]
    only: Vec<Name>,

    /// Runs a row. Rows of large classes take a part of it; each row says how many.
    #[arg(long, default_value_t = 200, value_name = "N")]
    runs: usize,

    /// CIFAR-10's photographs as an `ImageFolder` with `train`, `val` and `test`; without it their table stays
    /// as it is.
    #[arg(long, value_name = "DIR")]
    cifar: Option<PathBuf>,

    /// The page whose blocks are filled.
    #[arg(long, default_value = "docs/statistics.md", value_name = "FILE")]
    out: PathBuf,
}

/// A table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Name {
    /// Classes without a failure.
    Null,
    /// One planted failure.
    Power,
    /// Five failing classes of many.
    Many,
    /// Who passes the threshold.
    Threshold,
    /// Several failures in one class.
    Modes,
    /// Models that differ by their seed alone.
    Evaluate,
    /// Photographs.
    Cifar,
}

impl Name {
    fn word(self) -> String {
        format!("{self:?}").to_lowercase()
    }

    /// The table; none where there is nothing to make it from.
    fn block(self, args: &Args) -> anyhow::Result<Option<String>> {
        let block = match self {
            Self::Null => null::table(args.runs),
            Self::Power => power::table(args.runs),
            Self::Many => many::table(args.runs),
            Self::Threshold => threshold::table(args.runs),
            Self::Modes => modes::table(args.runs),
            Self::Evaluate => evaluate::table(args.runs),
            Self::Cifar => {
                let Some(folder) = &args.cifar else {
                    return Ok(None);
                };
                cifar::table(folder)
            }
        };
        block.map(Some)
    }
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let asked = |name: &&Name| args.only.is_empty() || args.only.contains(*name);
    let names: Vec<&Name> = Name::value_variants().iter().filter(asked).collect();
    for name in &names {
        page::check(&args.out, &name.word())?;
    }
    for name in names {
        let word = name.word();
        eprintln!("{word}");
        let begun = Instant::now();
        let Some(block) = name.block(&args)? else {
            eprintln!("no folder is given with --cifar: its table stays as it is");
            continue;
        };
        page::replace(&args.out, &word, &block)?;
        println!("{word}: {:.0} s", begun.elapsed().as_secs_f64());
    }
    Ok(())
}
