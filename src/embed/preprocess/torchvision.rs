//! The transform that torchvision's classifiers come with, said in numbers instead of a config file.

use super::{Centre, Conversion, Preprocess, Target};
use crate::embed::resize::{Filter, Kernel};

/// How an image is brought to the size that a network takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resize {
    /// The shorter side gets this length, px, the other follows.
    Shorter(usize),
    /// Both sides get the size of the crop; the proportion is not kept.
    Squash,
    /// It keeps its size.
    Keep,
}

impl Preprocess {
    /// `Resize`, `CenterCrop`, `ToTensor`, `Normalize` of torchvision's transforms on a Pillow image.
    ///
    /// # Shapes and units
    ///
    /// - `crop`: height and width of every result, px; what lacks is black.
    /// - `mean`, `std`: of the channels, in pixels from 0 to 1.
    ///
    /// # Source
    ///
    /// torchvision 0.26, `transforms` and `transforms/_presets.py`, `ImageClassification`.
    pub fn torchvision(
        crop: (usize, usize),
        resize: Resize,
        filter: Filter,
        mean: [f32; 3],
        std: [f32; 3],
    ) -> Self {
        let target = match resize {
            Resize::Shorter(side) => Some(Target::Shortest(side)),
            Resize::Squash => Some(Target::Exact {
                height: crop.0,
                width: crop.1,
            }),
            Resize::Keep => None,
        };
        Self {
            target,
            crop,
            filter,
            kernel: Kernel::Pil,
            centre: Centre::Torchvision,
            conversion: Conversion::First,
            values: super::config::values((mean, std), |byte| f32::from(byte) / 255.0),
        }
    }
}
