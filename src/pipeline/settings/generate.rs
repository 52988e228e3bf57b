//! `[generate]`: how images are made.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::SettingsError;
use super::flag::{self, put, put_some};
use super::range::{at_least_one, finite, refuse, within};
use super::strategies::{StartsFrom, Strategies, strength};
use crate::dataset::Split;
#[cfg(feature = "torch")]
use crate::diffusion::pipeline::Sampling;
use crate::diffusion::record::LongPrompts;

/// Denoising steps that no model was trained on.
const MAX_STEPS: usize = 1000;

/// What `hardlight init` writes of this section.
pub(super) const TEMPLATE: &str = r#"[generate]
# Stable Diffusion: a Diffusers pipeline folder, or the id of one on the hub. Without it the run ends
# after the captions.
# model = "weights/world/diffusion"
# Images to keep per failure mode: a class with two has twice as many.
quota = 50
# Attempts per failure mode at most; 0 means ten times the quota.
budget = 0
# Shares of the attempts that start from noise ("caption") and from a real image ("image"); captions lead both.
strategies = { caption = 1.0, image = 0.0 }
# Where images to start from come from: the hardest of "train" or "pool"; of "val", which is spent by it.
starts = "train"
# How many of the hardest images of a class pictures start from.
start_images = 50
# How much of an image is replaced: drawn between these, above 0 and at most 1.
strength = [0.4, 0.7]
# Denoising steps.
steps = 25
# Which weight files of the model to take, such as "fp16"; what fits dtype if absent.
# variant = "fp16"
# Low-rank adapters merged into the model, .safetensors or hub ids, each with a scale after a colon.
lora = []
# Classifier-free guidance scale; 1 turns it off.
guidance = 7.5
# The sampler, one that `hardlight run --help` lists under --scheduler; the folder's own if absent.
# scheduler = "dpm++"
# DDIM's eta, 0 to 1.
eta = 0.0
# What the images should not show.
negative_prompt = ""
# A prompt longer than the model's context (77 tokens): "cut" as Diffusers does, or encoded in "chunks".
long_prompts = "cut"
# Width and height, px, a multiple of 8; what the model was trained on if absent.
# width = 512
# height = 512
# Images sampled at once.
batch = 8
# Also make this many images per failure mode from the neutral caption and from the easy captions.
controls = 0
# auto, cpu, cuda, cuda:N
device = "auto"
# auto (fp32 on cpu, fp16 on cuda), fp32, fp16, bf16
dtype = "auto"
# Generate from directions that are no better than chance, or doubtful, too.
force = false
"#;

/// How images are made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Generate {
    /// A Diffusers pipeline folder.
    pub model: Option<PathBuf>,
    /// Images to keep per failure mode: a class with two has twice as many.
    pub quota: usize,
    /// Attempts per failure mode; 0 means ten times the quota.
    pub budget: u64,
    /// Which weight files are taken, such as `fp16`.
    pub variant: Option<String>,
    /// Adapters, `FILE[:SCALE]` each.
    pub lora: Vec<String>,
    /// Shares of what pictures start from.
    pub strategies: Strategies,
    /// Where images to start from come from.
    pub starts: StartsFrom,
    /// How many of the hardest images of a class pictures start from.
    pub start_images: usize,
    /// How much of an image is replaced, at least and at most.
    pub strength: [f64; 2],
    /// Denoising steps.
    pub steps: usize,
    /// Guidance scale.
    pub guidance: f64,
    /// Scheduler by name.
    pub scheduler: Option<String>,
    /// DDIM's η.
    pub eta: f64,
    /// What images should not show.
    pub negative_prompt: String,
    /// What becomes of prompts that are longer than the model's context.
    pub long_prompts: LongPrompts,
    /// Width, px.
    pub width: Option<u32>,
    /// Height, px.
    pub height: Option<u32>,
    /// Images sampled at once.
    pub batch: usize,
    /// Control images per failure mode and kind of caption.
    pub controls: usize,
    /// `auto`, `cpu`, `cuda`, `cuda:N`.
    pub device: String,
    /// `auto`, `fp32`, `fp16`, `bf16`.
    pub dtype: String,
    /// Whether directions no better than chance are used.
    pub force: bool,
}

impl Default for Generate {
    fn default() -> Self {
        Self {
            model: None,
            quota: 50,
            budget: 0,
            variant: None,
            lora: Vec::new(),
            strategies: Strategies::default(),
            starts: StartsFrom::default(),
            start_images: 50,
            strength: [0.4, 0.7],
            steps: 25,
            guidance: 7.5,
            scheduler: None,
            eta: 0.0,
            negative_prompt: String::new(),
            long_prompts: LongPrompts::default(),
            width: None,
            height: None,
            batch: 8,
            controls: 0,
            device: "auto".to_owned(),
            dtype: "auto".to_owned(),
            force: false,
        }
    }
}

impl Generate {
    /// Attempts at most for so many images of a failure mode.
    pub fn attempts(&self, quota: usize) -> u64 {
        if self.budget == 0 {
            10 * quota as u64
        } else {
            self.budget
        }
    }

    /// The split that pictures start from; none where all start from noise.
    pub fn starts_from(&self) -> Option<Split> {
        (self.strategies.image() > 0.0).then(|| self.starts.split())
    }

    /// Checks what concerns images to start from.
    fn check_starts(&self) -> Result<(), SettingsError> {
        self.strategies.check()?;
        at_least_one("generate.start_images", self.start_images)?;
        let [least, most] = self.strength;
        let expected = "two numbers above 0 and at most 1, the smaller first";
        for strength in self.strength {
            within(
                "generate.strength",
                strength,
                f64::MIN_POSITIVE..=1.0,
                expected,
            )?;
        }
        if least > most {
            refuse("generate.strength", format!("[{least}, {most}]"), expected)?;
        }
        Ok(())
    }

    /// How pictures are sampled.
    #[cfg(feature = "torch")]
    pub fn sampling(&self) -> Sampling {
        Sampling {
            steps: self.steps,
            guidance: self.guidance,
            scheduler: self.scheduler.clone(),
            eta: self.eta,
            recorded: None,
            negative_prompt: self.negative_prompt.clone(),
            long_prompts: self.long_prompts,
            width: self.width,
            height: self.height,
            batch: self.batch,
            noise_level: Sampling::default().noise_level,
        }
    }

    /// Checks the ranges of this section.
    pub(super) fn check(&self) -> Result<(), SettingsError> {
        at_least_one("generate.quota", self.quota)?;
        at_least_one("generate.steps", self.steps)?;
        at_least_one("generate.batch", self.batch)?;
        self.check_starts()?;
        if self.steps > MAX_STEPS {
            refuse("generate.steps", self.steps, "at most 1000")?;
        }
        finite("generate.guidance", self.guidance)?;
        within("generate.eta", self.eta, 0.0..=1.0, "a number from 0 to 1")?;
        for (key, side) in [
            ("generate.width", self.width),
            ("generate.height", self.height),
        ] {
            if let Some(side) = side.filter(|side| *side == 0 || side % 8 != 0) {
                refuse(key, side, "a multiple of 8")?;
            }
        }
        for adapter in &self.lora {
            // Whether the end of the text is a scale at all is seen when the adapter is looked for.
            let scale = adapter.rsplit_once(':').map(|(_, scale)| scale.parse());
            if let Some(Ok(scale)) = scale {
                finite("generate.lora", scale)?;
            }
        }
        Ok(())
    }
}

/// What `--scheduler` takes.
fn scheduler_help() -> String {
    #[cfg(feature = "torch")]
    let known = crate::diffusion::schedulers::known();
    #[cfg(not(feature = "torch"))]
    let known = "none without libtorch";
    format!("Sampler: {known} [default: the folder's own]")
}

/// Flags of every command that makes pictures: options of the sampler.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct SamplerFlags {
    /// Denoising steps [default: 25].
    #[arg(long, value_name = "N")]
    steps: Option<usize>,

    /// Classifier-free guidance scale; 1 or less turns it off, as for Turbo models [default: 7.5].
    #[arg(long, value_name = "X", value_parser = flag::finite, allow_negative_numbers = true)]
    guidance: Option<f64>,

    #[arg(long, value_name = "NAME", help = scheduler_help())]
    scheduler: Option<String>,

    /// A prompt longer than the model's context: cut off, or encoded in chunks [default: cut].
    #[arg(long, value_name = "HOW", hide_possible_values = true)]
    long_prompts: Option<LongPrompts>,
}

impl SamplerFlags {
    /// Puts what was given in place of what is set.
    pub fn put(self, generate: &mut Generate) {
        put(&mut generate.steps, self.steps);
        put(&mut generate.guidance, self.guidance);
        put_some(&mut generate.scheduler, self.scheduler);
        put(&mut generate.long_prompts, self.long_prompts);
    }
}

/// Flags that override this section.
#[derive(Debug, clap::Args)]
pub struct GenerateFlags {
    /// Stable Diffusion: a Diffusers pipeline folder, or the id of one on the hub.
    #[arg(long, value_name = "DIR|ID")]
    model: Option<PathBuf>,

    /// Low-rank adapter, a .safetensors or its id on the hub, with its scale [default: 1]; may be repeated.
    #[arg(long, value_name = "FILE|ID[:SCALE]")]
    lora: Vec<String>,

    /// Images to keep per failure mode; a class with two has twice as many [default: 50].
    #[arg(long, value_name = "N")]
    quota: Option<usize>,

    /// Attempts per failure mode at most [default: 10 times the quota].
    #[arg(long, value_name = "N")]
    budget: Option<u64>,

    /// Images per caption at most; sets the budget to this many for each caption.
    #[arg(long, value_name = "N", conflicts_with = "budget")]
    images_per_caption: Option<u64>,

    /// What pictures start from: caption (noise) or image (a real image with noise), or shares of both, such as
    /// caption=0.5,image=0.5 [default: caption].
    #[arg(long, value_name = "NAME[=SHARE],…")]
    strategy: Option<Strategies>,

    /// Where images to start from come from: train, pool or val [default: train].
    #[arg(long, value_name = "SPLIT", hide_possible_values = true)]
    starts: Option<StartsFrom>,

    /// How much of an image is replaced, drawn between two numbers above 0 and at most 1 [default: 0.4,0.7].
    #[arg(long, value_name = "LEAST,MOST", value_parser = strength)]
    strength: Option<[f64; 2]>,

    #[command(flatten)]
    sampler: SamplerFlags,

    /// What images should not show.
    #[arg(long, value_name = "TEXT")]
    negative_prompt: Option<String>,

    /// Images sampled at once [default: 8].
    #[arg(long, value_name = "N")]
    batch: Option<usize>,

    /// auto, cpu, cuda or cuda:N [default: auto].
    #[arg(long, value_name = "DEVICE")]
    device: Option<String>,

    /// auto (fp32 on cpu, fp16 on cuda), fp32, fp16 or bf16 [default: auto].
    #[arg(long, value_name = "TYPE")]
    dtype: Option<String>,

    /// Generate from directions that are no better than chance, or doubtful, too.
    #[arg(long)]
    force: bool,
}

impl GenerateFlags {
    /// Puts what was given in place of what is set; `captions` is how many a class is generated from.
    pub fn put(self, generate: &mut Generate, captions: usize) {
        let per_caption = self.images_per_caption;
        let budget = per_caption.map(|each| each.saturating_mul(captions as u64));
        put_some(&mut generate.model, self.model);
        if !self.lora.is_empty() {
            generate.lora = self.lora;
        }
        put(&mut generate.quota, self.quota);
        put(&mut generate.budget, self.budget.or(budget));
        put(&mut generate.strategies, self.strategy);
        put(&mut generate.starts, self.starts);
        put(&mut generate.strength, self.strength);
        self.sampler.put(generate);
        put(&mut generate.negative_prompt, self.negative_prompt);
        put(&mut generate.batch, self.batch);
        put(&mut generate.device, self.device);
        put(&mut generate.dtype, self.dtype);
        generate.force |= self.force;
    }
}
