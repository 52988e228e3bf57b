//! From captions to pictures: recipes, an ordered plan of attempts, and who makes them.
//!
//! - [`recipe`]: how an image is made, as one record; its hash is the image's name.
//! - [`originals`]: the images that recipes start from.
//! - [`plan`]: what to attempt, in which order, with which seed; pure arithmetic.
//! - [`ImageGenerator`]: who turns recipes into pictures; [`stable_diffusion`] is the real one, and
//!   [`conformance`] says what each of them promises.
//! - [`sampling`]: the one loop in which pictures are made.

pub mod conformance;
pub mod originals;
pub mod plan;
pub mod recipe;
pub mod sampling;
#[cfg(feature = "torch")]
pub mod stable_diffusion;

use image::RgbImage;
use ndarray::Array3;

use crate::io::{Classified, ErrorKind};

pub use self::originals::{OriginalError, Originals};
pub use self::plan::{Arm, Attempt, ImageStarts, ModePlan};
pub use self::recipe::{AttemptId, MadeOn, Recipe, Start};

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
    /// The image that a recipe starts from is not to be had.
    #[error(transparent)]
    Original(#[from] OriginalError),
    /// A recipe is not one of this generator's.
    #[error(
        "{field} of the recipe is {wanted}, this generator's is {found}: give the model and settings \
         that the image was made with"
    )]
    OtherRecipe {
        /// What differs.
        field: &'static str,
        /// What the recipe says.
        wanted: String,
        /// What there is.
        found: String,
    },
    /// A generator gave another number of pictures than it was asked for.
    #[error("the generator gave {given} pictures for {asked} recipes")]
    Count {
        /// Recipes.
        asked: usize,
        /// Pictures.
        given: usize,
    },
}

impl Classified for GenerateError {
    fn kind(&self) -> ErrorKind {
        match self {
            #[cfg(feature = "torch")]
            Self::Pipeline(error) => error.kind(),
            Self::Embed(error) => error.kind(),
            Self::Original(error) => error.kind(),
            Self::OtherRecipe { .. } => ErrorKind::Input,
            Self::Count { .. } => ErrorKind::Other,
        }
    }
}

/// A generated picture.
#[derive(Debug, Clone, PartialEq)]
pub struct GeneratedImage {
    /// The pixels.
    pub image: RgbImage,
    /// Whether every pixel was a finite number before rounding.
    pub finite: bool,
    /// Whether the model's safety checker objects.
    pub flagged: bool,
    /// Final latents `[channels, h, w]` before the division by the VAE's scaling factor, where the
    /// generator was asked to keep them.
    pub latents: Option<Array3<f32>>,
}

/// Turns recipes into pictures.
///
/// A picture depends on its own recipe, never on the other recipes of a call, their order or their
/// number; [`conformance::check`] holds an implementation to it.
pub trait ImageGenerator {
    /// A recipe with all settings of this generator, without caption and seed.
    fn template(&self) -> &Recipe;

    /// Makes a picture for every recipe, in order; none if `stop` asked to end in between.
    ///
    /// # Errors
    ///
    /// [`GenerateError`]; [`GenerateError::OtherRecipe`] for a recipe with other settings than
    /// [`template`](Self::template).
    fn generate(
        &mut self,
        recipes: &[Recipe],
        stop: &dyn Fn() -> bool,
    ) -> Result<Option<Vec<GeneratedImage>>, GenerateError>;

    /// Where pictures are made; its batch is how many recipes a call should have, and at most.
    fn made_on(&self) -> MadeOn;

    /// The images that its recipes may start from; none for a generator that starts from noise alone.
    fn originals(&mut self) -> Option<&mut Originals> {
        None
    }

    /// Captions met so far that were longer than the model reads.
    fn truncated(&self) -> Vec<&str> {
        Vec::new()
    }
}
