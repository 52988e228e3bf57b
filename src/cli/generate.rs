//! `hardlight generate`: pictures from bare prompts, without any data set; or those of a run again.

mod again;
mod orders;
mod start;

use std::path::PathBuf;

use clap::Args as _;

use super::exit::ExitStatus;
use super::stop::Stop;
use super::ui::Ui;
use crate::diffusion::pipeline::Sampling;
use crate::io::{self, ErrorKind};
use crate::pipeline::device::device;
use crate::pipeline::models::Diffusion;
use crate::pipeline::pictures::{Latents, Options, draw, place};
use crate::pipeline::settings::flag::finite;
use crate::pipeline::settings::{Generate, SamplerFlags};
use crate::pipeline::{Context, Error};
use crate::run::lock::FolderLock;

/// Arguments whose values an image that is made again has from its recipe, besides the sampler's.
const RECIPE: [&str; 15] = [
    "prompt",
    "save_latents",
    "negative",
    "seed",
    "eta",
    "width",
    "height",
    "count",
    "image_embeds",
    "noise_level",
    "strength",
    "batch",
    "dtype",
    "variant",
    "no_safety_checker",
];

/// All arguments whose values an image that is made again has from its recipe.
fn of_recipe() -> Vec<clap::Id> {
    let sampler = SamplerFlags::augment_args(clap::Command::default());
    let sampler = sampler.get_arguments().map(clap::Arg::get_id);
    let all = RECIPE.map(clap::Id::from).into_iter();
    all.chain(sampler.cloned()).collect()
}

/// Make pictures from prompts, without any data set.
///
/// Picture k of a prompt has seed SEED + k. Pictures are 00000.png, 00001.png, … in --out, prompt
/// after prompt; the same command goes on where it was stopped. Example:
///
/// `hardlight generate --model sd-1.5 --prompt "a photo of a cat on grass" --count 4 --out runs/cats`
///
/// `hardlight generate --from runs/cats --id 1f0c8a2be94d7730 --out again`
#[derive(Debug, clap::Args)]
pub(super) struct GenerateCommand {
    /// Stable Diffusion: a Diffusers pipeline folder, or its id on the Hugging Face hub [with --from: the
    /// run's].
    #[arg(long, value_name = "DIR|ID", required_unless_present = "from")]
    model: Option<PathBuf>,

    /// What to draw; may be repeated.
    #[arg(long, value_name = "TEXT", required_unless_present = "from")]
    prompt: Vec<String>,

    /// Make an image of a run again from its ledger: the same bytes, on the same kind of device.
    #[arg(long, value_name = "RUN", requires = "id", conflicts_with_all = of_recipe())]
    from: Option<PathBuf>,

    /// Which one: the name of its file, 16 hexadecimal digits, or at least the first 8; may be repeated.
    #[arg(long, value_name = "ID", requires = "from")]
    id: Vec<String>,

    /// What not to draw; empty is Python's None.
    #[arg(long, value_name = "TEXT", default_value = "")]
    negative: String,

    /// Seed of the first picture of every prompt.
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,

    #[command(flatten)]
    sampler: SamplerFlags,

    /// DDIM's share of noise, 0 to 1.
    #[arg(
        long,
        value_name = "X",
        default_value_t = 0.0,
        value_parser = finite,
        allow_negative_numbers = true
    )]
    eta: f64,

    /// Width, px [default: what the model was trained on].
    #[arg(long, value_name = "W")]
    width: Option<u32>,

    /// Height, px [default: what the model was trained on].
    #[arg(long, value_name = "H")]
    height: Option<u32>,

    /// Pictures per prompt (and per image embedding).
    #[arg(long, value_name = "K", default_value_t = 1)]
    count: u64,

    /// Pictures sampled at once; between two batch sizes a pixel may differ by one level.
    #[arg(long, value_name = "N", default_value_t = 1)]
    batch: usize,

    /// CLIP image embeddings to condition on, one a row, for Stable unCLIP (`hardlight embed` writes them).
    #[arg(long, value_name = "FILE")]
    image_embeds: Option<PathBuf>,

    /// Noise that an image embedding gets, as a timestep; more gives more variety.
    #[arg(long, value_name = "N", default_value_t = 0, requires = "image_embeds")]
    noise_level: usize,

    /// Image that every picture starts from, resized to the size that is sampled [with --from: where the image lies now
    /// that the picture started from].
    #[arg(long, value_name = "FILE", conflicts_with = "image_embeds")]
    image: Option<PathBuf>,

    /// How much of --image is replaced: the share of the steps that are made, above 0 and at most 1 [default: 0.6].
    #[arg(long, value_name = "X", requires = "image", value_parser = finite, allow_negative_numbers = true)]
    strength: Option<f64>,

    /// Which weight files to take, such as fp16 [default: what fits --dtype].
    #[arg(long, value_name = "NAME")]
    variant: Option<String>,

    /// Low-rank adapter, a .safetensors or its id on the hub, with its scale [default: 1]; may be repeated
    /// [with --from: where the run's adapters lie now, in their order; their scales are the recipe's].
    #[arg(long, value_name = "FILE|ID[:SCALE]")]
    lora: Vec<String>,

    /// Do not ask the model's safety checker, which turns what it objects to black.
    #[arg(long)]
    no_safety_checker: bool,

    /// auto, cpu, cuda or cuda:N.
    #[arg(long, value_name = "DEVICE", default_value = "auto")]
    device: String,

    /// auto (fp32 on cpu, fp16 on cuda), fp32, fp16 or bf16.
    #[arg(long, value_name = "TYPE", default_value = "auto")]
    dtype: String,

    /// Also write `initial` (unit normal, as Python's `latents=` takes them) and `final` latents (before
    /// the division by the VAE's scaling factor), `[n, channels, h, w]` each, as .safetensors; with --image
    /// `initial` is the noise that its latents get.
    #[arg(long, value_name = "FILE")]
    save_latents: Option<PathBuf>,

    /// Folder for the pictures.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

impl GenerateCommand {
    pub(super) fn run(self, ui: &mut Ui, stop: &Stop) -> Result<ExitStatus, Error> {
        let check = stop.check();
        let mut context = Context::stopped_by(ui, &check);
        let ended = match &self.from {
            Some(run) => again::again(&self, run, &mut context),
            None => self.draw(&mut context),
        };
        match ended {
            Err(error) if error.kind() == ErrorKind::Stopped => {
                ui.info(format_args!(
                    "stopped; the same command goes on from here ({})",
                    self.out.display()
                ));
                Ok(ExitStatus::Stopped)
            }
            ended => {
                let status = ended?;
                ui.say(format_args!("{}", self.out.display()));
                Ok(status)
            }
        }
    }

    fn draw(&self, context: &mut Context<'_>) -> Result<ExitStatus, Error> {
        place::check(&self.out)?;
        let (device, kind) = device(&self.device, &self.dtype)?;
        let embeds = orders::embeds(self.image_embeds.as_deref())?;
        self.check_count(embeds.len())?;
        // What cannot be written is known before a model of gigabytes is read.
        let latents = self.save_latents.as_deref().map(Latents::at).transpose()?;
        io::create_dir_all(&self.out)?;
        let _lock = FolderLock::acquire(&self.out)?;
        let model = self.model.clone().unwrap_or_default();
        let diffusion = Diffusion {
            model: &model,
            variant: self.variant.clone(),
            lora: &self.lora,
            safety_checker: !self.no_safety_checker,
            sampling: self.sampling(),
            device,
            kind,
        };
        let mut images = diffusion.open(context)?;
        if latents.is_some() {
            images = images.keeping_latents();
        }
        let start = self.start(context, &mut images)?;
        let orders = self.orders(&mut images, &embeds, &start)?;
        let options = Options {
            safety_checker: !self.no_safety_checker,
            latents,
        };
        let drawn = draw(context, &mut images, &orders, &options)?;
        if let Some(latents) = &options.latents {
            let initial = orders
                .iter()
                .map(|order| images.initial_latents(order.recipe.seed));
            latents.join(&orders, &initial.collect::<Result<Vec<_>, _>>()?)?;
        }
        Ok(ExitStatus::of_run(drawn.broken == 0))
    }

    fn sampling(&self) -> Sampling {
        let mut settings = Generate {
            eta: self.eta,
            negative_prompt: self.negative.clone(),
            width: self.width,
            height: self.height,
            batch: self.batch,
            ..Generate::default()
        };
        self.sampler.clone().put(&mut settings);
        Sampling {
            noise_level: self.noise_level,
            ..settings.sampling()
        }
    }
}
