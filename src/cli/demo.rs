//! `hardlight demo`: the main job on the embedded world, and the proof that it helps.

use std::path::PathBuf;
use std::time::Instant;

use super::exit::ExitStatus;
use super::stop::Stop;
use super::ui::Ui;
use super::{run, show};
use crate::io::ErrorKind;
use crate::pipeline::demo::{self, DemoOptions};
use crate::pipeline::{Context, Error};
use crate::report::JsonFile as _;

/// Watch the whole method work on a small drawn world: no network, no GPU, a few minutes.
///
/// Faces whose label is their age, and a classifier that learned from old men and young women and
/// fails on the others. Finds that out, generates what is missing, retrains, and measures.
///
/// Example: `hardlight demo --out runs/demo`
#[derive(Debug, clap::Args)]
pub(super) struct DemoCommand {
    /// Folder for everything the demo writes; the same command on it goes on where it was.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,

    /// The embedded world's models [default: weights/world of this checkout].
    #[arg(long, value_name = "DIR", env = "HARDLIGHT_WEIGHTS")]
    weights: Option<PathBuf>,

    /// Images to keep per failure mode.
    #[arg(long, value_name = "N", default_value_t = 60)]
    quota: usize,

    /// Images per class to add in every arm of the proof [default: the quota].
    #[arg(long, value_name = "N")]
    added: Option<usize>,

    /// Trainings per arm of the proof.
    #[arg(long, value_name = "N", default_value_t = 5)]
    seeds: u64,

    /// Denoising steps.
    #[arg(long, value_name = "N", default_value_t = 10)]
    steps: usize,

    /// Images sampled at once.
    #[arg(long, value_name = "N", default_value_t = 16)]
    batch: usize,

    /// Seed of everything random but the world itself.
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,

    /// auto, cpu, cuda or cuda:N.
    #[arg(long, value_name = "DEVICE", default_value = "auto")]
    device: String,

    /// Move an earlier run in --out aside (to former/N) and start anew.
    #[arg(long)]
    force_new: bool,
}

impl DemoCommand {
    pub(super) fn run(self, ui: &mut Ui, stop: &Stop) -> Result<ExitStatus, Error> {
        let started = Instant::now();
        let Self {
            out,
            weights,
            quota,
            added,
            seeds,
            steps,
            batch,
            seed,
            device,
            force_new,
        } = self;
        let options = DemoOptions {
            out,
            force_new,
            weights: demo::weights(weights)?,
            quota,
            steps,
            batch,
            seed,
            device,
        };
        let check = stop.check();
        let ended = demo::run(&mut Context::stopped_by(ui, &check), &options);
        let mut finished = match ended {
            Err(error) if error.kind() == ErrorKind::Stopped => {
                return Ok(run::stopped(ui, &options.out));
            }
            ended => ended?,
        };
        show::table(ui, &finished);
        let begun = Instant::now();
        let judged = demo::judge(&finished, &options.weights)?;
        show::judged(ui, &judged);
        let most = added.unwrap_or(quota);
        let mut context = Context::stopped_by(ui, &check);
        let retraining = demo::retrain(&mut context, &finished, &options.weights, seeds, most);
        let retraining = match retraining {
            Err(error) if error.kind() == ErrorKind::Stopped => {
                return Ok(run::stopped(ui, &options.out));
            }
            retraining => retraining?,
        };
        show::retraining(ui, &retraining);
        finished.took("proof", begun);
        finished.took("total", started);
        let summary = demo::summary(&finished, judged, retraining);
        summary.write(&finished.folder.layout().summary())?;
        show::paths(ui, &finished);
        Ok(ExitStatus::of_run(finished.complete))
    }
}
