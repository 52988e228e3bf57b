//! The demo: the whole job on the embedded world, and the proof that it helps.
//!
//! ```text
//! data ─▶ run ─▶ Finished ─┬─▶ judge   ─▶ Judge       what generated faces show
//!                          └─▶ retrain ─▶ Retraining  what each arm's images do for the classifier
//! ```

mod arms;
mod data;
mod figures;
mod judge;
mod retrain;
mod trainings;

use std::path::{Path, PathBuf};

use image::RgbImage;
use rayon::prelude::*;

pub use self::data::only_data;
pub use self::judge::judge;
pub use self::retrain::retrain;
use super::context::Context;
use super::error::Error;
use super::order::{self, Finished, Target, Until};
use super::outputs;
use super::settings::{CheckedSettings, Settings};
use crate::io::image::{Exif, read_rgb};
use crate::report::Summary;
use crate::report::retraining::{Judge, Retraining};
use crate::run::folder::RunFolder;
use crate::world::preset::Preset;
use crate::world::splits::SplitSizes;

/// Guidance of the demo's images.
const GUIDANCE: f64 = 3.0;

/// What a demo is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DemoOptions {
    /// Folder for everything, the drawn data included.
    pub out: PathBuf,
    /// Whether an earlier run in it is moved aside.
    pub force_new: bool,
    /// What the classifier fails on.
    pub world: Preset,
    /// How many images its splits have.
    pub sizes: SplitSizes,
    /// The embedded world's models; [`weights`] finds them.
    pub weights: PathBuf,
    /// Images to keep per failure mode.
    pub quota: usize,
    /// Denoising steps.
    pub steps: usize,
    /// Images sampled at once.
    pub batch: usize,
    /// Seed of everything random but the world itself.
    pub seed: u64,
    /// auto, cpu, cuda or cuda:N.
    pub device: String,
}

impl DemoOptions {
    /// Where the drawn data goes.
    pub fn data(&self) -> PathBuf {
        self.out.join("data")
    }

    /// Where the classifier is that fails.
    pub fn classifier(&self) -> PathBuf {
        match self.world {
            Preset::Gender => self.weights.join("classifier"),
            world => self.out.join("classifier").join(world.as_str()),
        }
    }

    /// What the run is told.
    ///
    /// # Errors
    ///
    /// Of kind usage for a number out of its range.
    pub fn settings(&self) -> Result<CheckedSettings, Error> {
        let (data, weights) = (self.data(), &self.weights);
        let mut settings = Settings {
            seed: self.seed,
            ..Settings::default()
        };
        settings.data.table = Some(data.join("table.csv"));
        settings.data.root = Some(data);
        settings.data.classifier = Some(self.classifier());
        settings.embed.clip = Some(weights.join("clip"));
        "world".clone_into(&mut settings.captions.grammar);
        let generate = &mut settings.generate;
        generate.model = Some(weights.join("diffusion"));
        generate.quota = self.quota;
        generate.controls = self.quota;
        generate.steps = self.steps;
        generate.guidance = GUIDANCE;
        generate.batch = self.batch;
        generate.device.clone_from(&self.device);
        // The unfiltered arm trains on rejected images too.
        settings.filter.keep_rejected = self.quota;
        settings.filter.match_dataset = true;
        Ok(settings.check()?)
    }
}

/// Draws the world and runs the whole job on it, but for `summary.json`, which comes last.
///
/// # Errors
///
/// Those of [`order::run`]; those of the disk.
pub fn run(context: &mut Context<'_>, options: &DemoOptions) -> Result<Finished, Error> {
    let settings = options.settings()?;
    let claim = RunFolder::claim(&options.out, options.force_new)?;
    data::prepare(context, options)?;
    let target = Target::Claimed(claim);
    order::run(context, &settings, target, Until::Manifest)
}

/// `summary.json` with the proof in it.
pub fn summary(finished: &Finished, judge: Judge, retraining: Retraining) -> Summary {
    Summary {
        judge: Some(judge),
        retraining: Some(retraining),
        ..outputs::summary(finished)
    }
}

/// The embedded world's models: as told, else `weights/world` above the program, else where it was built.
///
/// # Errors
///
/// Of kind input if they are not there.
pub fn weights(told: Option<PathBuf>) -> Result<PathBuf, Error> {
    let here = |dir: &Path| dir.join("clip/model.safetensors").is_file();
    if let Some(dir) = told {
        if here(&dir) {
            return Ok(dir);
        }
        let text = format!(
            "{} does not hold the embedded world's models",
            dir.display()
        );
        return Err(Error::input(text));
    }
    let program = std::env::current_exe().ok();
    let above = program
        .iter()
        .flat_map(|path| path.ancestors())
        .map(Path::to_path_buf);
    above
        .chain([PathBuf::from(env!("CARGO_MANIFEST_DIR"))])
        .map(|dir| dir.join("weights/world"))
        .find(|dir| here(dir))
        .ok_or_else(|| {
            Error::input(
                "the embedded world's models were not found: give --weights DIR, the folder \
                 weights/world of a checkout",
            )
        })
}

/// Images as they are, in the order of their paths.
fn read(paths: &[PathBuf]) -> Result<Vec<RgbImage>, Error> {
    Ok(paths
        .par_iter()
        .map(|path| read_rgb(path, Exif::Ignore))
        .collect::<Result<_, _>>()?)
}
