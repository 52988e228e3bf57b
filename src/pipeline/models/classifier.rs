//! The classifier that is analysed.

use crate::embed::ImageEncoder;
#[cfg(feature = "torch")]
use crate::run::features::{Analysed, Logits};

/// A classifier as the stages see it: logits, perhaps features, perhaps class names.
pub trait Classifier {
    /// Logits an image.
    fn outputs(&self) -> usize;

    /// The class of each logit by name, where the model knows names.
    fn classes(&self) -> Option<&[String]>;

    /// Its logits, as an encoder, so that they are cached as embeddings are.
    fn logits(&self) -> Box<dyn ImageEncoder + '_>;

    /// Its penultimate layer as an encoder; none if it gives logits alone.
    fn features(&self) -> Option<&dyn ImageEncoder>;

    /// A hash of the model and its preprocessing.
    fn fingerprint(&self) -> &str;
}

#[cfg(feature = "torch")]
impl Classifier for Analysed {
    fn outputs(&self) -> usize {
        Self::outputs(self)
    }

    fn classes(&self) -> Option<&[String]> {
        self.as_cnn().map(|cnn| cnn.config().classes.as_slice())
    }

    fn logits(&self) -> Box<dyn ImageEncoder + '_> {
        Box::new(Logits::new(self))
    }

    fn features(&self) -> Option<&dyn ImageEncoder> {
        self.has_features().then_some(self)
    }

    fn fingerprint(&self) -> &str {
        ImageEncoder::fingerprint(self)
    }
}
