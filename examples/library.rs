//! The product as a library: from a folder of images and a table of predictions to a manifest.
//!
//! `cargo run --release --example library -- runs/library`
//!
//! Faces are drawn, and the classifier is one that guesses the age from the gender; CLIP and Stable Diffusion
//! are the embedded world's. Few faces and few steps: this shows the way, not good images.

#![allow(clippy::print_stdout, reason = "a program's own output")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use hardlight::pipeline::settings::Settings;
use hardlight::pipeline::{self, Context, Error, Silent, Target, Until, outputs};
use hardlight::report::{JsonFile as _, Summary};
use hardlight::world::face::{Gender, WorldConfig};
use hardlight::world::folder;
use hardlight::world::splits::{SplitSizes, describe};

fn main() -> Result<(), Error> {
    let out = std::env::args().nth(1);
    let (manifest, summary) = run(out.unwrap_or("runs/library".to_owned()).as_ref())?;
    for found in &summary.classes {
        println!("{}", found.sentence.as_deref().unwrap_or_default());
    }
    println!("manifest: {}", manifest.display());
    Ok(())
}

/// Draws data and runs everything on it; gives the manifest and what was found.
pub(crate) fn run(dir: &Path) -> Result<(PathBuf, Summary), Error> {
    draw(dir)?;
    let weights = Path::new(env!("CARGO_MANIFEST_DIR")).join("weights/world");
    let mut settings = Settings::default();
    settings.data.root = Some(dir.join("faces"));
    settings.data.predictions = Some(dir.join("predictions.csv"));
    settings.embed.clip = Some(weights.join("clip"));
    settings.captions.grammar = String::from("world");
    settings.generate.model = Some(weights.join("diffusion"));
    (settings.generate.quota, settings.generate.budget) = (3, 12);
    (settings.generate.steps, settings.generate.guidance) = (4, 3.0);
    // So few faces are a reason to doubt every direction.
    settings.generate.force = true;

    let mut silent = Silent;
    let mut context = Context::new(&mut silent);
    let (settings, target) = (settings.check()?, Target::at(dir.join("run")));
    let finished = pipeline::run(&mut context, &settings, target, Until::Manifest)?;
    let (layout, summary) = (finished.folder.layout(), outputs::summary(&finished));
    summary.write(&layout.summary())?;
    Ok((layout.manifest_dir().join("train.parquet"), summary))
}

/// `faces/SPLIT/CLASS/NUMBER.png` and `predictions.csv`: one in five goes by the age, the others by gender.
fn draw(dir: &Path) -> Result<(), Error> {
    let config = WorldConfig::default();
    let sizes = SplitSizes {
        train: 60,
        val: 120,
        test: 60,
        pool: 0,
    };
    folder::write_dataset(&dir.join("faces"), &config, &sizes, Some(0.95), 7)?;
    let mut table = "path,prediction\n".to_owned();
    for (split, count) in &sizes.named()[1..3] {
        let faces = describe(&config, 7, split, *count, None);
        for (at, face) in faces.iter().enumerate() {
            let age = face.age.as_str();
            let said = match face.gender {
                _ if at % 5 == 0 => age,
                Gender::Man => "old",
                Gender::Woman => "young",
            };
            let _ = writeln!(table, "{split}/{age}/{at:05}.png,{said}");
        }
    }
    let path = dir.join("predictions.csv");
    Ok(hardlight::io::write_atomic(&path, table.as_bytes())?)
}
