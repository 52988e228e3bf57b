//! From captions to pictures: an ordered plan of attempts, and who makes them.
//!
//! - [`plan`]: what to attempt, in which order, with which seed; pure arithmetic.
//! - [`ImageGenerator`]: who turns attempts into pictures; [`stable_diffusion`] is the real one.
//!
//! May import: `io`, `embed`, `direction`, `caption`, `diffusion`.

pub mod plan;
#[cfg(feature = "torch")]
pub mod stable_diffusion;

use image::RgbImage;

use crate::io::{Classified, ErrorKind};

pub use self::plan::{Arm, Attempt, ModePlan};

/// Why pictures could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GenerateError {
    /// The pipeline refused or failed.
    #[cfg(feature = "torch")]
    #[error(transparent)]
    Pipeline(#[from] crate::diffusion::pipeline::PipelineError),
    /// The safety checker failed.
    #[error(transparent)]
    Embed(#[from] crate::embed::EmbedError),
    /// A generator other than Stable Diffusion failed.
    #[error("the generator failed: {reason}")]
    Other {
        /// What it said.
        reason: String,
    },
}

impl Classified for GenerateError {
    fn kind(&self) -> ErrorKind {
        match self {
            #[cfg(feature = "torch")]
            Self::Pipeline(error) => error.kind(),
            Self::Embed(error) => error.kind(),
            Self::Other { .. } => ErrorKind::Other,
        }
    }
}

/// A generated picture.
#[derive(Debug, Clone)]
pub struct Picture {
    /// The pixels.
    pub image: RgbImage,
    /// Whether every pixel was a finite number before rounding.
    pub finite: bool,
    /// Whether the model's safety checker objects.
    pub flagged: bool,
}

/// Turns attempts into pictures.
///
/// A picture depends on its own attempt (caption and seed) and the generator's settings, never on
/// the other attempts of a call, their order or their number.
pub trait ImageGenerator {
    /// Makes a picture for every attempt, in order; none if `stop` asked to end in between.
    ///
    /// # Errors
    ///
    /// [`GenerateError`].
    fn generate(
        &mut self,
        attempts: &[Attempt],
        stop: &dyn Fn() -> bool,
    ) -> Result<Option<Vec<Picture>>, GenerateError>;

    /// Attempts per call that serve best, and at most.
    fn batch(&self) -> usize;

    /// Captions met so far that were longer than the model reads.
    fn truncated(&self) -> Vec<&str> {
        Vec::new()
    }
}
