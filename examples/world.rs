//! Draws a few faces of the embedded world, with the captions that describe them.
//!
//! ```text
//! cargo run --release --example world -- --out runs/faces
//! ```
//!
//! Writes `00000.png` … and `captions.txt` (a line a face). Needs no libtorch: it also runs with
//! `--no-default-features`. A whole data set with a planted failure: [`write_dataset`].
//!
//! [`write_dataset`]: hardlight::world::folder::write_dataset

#![allow(clippy::print_stdout, reason = "a program's own output")]

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Parser;
use hardlight::io;
use hardlight::world::caption::{Mention, caption};
use hardlight::world::draw::draw;
use hardlight::world::face::WorldConfig;
use hardlight::world::splits::describe;

/// Draw faces.
#[derive(Debug, Parser)]
struct Args {
    /// Folder for the pictures.
    #[arg(long, value_name = "DIR", default_value = "runs/faces")]
    out: PathBuf,
    /// How many.
    #[arg(long, value_name = "N", default_value_t = 8)]
    count: usize,
    /// Seed of the faces.
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Share of old men among the old and of young women among the young, 0 to 1.
    #[arg(long, value_name = "X", default_value_t = 0.5)]
    rho: f64,
}

fn main() -> anyhow::Result<()> {
    let Args {
        out,
        count,
        seed,
        rho,
    } = Args::parse();
    io::create_dir_all(&out)?;
    // What a face is, then what it looks like, then what one says about it.
    let faces = describe(&WorldConfig::default(), seed, "faces", count, Some(rho));
    let mut captions = String::new();
    for (index, face) in faces.iter().enumerate() {
        let path = out.join(format!("{index:05}.png"));
        draw(face).save(&path)?;
        let text = caption(face, Mention::EVERYTHING);
        println!("{}  {text}", path.display());
        writeln!(captions, "{text}")?;
    }
    io::write_atomic(&out.join("captions.txt"), captions.as_bytes())?;
    Ok(())
}
