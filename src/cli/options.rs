//! The flags that override settings.

use std::path::PathBuf;

use super::number::finite;
use crate::dataset::{Layout, ScoreRule, Split};
use crate::diffusion::schedulers;
use crate::pipeline::settings::{CheckedSettings, Settings, SettingsError};
use crate::pipeline::space::listed;
use crate::run::skipped::{MaxBad, OnBadImage};

/// What `--scheduler` takes.
pub(super) fn scheduler_help() -> String {
    let known = schedulers::known();
    format!("Sampler: {known} [default: the folder's own]")
}

/// Flags of every command that works on a run folder.
#[derive(Debug, clap::Args)]
pub(super) struct RunOptions {
    /// Folder for everything the run writes; the same command on it goes on where it was.
    #[arg(long, value_name = "DIR")]
    pub(super) out: PathBuf,

    /// Move an earlier run in --out aside (to former/N) and start anew.
    #[arg(long)]
    pub(super) force_new: bool,

    #[command(flatten)]
    pub(super) settings: SettingOptions,
}

/// Flags that override settings.
#[derive(Debug, clap::Args)]
pub(super) struct SettingOptions {
    /// Settings file; `hardlight init` writes one.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    /// Any setting, as `section.key=value`; may be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    assignments: Vec<String>,

    /// Images: an `ImageFolder`, `SPLIT/CLASS/image`, the folder a table's paths start from, or that of
    /// --dataset.
    #[arg(long, visible_alias = "root", value_name = "DIR")]
    data: Option<PathBuf>,

    /// The layout of --data as published: celeba, chestxray14, imagenet, cifar10, cifar100,
    /// webdataset, or hf for Parquet with images in its rows.
    #[arg(long, value_name = "NAME")]
    dataset: Option<Layout>,

    /// The attribute (celeba), finding (chestxray14), key (webdataset) or column (hf) that is the label.
    #[arg(long, visible_alias = "finding", value_name = "NAME")]
    label: Option<String>,

    /// What groups are made of, for measuring only: another of these.
    #[arg(long, value_name = "NAME")]
    group: Option<String>,

    /// Table of examples, .csv, .jsonl or .parquet: path,label,split and optional prediction,confidence,group,id.
    #[arg(long, value_name = "FILE")]
    table: Option<PathBuf>,

    /// The classifier's predictions, .csv, .jsonl or .parquet: id (or path), prediction and optional confidence.
    #[arg(long, value_name = "FILE")]
    predictions: Option<PathBuf>,

    /// The classifier itself in place of predictions: a `TorchScript` file, whose code is run
    /// (`data.classifier_*` in the settings say what it takes), or a `hardlight-cnn` folder.
    #[arg(long, value_name = "FILE|DIR")]
    classifier: Option<PathBuf>,

    /// The split of more real images, labelled, whose hardest are added to training first; only what
    /// lacks of --quota is generated.
    #[arg(long, value_name = "SPLIT")]
    pool: Option<Split>,

    /// From scores to predictions of two classes: f1 (highest on val) or a number.
    #[arg(long, value_name = "f1|NUMBER", allow_negative_numbers = true)]
    score_threshold: Option<ScoreRule>,

    /// An image that is missing or damaged ends the run, or is passed over [default: fail].
    #[arg(long, value_name = "fail|skip")]
    on_bad_image: Option<OnBadImage>,

    /// How many images may be passed over: a count, or a share of all [default: 1%].
    #[arg(long, value_name = "N|N%")]
    max_bad: Option<MaxBad>,

    /// CLIP or `SigLIP`: a folder of Transformers or `open_clip`, or the id of one on the hub.
    #[arg(long, value_name = "DIR|ID")]
    clip: Option<PathBuf>,

    /// Embeddings that --clip made of the images before: .npy or .safetensors, joined by id or row.
    #[arg(long, value_name = "FILE")]
    embeddings: Option<PathBuf>,

    /// Where directions live: `clip`, `classifier`, or a .npy or .safetensors matrix [default: clip if given].
    /// Several, with commas or one by one, are compared; the first is the run's.
    #[arg(long, value_name = "SPACE")]
    space: Vec<String>,

    /// Grammar (world, cifar10, cifar100, imagenet, celeba, chestxray, general or a .toml) or text file
    /// of captions [default: general].
    #[arg(long, value_name = "NAME|FILE")]
    grammar: Option<String>,

    /// WordNet's dict folder, for grammars that take nouns from it.
    #[arg(long, value_name = "DIR")]
    wordnet: Option<PathBuf>,

    /// Top failure captions per class to generate from [default: 5].
    #[arg(long, value_name = "N")]
    captions_per_class: Option<usize>,

    /// Stable Diffusion: a Diffusers pipeline folder, or the id of one on the hub.
    #[arg(long, value_name = "DIR|ID")]
    model: Option<PathBuf>,

    /// Low-rank adapter, a .safetensors or its id on the hub, with its scale [default: 1]; may be repeated.
    #[arg(long, value_name = "FILE|ID[:SCALE]")]
    lora: Vec<String>,

    /// Images to keep per failure mode [default: 50].
    #[arg(long, value_name = "N")]
    quota: Option<usize>,

    /// Attempts per failure mode at most [default: 10 times the quota].
    #[arg(long, value_name = "N")]
    budget: Option<u64>,

    /// Images per caption at most; sets the budget to this many for each caption.
    #[arg(long, value_name = "N", conflicts_with = "budget")]
    images_per_caption: Option<u64>,

    /// Denoising steps [default: 25].
    #[arg(long, value_name = "N")]
    steps: Option<usize>,

    /// Classifier-free guidance scale; 1 turns it off [default: 7.5].
    #[arg(long, value_name = "X", value_parser = finite, allow_negative_numbers = true)]
    guidance: Option<f64>,

    #[arg(long, value_name = "NAME", help = scheduler_help())]
    scheduler: Option<String>,

    /// What images should not show.
    #[arg(long, value_name = "TEXT")]
    negative_prompt: Option<String>,

    /// Images sampled at once [default: 8].
    #[arg(long, value_name = "N")]
    batch: Option<usize>,

    /// Seed of everything random [default: 0].
    #[arg(long, value_name = "N")]
    seed: Option<u64>,

    /// auto, cpu, cuda or cuda:N [default: auto].
    #[arg(long, value_name = "DEVICE")]
    device: Option<String>,

    /// auto (fp32 on cpu, fp16 on cuda), fp32, fp16 or bf16 [default: auto].
    #[arg(long, value_name = "TYPE")]
    dtype: Option<String>,

    /// Smallest alignment to keep an image [default: calibrated per failure mode].
    #[arg(long, value_name = "X", value_parser = finite, allow_negative_numbers = true)]
    min_alignment: Option<f64>,

    /// Smallest lead of the own class's caption over the others', in cosine [default: 0].
    #[arg(long, value_name = "X", value_parser = finite, allow_negative_numbers = true)]
    class_margin: Option<f64>,

    /// Write images at the data set's own size and encoding, so that neither gives them away.
    #[arg(long)]
    match_dataset: bool,

    /// Rejected images to keep per failure mode, for the preview [default: 12].
    #[arg(long, value_name = "N")]
    keep_rejected: Option<usize>,

    /// Generate from directions that are no better than chance, or doubtful, too.
    #[arg(long)]
    force: bool,
}

/// Puts a flag in place of a setting.
fn put<T>(setting: &mut T, flag: Option<T>) {
    if let Some(value) = flag {
        *setting = value;
    }
}

impl RunOptions {
    /// The folder, whether to start anew, and the settings with the flags applied.
    pub(super) fn settings(self) -> Result<(PathBuf, bool, CheckedSettings), SettingsError> {
        Ok((self.out, self.force_new, self.settings.settings()?))
    }
}

impl SettingOptions {
    /// The settings with the flags applied.
    pub(super) fn settings(self) -> Result<CheckedSettings, SettingsError> {
        let mut s = Settings::read(self.config.as_deref(), &self.assignments)?;
        s.data.root = self.data.or(s.data.root);
        s.data.dataset = self.dataset.or(s.data.dataset);
        s.data.label = self.label.or(s.data.label);
        s.data.group = self.group.or(s.data.group);
        s.data.table = self.table.or(s.data.table);
        s.data.predictions = self.predictions.or(s.data.predictions);
        s.data.classifier = self.classifier.or(s.data.classifier);
        s.data.pool = self.pool.or(s.data.pool);
        s.data.score_threshold = self.score_threshold.or(s.data.score_threshold);
        put(&mut s.data.on_bad_image, self.on_bad_image);
        put(&mut s.data.max_bad, self.max_bad);
        s.embed.clip = self.clip.or(s.embed.clip);
        s.embed.embeddings = self.embeddings.or(s.embed.embeddings);
        let mut spaces = listed(&self.space).into_iter();
        if let Some(first) = spaces.next() {
            s.embed.space = first;
            s.embed.compare = spaces.collect();
        }
        put(&mut s.captions.grammar, self.grammar);
        s.captions.wordnet = self.wordnet.or(s.captions.wordnet);
        put(&mut s.captions.per_class, self.captions_per_class);
        let g = &mut s.generate;
        g.model = self.model.or(g.model.take());
        if !self.lora.is_empty() {
            g.lora = self.lora;
        }
        put(&mut g.quota, self.quota);
        put(&mut g.budget, self.budget);
        if let Some(each) = self.images_per_caption {
            g.budget = each.saturating_mul(s.captions.per_class as u64);
        }
        put(&mut g.steps, self.steps);
        put(&mut g.guidance, self.guidance);
        g.scheduler = self.scheduler.or(g.scheduler.take());
        put(&mut g.negative_prompt, self.negative_prompt);
        put(&mut g.batch, self.batch);
        put(&mut s.seed, self.seed);
        put(&mut g.device, self.device);
        put(&mut g.dtype, self.dtype);
        s.filter.min_alignment = self.min_alignment.or(s.filter.min_alignment);
        put(&mut s.filter.class_margin, self.class_margin);
        s.filter.match_dataset |= self.match_dataset;
        put(&mut s.filter.keep_rejected, self.keep_rejected);
        g.force |= self.force;
        s.check()
    }
}
