//! The model that draws.

use crate::generate::ImageGenerator;

/// Who draws, with what a run writes down of it.
pub struct Generator {
    /// Turns attempts into pictures.
    pub images: Box<dyn ImageGenerator>,
    /// The model's name in files.
    pub name: String,
    /// A hash of the model, its adapters included.
    pub fingerprint: String,
    /// The scheduler that the settings and the model's folder come to.
    pub scheduler: String,
    /// A hash of the model's safety checker, where it is asked.
    pub safety: Option<String>,
}
