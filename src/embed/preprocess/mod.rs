//! From a decoded image to the pixels a CLIP or `SigLIP` tower expects: resize, centre crop,
//! normalise.
//!
//! ```text
//! u8 [H, W, 3] ──resize──▶ ──crop──▶ u8 [h, w, 3] ──(x·factor − mean)/std──▶ f32 [3, h, w]
//! ```
//!
//! The steps are read from the model's own folder, as Transformers (`preprocessor_config.json`)
//! or `open_clip` (`open_clip_config.json`) writes them. A setting that is not understood is an
//! error: a silently different preprocessing moves every embedding.
//!
//! [`Preprocess::apply`] takes RGB, as torchvision's `ImageFolder` gives it to any transform.
//! [`Preprocess::apply_decoded`] takes what Pillow's `Image.open` gives, and makes it RGB as the
//! reference does: `CLIPImageProcessor` and `SiglipImageProcessor` at once, what is transparent laid on
//! white; `open_clip`'s transform after it resized the picture in its own mode, a palette by the
//! nearest pixel and colors weighted by their alpha. The two differ for pictures with alpha and, with
//! `open_clip`, a palette, 16-bit gray or inks.
//!
//! Source: `CLIPImageProcessor` and `SiglipImageProcessor` of Transformers 5, `image_transform` of
//! `open_clip` 3; where the references disagree, see [`Preprocess::with_kernel`].

mod config;
mod torchvision;

use std::ops::Range;
use std::path::{Path, PathBuf};

use image::RgbImage;
use ndarray::Array3;

use super::resize::{Filter, Kernel, Raster, Window};
use crate::io::image::decoded::{self, DecodedImage, rgb_of_inks};
use crate::io::{Classified, ErrorKind, IoError};

pub use self::torchvision::Resize;

/// Why a preprocessing config was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PreprocessError {
    /// The folder holds no config.
    #[error(
        "{} holds none of preprocessor_config.json, processor_config.json and open_clip_config.json: copy it from the \
         model's repository",
        dir.display()
    )]
    Missing {
        /// The folder.
        dir: PathBuf,
    },

    /// A file cannot be read.
    #[error(transparent)]
    Io(#[from] IoError),

    /// A file is not JSON.
    #[error("{} is not valid JSON", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// What the JSON reader said.
        #[source]
        source: serde_json::Error,
    },

    /// A setting is missing, of the wrong type, or not supported.
    #[error("{}: {key} is {found}, expected {expected}", path.display())]
    Setting {
        /// The file.
        path: PathBuf,
        /// The key, with dots between its levels.
        key: String,
        /// Its value as JSON, or "missing".
        found: String,
        /// What is understood.
        expected: &'static str,
    },
}

impl Classified for PreprocessError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Io(error) => error.kind(),
            _ => ErrorKind::Input,
        }
    }
}

/// What an image is resized to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Target {
    /// The shorter side gets this length, the other follows in proportion.
    Shortest(usize),
    /// Both sides are given, the proportion is not kept.
    Exact {
        /// Pixels.
        height: usize,
        /// Pixels.
        width: usize,
    },
}

impl Target {
    /// Width and height after resizing. References truncate the longer side.
    fn size(self, width: usize, height: usize) -> (usize, usize) {
        match self {
            Self::Exact { height, width } => (width, height),
            Self::Shortest(side) => {
                let long = |long: usize, short: usize| {
                    ((side as u64 * long as u64) as f64 / short as f64) as usize
                };
                if width <= height {
                    (side, long(height, width))
                } else {
                    (long(width, height), side)
                }
            }
        }
    }
}

/// Where the crop begins when what is left over (or to be padded) is odd.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Centre {
    /// Transformers with Pillow: crops at `⌊n/2⌋`, pads `⌈n/2⌉` before.
    Transformers,
    /// Transformers with torchvision: crops at `⌊n/2⌋`, pads `⌊n/2⌋` before.
    TransformersTorchvision,
    /// torchvision itself, as `open_clip` uses it: crops at `n/2` rounded half to even, pads
    /// `⌊n/2⌋` before.
    Torchvision,
}

impl Centre {
    /// For an axis of `len` pixels cropped or padded to `crop`: the outputs that show the image,
    /// and the image's pixel under the first of them.
    fn place(self, len: usize, crop: usize) -> (Range<usize>, usize) {
        if len >= crop {
            let spare = len - crop;
            let start = match self {
                // Half of an odd number ends in ½; to even is up exactly where spare = 3 mod 4.
                Self::Torchvision => spare / 2 + usize::from(spare % 4 == 3),
                Self::Transformers | Self::TransformersTorchvision => spare / 2,
            };
            (0..crop, start)
        } else {
            let missing = crop - len;
            let before = match self {
                Self::Transformers => missing.div_ceil(2),
                Self::TransformersTorchvision | Self::Torchvision => missing / 2,
            };
            (before..before + len, 0)
        }
    }
}

/// When a picture becomes RGB, and what becomes of its alpha.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Conversion {
    /// First, alpha dropped.
    First,
    /// First, what is transparent laid on white.
    OnWhite,
    /// After it is resized and cropped, alpha dropped.
    Last,
}

/// The preprocessing of one model.
#[derive(Debug, Clone, PartialEq)]
pub struct Preprocess {
    target: Option<Target>,
    /// Height and width of every result.
    crop: (usize, usize),
    filter: Filter,
    kernel: Kernel,
    centre: Centre,
    conversion: Conversion,
    /// Normalised value of every byte, per channel.
    values: Box<[[f32; 256]; 3]>,
}

impl Preprocess {
    /// Reads `preprocessor_config.json`, the `image_processor` of `processor_config.json` (Transformers 5) or
    /// `open_clip_config.json` of a model's folder, in this order; `open_clip`'s first where it is the library that
    /// the folder is read by ([`Form`](crate::nn::clip::form::Form)).
    ///
    /// Missing keys have the defaults of `CLIPImageProcessor`, `SiglipImageProcessor` or
    /// `open_clip`. The kernel is [`Kernel::Pil`].
    ///
    /// # Errors
    ///
    /// - [`PreprocessError::Missing`] if none of them is there.
    /// - [`PreprocessError::Io`] and [`PreprocessError::Json`] if the file cannot be read.
    /// - [`PreprocessError::Setting`] if a value is not understood, or if results would differ
    ///   in size from image to image.
    pub fn from_dir(dir: &Path) -> Result<Self, PreprocessError> {
        config::read(dir)
    }

    /// The same preprocessing with another reference's resampling and, for a Transformers folder,
    /// with the centre crop of that reference.
    #[must_use]
    pub fn with_kernel(mut self, kernel: Kernel) -> Self {
        self.kernel = kernel;
        self.centre = match (self.centre, kernel) {
            (Centre::Torchvision, _) => Centre::Torchvision,
            (_, Kernel::Torchvision) => Centre::TransformersTorchvision,
            (_, Kernel::Pil | Kernel::Pil12) => Centre::Transformers,
        };
        self
    }

    /// Whose resampling is used.
    pub fn kernel(&self) -> Kernel {
        self.kernel
    }

    /// Height and width of every result, in pixels.
    pub fn output_size(&self) -> (usize, usize) {
        self.crop
    }

    /// Pixels of an image.
    ///
    /// # Shapes and units
    ///
    /// The result is `[3, h, w]` with [`Preprocess::output_size`], channels in the order red,
    /// green, blue, in standard deviations from the mean. Padding is black before normalisation.
    pub fn apply(&self, image: &RgbImage) -> Array3<f32> {
        let place = self.place(image.dimensions());
        let bytes = if place.resizes {
            place.window.bytes::<3>(Raster::of(image))
        } else {
            cut(image, &place.window)
        };
        self.normalised(&place, &bytes)
    }

    /// Pixels of a picture of any mode, which becomes RGB where the reference converts it.
    ///
    /// torchvision's resizing takes tensors, which are RGB already: with [`Kernel::Torchvision`] that
    /// comes first.
    ///
    /// # Shapes and units
    ///
    /// Those of [`Preprocess::apply`].
    pub fn apply_decoded(&self, picture: &DecodedImage) -> Array3<f32> {
        let place = self.place(picture.dimensions());
        let last = self.conversion == Conversion::Last && self.kernel != Kernel::Torchvision;
        if !last || !place.resizes {
            let picture = picture.clone();
            return self.apply(&match self.conversion {
                Conversion::OnWhite => picture.into_rgb_on_white(),
                Conversion::First | Conversion::Last => picture.into_rgb(),
            });
        }
        let window = &place.window;
        let bytes: Vec<u8> = match picture.pixels() {
            decoded::Pixels::Palette(image) => window.nearest(Raster::of(image)),
            decoded::Pixels::Rgba(image) => {
                let bytes = window.weighted_by_alpha(Raster::of(image));
                let (pixels, _) = bytes.as_chunks();
                pixels.iter().flat_map(|&[r, g, b, _]| [r, g, b]).collect()
            }
            decoded::Pixels::Gray16(image) => {
                let values = window.gray16(Raster::of(image));
                let bytes = values.iter().map(|&value| value.min(255) as u8);
                bytes.flat_map(|byte| [byte; 3]).collect()
            }
            decoded::Pixels::Cmyk(image) => {
                let bytes = window.bytes::<4>(Raster::of(image));
                let (pixels, _) = bytes.as_chunks();
                pixels.iter().flat_map(|&inks| rgb_of_inks(inks)).collect()
            }
            decoded::Pixels::Rgb(image) => return self.apply(image),
        };
        self.normalised(&place, &bytes)
    }

    /// Where an image of this width and height ends up.
    fn place(&self, (width, height): (u32, u32)) -> Placement {
        let (width, height) = (width as usize, height as usize);
        let size = match self.target {
            Some(target) if width > 0 && height > 0 => target.size(width, height),
            _ => (width, height),
        };
        let (columns, left) = self.centre.place(size.0, self.crop.1);
        let (rows, top) = self.centre.place(size.1, self.crop.0);
        Placement {
            resizes: size != (width, height),
            window: Window {
                size,
                columns: left..left + columns.len(),
                rows: top..top + rows.len(),
                filter: self.filter,
                kernel: self.kernel,
            },
            columns,
            rows,
        }
    }

    /// The bytes of the part of the image that shows, normalised.
    fn normalised(&self, Placement { columns, rows, .. }: &Placement, bytes: &[u8]) -> Array3<f32> {
        Array3::from_shape_fn((3, self.crop.0, self.crop.1), |(channel, row, column)| {
            let inside = rows.contains(&row) && columns.contains(&column);
            let byte = if inside {
                bytes[((row - rows.start) * columns.len() + column - columns.start) * 3 + channel]
            } else {
                0
            };
            self.values[channel][usize::from(byte)]
        })
    }
}

/// What of an image shows, and where.
struct Placement {
    /// Whether the image changes its size.
    resizes: bool,
    /// The part of the resized image that shows.
    window: Window,
    /// Where it shows; the rest is padding.
    columns: Range<usize>,
    /// As `columns`.
    rows: Range<usize>,
}

/// The bytes of a window of an image that keeps its size.
fn cut(image: &RgbImage, Window { columns, rows, .. }: &Window) -> Vec<u8> {
    let stride = image.width() as usize * 3;
    rows.clone()
        .flat_map(|row| {
            &image.as_raw()[row * stride + columns.start * 3..row * stride + columns.end * 3]
        })
        .copied()
        .collect()
}

#[cfg(test)]
mod tests;
