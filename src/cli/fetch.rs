//! `hardlight fetch`: a model from the hub into the cache.

use clap::ValueEnum;
use tch::Cuda;

use super::exit::ExitStatus;
use super::stop::Stop;
use super::ui::Ui;
use crate::hub::{self, Id, Want};
use crate::pipeline::models::locate::watched;
use crate::pipeline::{Context, Error};

/// Download the needed files of a model from the Hugging Face hub, and print its folder.
///
/// The folder is in the cache that Python uses too (`HF_HOME`, `HF_HUB_CACHE`). `HF_TOKEN`, `HF_ENDPOINT` and
/// `HF_HUB_OFFLINE` are respected. An interrupted download continues. Other commands take an id wherever they take a
/// model folder, and download by themselves.
///
/// Example: `hardlight fetch stabilityai/sd-turbo --dtype fp16`
#[derive(Debug, clap::Args)]
pub(super) struct FetchCommand {
    /// org/name, org/name@revision, or org/name:file.safetensors for one of several files.
    #[arg(value_name = "ID")]
    id: String,

    /// Branch, tag or commit [default: main].
    #[arg(long, value_name = "R")]
    revision: Option<String>,

    /// Preferred weights; auto is fp16 with a GPU, else fp32.
    #[arg(long, value_enum, value_name = "TYPE", default_value = "auto")]
    dtype: Dtype,

    /// Expected kind of model [default: recognised from its files].
    #[arg(long, value_enum, value_name = "KIND")]
    only: Option<ModelKind>,

    /// Also download the pipeline's safety checker.
    #[arg(long)]
    safety_checker: bool,

    /// Only list the needed files, with their sizes and whether they are cached.
    #[arg(long)]
    dry_run: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Dtype {
    Auto,
    Fp32,
    Fp16,
    Bf16,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ModelKind {
    Pipeline,
    Clip,
    Lora,
}

impl FetchCommand {
    pub(super) fn run(self, ui: &mut Ui, stop: &Stop) -> Result<ExitStatus, Error> {
        let Self {
            id,
            revision,
            dtype,
            only,
            safety_checker: safety,
            dry_run,
        } = self;
        let mut id = Id::parse(&id)?;
        if let Some(revision) = &revision {
            id = id.at(revision)?;
        }
        let half = match dtype {
            Dtype::Auto => Cuda::is_available(),
            Dtype::Fp32 => false,
            Dtype::Fp16 | Dtype::Bf16 => true,
        };
        let want = match only {
            Some(ModelKind::Pipeline) => Want::Pipeline { half, safety },
            Some(ModelKind::Clip) => Want::Clip,
            Some(ModelKind::Lora) => Want::Lora,
            None => Want::Any { half, safety },
        };
        let stop = stop.check();
        let mut context = Context::stopped_by(ui, &stop);
        if dry_run {
            let files = watched(&mut context, |env, watch| hub::list(&id, want, env, watch))?;
            for file in &files {
                let cached = if file.cached { "cached" } else { "" };
                ui.say(format_args!("{:>13}  {cached:6}  {}", file.size, file.name));
            }
        } else {
            let path = watched(&mut context, |env, watch| hub::fetch(&id, want, env, watch))?;
            ui.say(path.display());
        }
        Ok(ExitStatus::Success)
    }
}
