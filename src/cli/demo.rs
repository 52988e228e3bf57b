//! `hardlight demo`: the main job on the embedded world, and the proof that it helps.

use std::path::{Path, PathBuf};
use std::time::Instant;

use super::exit::ExitStatus;
use super::stop::Stop;
use super::ui::Ui;
use super::{run, show};
use crate::classifier::Cnn;
use crate::io::ErrorKind;
use crate::pipeline::order::{self, Target, Until};
use crate::pipeline::settings::Settings;
use crate::pipeline::{Context, Error, outputs, proof};
use crate::run::folder::RunFolder;
use crate::world::face::WorldConfig;
use crate::world::retrain::{RHO, WORLD_SEED, demo_sizes};
use crate::world::splits::write_dataset;

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

    /// Images to keep per class.
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
        let weights = find(weights)?;
        let data = out.join("data");
        let mut settings = Settings {
            seed,
            ..Settings::default()
        };
        settings.data.root = Some(data.clone());
        settings.data.table = Some(data.join("table.csv"));
        settings.data.classifier = Some(weights.join("classifier"));
        settings.embed.clip = Some(weights.join("clip"));
        "world".clone_into(&mut settings.captions.grammar);
        let generate = &mut settings.generate;
        generate.model = Some(weights.join("diffusion"));
        generate.quota = quota;
        generate.controls = quota;
        generate.steps = steps;
        generate.guidance = proof::GUIDANCE;
        generate.batch = batch;
        generate.device = device;
        // The unfiltered arm trains on rejected images too.
        settings.filter.keep_rejected = quota;
        settings.filter.match_dataset = true;
        settings.filter.class_margin = proof::CLASS_MARGIN;
        let settings = settings.check()?;

        let claim = RunFolder::claim(&out, force_new)?;
        let check = stop.check();
        let ended = {
            let mut context = Context::stopped_by(ui, &check);
            context.info(format_args!("drawing the world into {}", data.display()));
            let begun = Instant::now();
            write_dataset(
                &data,
                &WorldConfig::default(),
                &demo_sizes(),
                Some(RHO),
                WORLD_SEED,
            )?;
            context.took("data", begun);
            let target = Target::Claimed(claim);
            order::run(&mut context, &settings, target, Until::Manifest)
        };
        let mut finished = match ended {
            Err(error) if error.kind() == ErrorKind::Stopped => return Ok(run::stopped(ui, &out)),
            ended => ended?,
        };
        show::table(ui, &finished);
        let begun = Instant::now();
        let judged = proof::judge(&finished, &weights.join("judge"))?;
        show::judged(ui, &judged);
        let classifier = Cnn::read(&weights.join("classifier"), tch::Device::Cpu)?;
        let retraining = {
            let mut context = Context::stopped_by(ui, &check);
            proof::retraining(
                &mut context,
                &finished,
                classifier.config(),
                seeds,
                added.unwrap_or(quota),
            )
        };
        let retraining = match retraining {
            Err(error) if error.kind() == ErrorKind::Stopped => return Ok(run::stopped(ui, &out)),
            retraining => retraining?,
        };
        show::retraining(ui, &retraining);
        finished
            .seconds
            .insert("proof", begun.elapsed().as_secs_f64());
        finished
            .seconds
            .insert("total", started.elapsed().as_secs_f64());
        let mut summary = outputs::summary(&finished);
        summary["judge"] = serde_json::to_value(judged).map_err(Error::other)?;
        summary["retraining"] = retraining.json();
        outputs::write_summary(&finished.folder.layout().summary(), &summary)?;
        show::paths(ui, &finished);
        Ok(ExitStatus::of_run(finished.complete))
    }
}

/// The world's models: as told, else `weights/world` above the program, else where it was built.
fn find(told: Option<PathBuf>) -> Result<PathBuf, Error> {
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
                 weights/world of a checkout"
                    .to_owned(),
            )
        })
}
