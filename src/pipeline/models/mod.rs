//! The models of a run, apart from its data, each behind a trait.
//!
//! [`Models::open`] opens them with libtorch; stand-ins are put into the fields as they are.

mod classifier;
mod generator;
#[cfg(feature = "torch")]
mod input_size;
pub mod locate;
#[cfg(feature = "torch")]
mod open;

pub use self::classifier::Classifier;
pub use self::generator::Generator;
#[cfg(feature = "torch")]
pub(crate) use self::open::Diffusion;
use super::space::Space;
use crate::embed::{ImageEncoder, JointEncoder};

/// The models of a run. What is not there is not needed, or ends the run early.
#[derive(Default)]
pub struct Models {
    /// The classifier that is analysed, where it predicts itself.
    pub classifier: Option<Box<dyn Classifier>>,
    /// Images and captions in one space.
    pub clip: Option<Box<dyn JointEncoder>>,
    /// Who draws.
    pub generator: Option<Generator>,
    /// Where models compute.
    pub place: ComputePlace,
}

/// Where models compute, and in what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ComputePlace {
    /// `Cpu`, or `Cuda(0)` and so on: a fact that the run notes.
    pub device: String,
    /// Whether it is a GPU: part of the result.
    pub cuda: bool,
    /// `float`, `half` or `bfloat16`: part of the result.
    pub dtype: String,
}

impl Default for ComputePlace {
    fn default() -> Self {
        Self {
            device: "Cpu".to_owned(),
            cuda: false,
            dtype: "float".to_owned(),
        }
    }
}

impl Models {
    /// The encoder of a space, where it has one.
    pub fn encoder(&self, space: &Space) -> Option<&dyn ImageEncoder> {
        match space {
            Space::Clip => self.clip.as_deref().map(|clip| clip as &dyn ImageEncoder),
            Space::Classifier => self.classifier.as_deref().and_then(Classifier::features),
            Space::Matrix(_) => None,
        }
    }
}
