//! The model that draws.

use crate::generate::ImageGenerator;

/// Who draws, with what a run writes down besides recipes.
pub struct Generator {
    /// Turns recipes into pictures.
    pub images: Box<dyn ImageGenerator>,
    /// A hash of the model's safety checker, where it is asked.
    pub safety: Option<String>,
}
