//! `hardlight embed`: images or captions as vectors, in a file.

use std::fmt::{self, Display};
use std::path::{Path, PathBuf};

use super::exit::ExitStatus;
use super::stop::Stop;
use super::ui::Ui;
use crate::embed::clip::ClipEncoder;
use crate::embed::resize::Kernel;
use crate::hub::Want;
use crate::io::ErrorKind;
use crate::io::image::Exif;
use crate::io::matrix::write_safetensors;
use crate::pipeline::device as device_of;
use crate::pipeline::models::locate::locate;
use crate::pipeline::vectors::{self, Reading, Vectors};
use crate::pipeline::{Context, Error};
use crate::run::skipped::OnBadImage;

/// Compute CLIP embeddings of images or captions.
///
/// The output is one float32 tensor `embeddings` with a row per image or caption, before normalisation. Its metadata has
/// `ids`, a JSON list: paths below --images, or the captions.
///
/// Example: `hardlight embed --clip openai/clip-vit-large-patch14 --images photos --out photos.safetensors`
#[derive(Debug, clap::Args)]
pub(super) struct EmbedCommand {
    /// CLIP or `SigLIP` model: a Transformers or `open_clip` folder, or a Hugging Face id.
    #[arg(long, value_name = "DIR|ID")]
    clip: PathBuf,

    /// Folder of images; all images below it are embedded, in bytewise order of their paths.
    #[arg(long, value_name = "DIR", required_unless_present = "texts")]
    images: Option<PathBuf>,

    /// Text file with one caption per line.
    #[arg(long, value_name = "FILE", conflicts_with = "images")]
    texts: Option<PathBuf>,

    /// Output file, .safetensors; replaced if it exists.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,

    /// auto, cpu, cuda or cuda:N.
    #[arg(long, value_name = "DEVICE", default_value = "auto")]
    device: String,

    /// auto (fp32 on cpu, fp16 on cuda), fp32, fp16 or bf16.
    #[arg(long, value_name = "TYPE", default_value = "auto")]
    dtype: String,

    /// Batch size; between two sizes, the last bits of a row may differ.
    #[arg(long, value_name = "N", default_value_t = 32,
        value_parser = clap::value_parser!(u16).range(1..=4096))]
    batch: u16,

    /// Resize like Pillow 13 (pil), Pillow before 13 (pil12) or torchvision.
    #[arg(
        long,
        value_name = "NAME",
        default_value = "pil",
        conflicts_with = "texts"
    )]
    preprocess: Preprocessing,

    /// Convert images to RGB first, dropping alpha, as `hardlight run` and torchvision's `ImageFolder` do. Without it they
    /// are read as the model's Python library does: Transformers puts transparency on white, `open_clip` resizes first.
    #[arg(long, conflicts_with = "texts")]
    rgb_first: bool,

    /// Apply or ignore the EXIF orientation.
    #[arg(
        long,
        value_name = "WHAT",
        default_value = "apply",
        conflicts_with = "texts"
    )]
    exif: Orientation,

    /// What to do with an image that cannot be read.
    #[arg(
        long,
        value_name = "WHAT",
        default_value = "fail",
        conflicts_with = "texts"
    )]
    on_bad_image: BadImage,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Preprocessing {
    Pil,
    Pil12,
    Torchvision,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Orientation {
    Apply,
    Ignore,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum BadImage {
    Skip,
    Fail,
}

impl EmbedCommand {
    pub(super) fn run(self, ui: &mut Ui, stop: &Stop) -> Result<ExitStatus, Error> {
        let Self {
            clip,
            images,
            texts,
            out,
            device,
            dtype,
            batch,
            preprocess,
            rgb_first,
            exif,
            on_bad_image,
        } = self;
        let (device, kind) = device_of(&device, &dtype)?;
        check_out(&out)?;
        let check = stop.check();
        let mut context = Context::stopped_by(ui, &check);
        let work = match (images, texts) {
            (Some(folder), _) => {
                let paths = vectors::images_below(&mut context, &folder)?;
                Work::Images(folder, paths)
            }
            (None, Some(file)) => Work::Captions(vectors::captions_of(&file)?),
            (None, None) => {
                let text = "nothing to embed: give --images DIR or --texts FILE";
                return Err(Error::usage(text));
            }
        };
        let dir = locate(&mut context, &clip, Want::Clip)?;
        let encoder = ClipEncoder::open(&dir, device, kind)?
            .with_kernel(preprocess.into())
            .with_batch(usize::from(batch));
        context.info(format_args!("{work} with {}", clip.display()));
        let reading = Reading {
            exif: exif.into(),
            rgb_first,
            on_bad_image: on_bad_image.into(),
        };
        let embedded = match &work {
            Work::Images(folder, paths) => {
                vectors::of_images(&mut context, &encoder, (folder, paths), reading)
            }
            Work::Captions(captions) => vectors::of_captions(&mut context, &encoder, captions),
        };
        let Vectors { ids, matrix } = match embedded {
            Err(error) if error.kind() == ErrorKind::Stopped => {
                ui.info("stopped; nothing was written");
                return Ok(ExitStatus::Stopped);
            }
            embedded => embedded?,
        };
        if ids.is_empty() {
            ui.warn("no image could be read: nothing was written");
            return Ok(ExitStatus::Incomplete);
        }
        write_safetensors(&out, "embeddings", matrix.view(), &ids)?;
        let (n, d) = matrix.dim();
        ui.say(format_args!("{}: {n} x {d}", out.display()));
        Ok(ExitStatus::Success)
    }
}

/// What there is to embed.
enum Work {
    /// A folder and paths below it.
    Images(PathBuf, Vec<String>),
    Captions(Vec<String>),
}

impl Display for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Images(_, paths) => write!(f, "embedding {} images", paths.len()),
            Self::Captions(captions) => write!(f, "embedding {} captions", captions.len()),
        }
    }
}

impl From<Preprocessing> for Kernel {
    fn from(preprocessing: Preprocessing) -> Self {
        match preprocessing {
            Preprocessing::Pil => Self::Pil,
            Preprocessing::Pil12 => Self::Pil12,
            Preprocessing::Torchvision => Self::Torchvision,
        }
    }
}

impl From<Orientation> for Exif {
    fn from(orientation: Orientation) -> Self {
        match orientation {
            Orientation::Apply => Self::Apply,
            Orientation::Ignore => Self::Ignore,
        }
    }
}

impl From<BadImage> for OnBadImage {
    fn from(bad: BadImage) -> Self {
        match bad {
            BadImage::Skip => Self::Skip,
            BadImage::Fail => Self::Fail,
        }
    }
}

/// Says now what would stop the writing in the end.
fn check_out(out: &Path) -> Result<(), Error> {
    if out.extension().is_none_or(|e| e != "safetensors") {
        let text = format!("--out {} does not end in .safetensors", out.display());
        return Err(Error::usage(text));
    }
    let folder = out.parent().filter(|path| !path.as_os_str().is_empty());
    let problem = if out.is_dir() {
        "is a folder"
    } else if folder.is_some_and(|folder| !folder.is_dir()) {
        "lies in a folder that does not exist"
    } else {
        return Ok(());
    };
    Err(Error::input(format!("--out {} {problem}", out.display())))
}
