//! `hardlight manifest`: a run's manifest with other weights, and for particular readers.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::ValueEnum;

use super::exit::ExitStatus;
use super::ui::Ui;
use crate::manifest::export::Format;
use crate::manifest::weigh::{Weighed, Weighing};
use crate::pipeline::settings::flag::finite;
use crate::pipeline::weigh::{self, Reweighed};
use crate::pipeline::{Context, Error, saved};

/// Export a run's training images for another library, or weight them by alignment.
///
/// --upweight and --subset rewrite RUN/manifest; after `hardlight detect`, which writes none, they start from your
/// originals. They change only originals of classes with a failure mode, and no generated images. `hardlight run` on
/// the folder writes its own manifest again.
///
/// Example: `hardlight manifest runs/cats --export imagefolder --to cats-augmented`
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("action").required(true).multiple(true))]
pub(super) struct ManifestCommand {
    /// The run folder.
    #[arg(value_name = "RUN")]
    run: PathBuf,

    /// Give the K most aligned (hardest) originals of each failing class the weight of --weight.
    #[arg(long, value_name = "K", requires = "weight", group = "action")]
    upweight: Option<NonZeroUsize>,

    /// Loss weight for --upweight.
    #[arg(long, value_name = "W", value_parser = finite, requires = "upweight")]
    weight: Option<f64>,

    /// Keep the N most aligned (hardest) originals of each failing class; the others get weight 0, which leaves them out.
    #[arg(long, value_name = "N", group = "action")]
    subset: Option<NonZeroUsize>,

    /// Write the images in a layout that other libraries read.
    #[arg(long, value_name = "FORMAT", requires = "to", group = "action")]
    export: Option<Reader>,

    /// Output folder of --export, new or empty.
    #[arg(long, value_name = "DIR", requires = "export")]
    to: Option<PathBuf>,

    /// Copy images instead of making hard links, so that changing a copy leaves the original alone.
    #[arg(long, requires = "export")]
    copy: bool,
}

/// A reader of exports.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Reader {
    /// `torchvision.datasets.ImageFolder`, with `class_to_idx.json`
    Imagefolder,
    /// `datasets.load_dataset("imagefolder")`, with `metadata.jsonl`
    Hf,
    /// .tar shards
    Webdataset,
    /// `FiftyOneImageClassificationDataset`
    Fiftyone,
}

impl From<Reader> for Format {
    fn from(reader: Reader) -> Self {
        match reader {
            Reader::Imagefolder => Self::ImageFolder,
            Reader::Hf => Self::Hf,
            Reader::Webdataset => Self::WebDataset,
            Reader::Fiftyone => Self::FiftyOne,
        }
    }
}

impl ManifestCommand {
    pub(super) fn run(self, ui: &mut Ui) -> Result<ExitStatus, Error> {
        let Self {
            run,
            upweight,
            weight,
            subset,
            export,
            to,
            copy,
        } = self;
        if let Some(weight) = weight.filter(|weight| *weight <= 0.0) {
            let text = format!("--weight is {weight}: expected a number above 0");
            return Err(Error::usage(text));
        }
        let how = Weighing {
            upweight: upweight.map(NonZeroUsize::get).zip(weight),
            subset: subset.map(NonZeroUsize::get),
        };
        saved::layout(&run)?;
        if how != Weighing::default() {
            let Some(reweighed) = weigh::reweigh(&mut Context::new(ui), &run, how)? else {
                ui.warn(
                    "no class has a direction that is better than chance, so nothing is weighed by one; \
                     the manifest stays as it is",
                );
                return Ok(ExitStatus::Incomplete);
            };
            say(ui, &reweighed, how);
        }
        if let (Some(reader), Some(to)) = (export, to) {
            let exported = weigh::export(&run, reader.into(), &to, copy)?;
            for note in &exported.notes {
                ui.warn(note);
            }
            ui.say(format_args!(
                "{} images in {}, {} rows of weight 0 left out",
                exported.images,
                to.display(),
                exported.left_out
            ));
        }
        Ok(ExitStatus::Success)
    }
}

/// A line a class.
fn say(ui: &mut Ui, reweighed: &Reweighed, how: Weighing) {
    for Weighed {
        class,
        originals,
        upweighted,
        left_out,
    } in &reweighed.weighed
    {
        if let Some((_, weight)) = how.upweight {
            ui.say(format_args!(
                "{class}: the {upweighted} most aligned of {originals} originals weigh {weight}"
            ));
        }
        if how.subset.is_some() {
            ui.say(format_args!(
                "{class}: the {left_out} least aligned of {originals} originals weigh 0, which leaves \
                 them out"
            ));
        }
    }
    for class in &reweighed.untouched {
        ui.say(format_args!(
            "{class}: as it was, for it has no failure direction that is better than chance"
        ));
    }
    ui.say(format_args!("manifest  {}", reweighed.manifest.display()));
}
