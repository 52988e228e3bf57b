//! `hardlight demo`: the main job on the embedded world, and the proof that it helps.

use std::path::PathBuf;
use std::time::Instant;

use super::exit::ExitStatus;
use super::stop::Stop;
use super::ui::Ui;
use super::{run, show};
use crate::direction::Direction;
use crate::io::ErrorKind;
use crate::pipeline::demo::{self, DemoOptions};
use crate::pipeline::{Context, Error, StopCheck, outputs, page};
use crate::report::JsonFile as _;
use crate::world::preset::Preset;
use crate::world::retrain::demo_sizes;

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

    /// What the classifier fails on: gender (old women, young men), two (the same, and hats on the old and
    /// glasses on the young), unknown (eyepatches, which the diffusion model does not know), background (the
    /// palette of the other age), none (nothing: the run must find nothing).
    #[arg(long, value_name = "NAME", default_value = "gender", value_parser = world)]
    world: Preset,

    /// Write the world's images, groups and masks and its classifier's predictions, and end there.
    #[arg(long)]
    only_data: bool,

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
        let (only_data, seeds) = (self.only_data, self.seeds);
        let most = self.added.unwrap_or(self.quota);
        let options = self.options()?;
        let check = stop.check();
        let ended = if only_data {
            let written = demo::only_data(&mut Context::stopped_by(ui, &check), &options);
            written.map(|()| {
                ui.say(format_args!("{}", options.out.display()));
                ExitStatus::Success
            })
        } else {
            whole(ui, &check, &options, seeds, most)
        };
        match ended {
            Err(error) if error.kind() == ErrorKind::Stopped => Ok(run::stopped(ui, &options.out)),
            ended => ended,
        }
    }

    fn options(self) -> Result<DemoOptions, Error> {
        Ok(DemoOptions {
            out: self.out,
            force_new: self.force_new,
            world: self.world,
            sizes: demo_sizes(),
            weights: demo::weights(self.weights)?,
            quota: self.quota,
            steps: self.steps,
            batch: self.batch,
            seed: self.seed,
            device: self.device,
        })
    }
}

/// The run, and the proof where it found something.
fn whole(
    ui: &mut Ui,
    stop: StopCheck<'_>,
    options: &DemoOptions,
    seeds: u64,
    most: usize,
) -> Result<ExitStatus, Error> {
    let started = Instant::now();
    let mut finished = demo::run(&mut Context::stopped_by(ui, stop), options)?;
    let path = finished.folder.layout().summary();
    show::table(ui, &finished);
    if finished.made_any() {
        let begun = Instant::now();
        let judged = demo::judge(&finished, options)?;
        show::judged(ui, &judged);
        let mut context = Context::stopped_by(ui, stop);
        let classifier = options.classifier();
        let retraining = demo::retrain(&mut context, &finished, &classifier, seeds, most)?;
        show::retraining(ui, &retraining);
        finished.took("proof", begun);
        finished.took("total", started);
        demo::summary(&finished, judged, retraining).write(&path)?;
    } else {
        let mut found = finished.detected.fitted.directions.iter();
        ui.say(if found.any(Direction::is_finding) {
            "\nnothing was generated: the warnings say why"
        } else {
            "\nno failure mode was found, so nothing was generated"
        });
        outputs::summary(&finished).write(&path)?;
    }
    page::write(&finished.folder.layout())?;
    show::paths(ui, &finished);
    Ok(ExitStatus::of_run(finished.complete))
}

/// A world by its name.
fn world(name: &str) -> Result<Preset, String> {
    let named = |preset: &Preset| preset.as_str() == name;
    Preset::ALL.into_iter().find(named).ok_or_else(|| {
        let names = Preset::ALL.map(Preset::as_str);
        format!("expected one of {}", names.join(", "))
    })
}
