//! `hardlight demo`: the main job on the embedded world, and the proof that it helps.

use std::path::{Path, PathBuf};

use super::exit::{ExitStatus, InputError};
use super::session::{self, Ended, Place, Until};
use super::stages::{outputs, proof};
use super::stop::Stop;
use super::ui::Ui;
use crate::run::folder::RunFolder;
use crate::run::settings::Settings;
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
    pub(super) fn run(self, ui: &mut Ui, stop: &Stop) -> anyhow::Result<ExitStatus> {
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
        settings.check()?;

        let claim = RunFolder::claim(&out, force_new)?;
        ui.info(format_args!("drawing the world into {}", data.display()));
        let begun = ui.seconds();
        write_dataset(
            &data,
            &WorldConfig::default(),
            &demo_sizes(),
            Some(RHO),
            WORLD_SEED,
        )?;
        let drawn = ui.seconds() - begun;
        let place = Place::Claimed(claim);
        let Ended::Done(mut done) = session::work(place, &settings, Until::Manifest, ui, stop)?
        else {
            return Ok(stopped(ui, &out));
        };
        done.seconds.insert("data", drawn);
        let Some(proof) =
            proof::prove(ui, stop, &mut done, &weights, seeds, added.unwrap_or(quota))?
        else {
            return Ok(stopped(ui, &out));
        };
        let mut summary = outputs::summary(&done);
        summary["judge"] = proof.judge;
        summary["retraining"] = proof.retraining;
        summary["seconds"]["total"] = ((ui.seconds() * 100.0).round() / 100.0).into();
        let layout = done.folder.layout();
        outputs::write_summary(&layout.summary(), &summary)?;
        outputs::paths(ui, &layout, &done);
        Ok(done.status)
    }
}

fn stopped(ui: &mut Ui, out: &Path) -> ExitStatus {
    ui.info(format_args!(
        "stopped; the same command goes on from here ({})",
        out.display()
    ));
    ExitStatus::Stopped
}

/// The world's models: as told, else `weights/world` above the program, else where it was built.
fn find(told: Option<PathBuf>) -> Result<PathBuf, InputError> {
    let here = |dir: &Path| dir.join("clip/model.safetensors").is_file();
    if let Some(dir) = told {
        if here(&dir) {
            return Ok(dir);
        }
        let text = format!(
            "{} does not hold the embedded world's models",
            dir.display()
        );
        return Err(InputError(text));
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
            InputError(
                "the embedded world's models were not found: give --weights DIR, the folder \
                 weights/world of a checkout"
                    .to_owned(),
            )
        })
}
