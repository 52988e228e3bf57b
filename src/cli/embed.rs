//! `hardlight embed`: images or captions as vectors, in a file.

use std::fmt::{self, Display};
use std::path::{Path, PathBuf};

use ndarray::{Array2, Axis};
use rayon::prelude::*;

use super::exit::ExitStatus;
use super::stop::Stop;
use super::ui::Ui;
use crate::dataset;
use crate::embed::clip::ClipEncoder;
use crate::embed::resize::Kernel;
use crate::embed::{EmbedError, ImageEncoder as _, TextEncoder as _};
use crate::hub::Want;
use crate::io;
use crate::io::IoError;
use crate::io::image::decoded::{DecodedImage, Pixels};
use crate::io::image::{self, Exif};
use crate::io::matrix::write_safetensors;
use crate::pipeline::device as device_of;
use crate::pipeline::models::locate::locate;
use crate::pipeline::{Context, Error, Stage};

/// Turn a folder of images or a list of captions into CLIP embeddings.
///
/// --out gets one float32 tensor `embeddings`, a row an image or a caption, before normalisation;
/// its metadata has `ids`, a JSON list: paths below --images, or the captions.
///
/// Example: `hardlight embed --clip clip-vit-b32 --images photos --out photos.safetensors`
#[derive(Debug, clap::Args)]
pub(super) struct EmbedCommand {
    /// CLIP or `SigLIP`: a folder of Transformers or `open_clip`, or its id on the Hugging Face hub.
    #[arg(long, value_name = "DIR|ID")]
    clip: PathBuf,

    /// Images: every image file below this folder, in bytewise order of their paths.
    #[arg(long, value_name = "DIR", required_unless_present = "texts")]
    images: Option<PathBuf>,

    /// Captions: a text file, every line a caption.
    #[arg(long, value_name = "FILE", conflicts_with = "images")]
    texts: Option<PathBuf>,

    /// Where the embeddings go, a .safetensors; replaced if it is there.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,

    /// auto, cpu, cuda or cuda:N.
    #[arg(long, value_name = "DEVICE", default_value = "auto")]
    device: String,

    /// auto (fp32 on cpu, fp16 on cuda), fp32, fp16 or bf16.
    #[arg(long, value_name = "TYPE", default_value = "auto")]
    dtype: String,

    /// Images or captions at once; a row differs in its last bits from batch to batch size.
    #[arg(long, value_name = "N", default_value_t = 32,
        value_parser = clap::value_parser!(u16).range(1..=4096))]
    batch: u16,

    /// Whose resizing: Pillow's, that of Pillow before 13, or torchvision's.
    #[arg(
        long,
        value_name = "NAME",
        default_value = "pil",
        conflicts_with = "texts"
    )]
    preprocess: Preprocessing,

    /// Turn images to RGB and drop their alpha before anything else, as runs and torchvision's
    /// `ImageFolder` do. Else they are treated as the model's library treats Python's `Image.open(file)`:
    /// Transformers lays what is transparent on white, `open_clip` resizes first.
    #[arg(long, conflicts_with = "texts")]
    rgb_first: bool,

    /// Whether images are turned as their EXIF says.
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
    on_bad_image: OnBadImage,
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
enum OnBadImage {
    Skip,
    Fail,
}

/// What there is to embed.
enum Work {
    /// Paths below a folder.
    Images {
        folder: PathBuf,
        paths: Vec<String>,
    },
    Texts(Vec<String>),
}

/// Rows with their ids.
struct Rows {
    ids: Vec<String>,
    matrix: Array2<f32>,
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
        let work = match (images, texts) {
            (Some(folder), _) => Work::images(folder, ui)?,
            (None, Some(file)) => Work::texts(&file)?,
            (None, None) => {
                let text = "nothing to embed: give --images DIR or --texts FILE";
                return Err(Error::usage(text.to_owned()));
            }
        };
        let kernel = match preprocess {
            Preprocessing::Pil => Kernel::Pil,
            Preprocessing::Pil12 => Kernel::Pil12,
            Preprocessing::Torchvision => Kernel::Torchvision,
        };
        let exif = match exif {
            Orientation::Apply => Exif::Apply,
            Orientation::Ignore => Exif::Ignore,
        };
        let stop = stop.check();
        let mut context = Context::stopped_by(ui, &stop);
        let dir = locate(&mut context, &clip, Want::Clip)?;
        let encoder = ClipEncoder::open(&dir, device, kind)?
            .with_kernel(kernel)
            .with_batch(usize::from(batch));
        context.info(format_args!("{work} with {}", clip.display()));
        let rows = match work {
            Work::Images { folder, paths } => {
                let read = |path: &str| {
                    let picture = image::read(&folder.join(path), exif)?;
                    Ok(if rgb_first {
                        Pixels::Rgb(picture.into_rgb()).into()
                    } else {
                        picture
                    })
                };
                embed_images(&encoder, &paths, &read, on_bad_image, &mut context)?
            }
            Work::Texts(captions) => embed_texts(&encoder, &captions, &mut context)?,
        };
        let Some(Rows { ids, matrix }) = rows else {
            ui.info("stopped; nothing was written");
            return Ok(ExitStatus::Stopped);
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

impl Display for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Images { paths, .. } => write!(f, "embedding {} images", paths.len()),
            Self::Texts(captions) => write!(f, "embedding {} captions", captions.len()),
        }
    }
}

impl Work {
    fn images(folder: PathBuf, ui: &mut Ui) -> Result<Self, Error> {
        let mut passed = Vec::new();
        let paths = dataset::images_below(&folder, &mut passed)?;
        if let Some(first) = passed.first() {
            ui.warn(format_args!(
                "{} entries below {} are not images and were passed over, the first: {first}",
                passed.len(),
                folder.display()
            ));
        }
        if paths.is_empty() {
            let text = format!("there is no image below {}", folder.display());
            return Err(Error::input(text));
        }
        Ok(Self::Images { folder, paths })
    }

    fn texts(file: &Path) -> Result<Self, Error> {
        let text = io::read_to_string(file)?;
        let captions: Vec<String> = text.lines().map(ToOwned::to_owned).collect();
        if captions.is_empty() {
            return Err(Error::input(format!("{} holds no caption", file.display())));
        }
        Ok(Self::Texts(captions))
    }
}

/// Embeds images batch by batch; none if asked to stop.
fn embed_images(
    encoder: &ClipEncoder,
    paths: &[String],
    read: &(dyn Fn(&str) -> Result<DecodedImage, IoError> + Sync),
    on_bad_image: OnBadImage,
    context: &mut Context<'_>,
) -> Result<Option<Rows>, Error> {
    let mut rows = Rows::new(encoder.dim());
    let mut stage = Stage::begin(context.reporter, "embed images", paths.len(), "images");
    for (chunk, start) in paths
        .chunks(encoder.batch())
        .zip((0..).step_by(encoder.batch()))
    {
        if (context.stop)() {
            return Ok(None);
        }
        let pictures: Vec<Result<DecodedImage, IoError>> =
            chunk.par_iter().map(|path| read(path)).collect();
        let (mut ids, mut readable) = (Vec::new(), Vec::new());
        for (path, picture) in chunk.iter().zip(pictures) {
            match picture {
                Ok(picture) => {
                    ids.push(path.clone());
                    readable.push(picture);
                }
                Err(error) if on_bad_image == OnBadImage::Skip => {
                    let error = Error::from(error);
                    stage.warn(format_args!("skipped: {error:#}"));
                }
                Err(error) => return Err(error.into()),
            }
        }
        rows.add(ids, &encoder.encode_decoded(&readable)?)?;
        stage.set(start + chunk.len(), "");
    }
    stage.end();
    Ok(Some(rows))
}

/// Embeds captions batch by batch; none if asked to stop.
fn embed_texts(
    encoder: &ClipEncoder,
    captions: &[String],
    context: &mut Context<'_>,
) -> Result<Option<Rows>, Error> {
    let cut: Vec<usize> = (0..captions.len())
        .filter(|&line| encoder.truncates(&captions[line]))
        .collect();
    if let Some(&first) = cut.first() {
        context.warn(format_args!(
            "{} captions are longer than the model reads, and their ends were cut off; the first \
             is line {}: {:?}",
            cut.len(),
            first + 1,
            captions[first]
        ));
    }
    let mut rows = Rows::new(encoder.dim());
    let mut stage = Stage::begin(
        context.reporter,
        "embed captions",
        captions.len(),
        "captions",
    );
    for (chunk, start) in captions
        .chunks(encoder.batch())
        .zip((0..).step_by(encoder.batch()))
    {
        if (context.stop)() {
            return Ok(None);
        }
        rows.add(chunk.to_vec(), &encoder.encode_texts(chunk)?)?;
        stage.set(start + chunk.len(), "");
    }
    stage.end();
    Ok(Some(rows))
}

impl Rows {
    fn new(dim: usize) -> Self {
        Self {
            ids: Vec::new(),
            matrix: Array2::zeros((0, dim)),
        }
    }

    /// Adds rows; all must be finite, which half precision does not promise.
    fn add(&mut self, ids: Vec<String>, rows: &Array2<f32>) -> Result<(), Error> {
        for (id, row) in ids.iter().zip(rows.axis_iter(Axis(0))) {
            if let Some(dim) = row.iter().position(|v| !v.is_finite()) {
                let (id, value) = (id.clone(), row[dim]);
                return Err(EmbedError::NonFinite { id, dim, value }.into());
            }
        }
        self.ids.extend(ids);
        self.matrix
            .append(Axis(0), rows.view())
            .map_err(Error::other)?;
        Ok(())
    }
}
