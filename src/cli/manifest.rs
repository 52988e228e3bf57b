//! `hardlight manifest`: a run's manifest with other weights, and for particular readers.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use clap::ValueEnum;

use super::exit::ExitStatus;
use super::number::finite;
use super::ui::Ui;
use crate::dataset::Split;
use crate::io;
use crate::manifest::export::{Format, export};
use crate::manifest::weigh::{Aligned, Weighed, Weighing, weigh};
use crate::manifest::{self, Row};
use crate::pipeline::saved::{self, Saved};
use crate::pipeline::{Context, Error};
use crate::run::folder::Layout;
use crate::run::lock::FolderLock;

/// Weigh a run's training images by their alignment, or export its manifest for a reader.
///
/// --upweight and --subset rewrite RUN/manifest, which they begin with the originals alone where
/// `hardlight detect` made none; `hardlight run` on the folder writes its own manifest again. Both
/// touch only originals of classes with a failure mode. Generated images stay as they are.
///
/// Example: `hardlight manifest runs/cats --export imagefolder --to cats-augmented`
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("action").required(true).multiple(true))]
pub(super) struct ManifestCommand {
    /// The run folder.
    #[arg(value_name = "RUN")]
    run: PathBuf,

    /// Give the K most aligned originals of every failing class the weight of --weight.
    #[arg(long, value_name = "K", requires = "weight", group = "action")]
    upweight: Option<NonZeroUsize>,

    /// Loss weight for --upweight.
    #[arg(long, value_name = "W", value_parser = finite, requires = "upweight")]
    weight: Option<f64>,

    /// Keep the N most aligned originals of every failing class; the others weigh 0, which leaves
    /// them out of training and exports.
    #[arg(long, value_name = "N", group = "action")]
    subset: Option<NonZeroUsize>,

    /// Lay the images out for a reader.
    #[arg(long, value_name = "FORMAT", requires = "to", group = "action")]
    export: Option<Reader>,

    /// Folder for --export, new or empty.
    #[arg(long, value_name = "DIR", requires = "export")]
    to: Option<PathBuf>,

    /// Copy images in place of hard links, so that changing one leaves the other alone.
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
        let layout = saved::layout(&run)?;
        if how != Weighing::default() && rewrite(&run, how, ui)? == ExitStatus::Incomplete {
            return Ok(ExitStatus::Incomplete);
        }
        if let (Some(reader), Some(to)) = (export, to) {
            export_to(&layout, reader, &to, copy, ui)?;
        }
        Ok(ExitStatus::Success)
    }
}

/// Writes the manifest with other weights.
fn rewrite(run: &Path, how: Weighing, ui: &mut Ui) -> Result<ExitStatus, Error> {
    let saved = Saved::open(&mut Context::new(ui), run)?;
    let _lock = FolderLock::acquire(run).map_err(crate::run::folder::FolderError::from)?;
    // By class: several modes of one follow each other.
    let mut classes: Vec<usize> = saved.usable().map(|direction| direction.id.class).collect();
    classes.dedup();
    if classes.is_empty() {
        ui.warn(
            "no class has a direction that is better than chance, so nothing is weighed by one; the \
             manifest stays as it is",
        );
        return Ok(ExitStatus::Incomplete);
    }
    let path = saved.layout.manifest_dir().join("train.jsonl");
    let mut rows = if path.is_file() {
        manifest::read_jsonl(&path)?
    } else {
        originals(&saved)?
    };
    let done = weigh(&mut rows, &classes, &alignments(&saved)?, how)?;
    let folder = saved.layout.manifest_dir();
    io::create_dir_all(&folder)?;
    manifest::write_all(&folder, &rows)?;
    for Weighed {
        class,
        originals,
        upweighted,
        left_out,
    } in &done
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
    for (class, name) in saved.dataset.classes.iter().enumerate() {
        if !classes.contains(&class) {
            ui.say(format_args!(
                "{name}: as it was, for it has no failure direction that is better than chance"
            ));
        }
    }
    ui.say(format_args!(
        "manifest  {}",
        folder.join("train.parquet").display()
    ));
    Ok(ExitStatus::Success)
}

/// The training images as they are.
fn originals(saved: &Saved) -> Result<Vec<Row>, Error> {
    let dataset = &saved.dataset;
    let root = manifest::root_text(saved.layout.root(), &dataset.root)?;
    Ok(saved
        .of_split(Split::Train)
        .map(|(_, example)| Row::real(example, &dataset.classes[example.label], &root))
        .collect())
}

/// The alignment of every training image with the hardest usable mode of its class, by id.
fn alignments(saved: &Saved) -> Result<BTreeMap<String, Aligned>, Error> {
    let (rows, x) = saved.embedded(Split::Train)?;
    let mut found = BTreeMap::new();
    for (&row, x) in rows.iter().zip(x.outer_iter()) {
        let example = &saved.dataset.examples[row];
        let hardest = saved
            .usable()
            .filter(|direction| direction.id.class == example.label)
            .map(|direction| Aligned {
                mode: direction.id.mode,
                alignment: direction.alignment(x),
            })
            .reduce(|a, b| if b.alignment > a.alignment { b } else { a });
        if let Some(aligned) = hardest {
            found.insert(example.id.clone(), aligned);
        }
    }
    Ok(found)
}

fn export_to(
    layout: &Layout,
    reader: Reader,
    to: &Path,
    copy: bool,
    ui: &mut Ui,
) -> Result<(), Error> {
    let path = layout.manifest_dir().join("train.jsonl");
    if !path.is_file() {
        let text = format!(
            "{} holds no manifest: `hardlight run` with a model makes one, or --upweight or --subset",
            layout.root().display()
        );
        return Err(Error::input(text));
    }
    let rows = manifest::read_jsonl(&path)?;
    let classes = crate::direction::persist::read(layout.root())?.classes;
    let exported = export(layout.root(), &rows, &classes, reader.into(), to, copy)?;
    for note in &exported.notes {
        ui.warn(note);
    }
    ui.say(format_args!(
        "{} images in {}, {} rows of weight 0 left out",
        exported.images,
        to.display(),
        exported.left_out
    ));
    Ok(())
}
