//! What a generated image says of itself.

use serde_json::Value;

use super::Parameters;

/// What a file says about its image.
#[derive(Debug, Clone, PartialEq)]
pub struct Marks {
    /// How it was made.
    pub parameters: Parameters,
    /// Our own JSON: schema, run id, item id, hashes.
    pub hardlight: Value,
    /// Where the pixels come from.
    pub source: DigitalSource,
}

/// Where the pixels come from, in the words of the IPTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DigitalSource {
    /// A trained model made them from text.
    TrainedAlgorithmicMedia,
    /// A trained model changed a photograph.
    CompositeWithTrainedAlgorithmicMedia,
    /// A program drew them.
    AlgorithmicMedia,
}

impl DigitalSource {
    /// Its name in the vocabulary `http://cv.iptc.org/newscodes/digitalsourcetype/`.
    pub fn name(self) -> &'static str {
        match self {
            Self::TrainedAlgorithmicMedia => "trainedAlgorithmicMedia",
            Self::CompositeWithTrainedAlgorithmicMedia => "compositeWithTrainedAlgorithmicMedia",
            Self::AlgorithmicMedia => "algorithmicMedia",
        }
    }

    /// Its address, as XMP and the manifest write it.
    pub fn uri(self) -> String {
        format!(
            "http://cv.iptc.org/newscodes/digitalsourcetype/{}",
            self.name()
        )
    }
}
