//! Near-copies: images that are nearly the one they started from.
//!
//! The measures are those of near-duplicates ([`duplicate`](super::duplicate)), of one pair. A start keeps the layout of
//! its picture, so it has thresholds of its own; and it is left out of the images that near-duplicates are sought
//! among, or every picture that stays near to its start would be called a duplicate.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::duplicate::KeptImages;
use super::{Filter, Measures, Policy, Reason};

/// What counts as a near-copy of the image that a picture started from.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CopyOptions {
    /// Whether near-copies are rejected.
    pub reject: bool,
    /// Cosine of embeddings from which a picture may be one.
    pub similarity: f64,
    /// Correlation of thumbnails from which it is one.
    pub thumbnail: f64,
}

impl Default for CopyOptions {
    fn default() -> Self {
        Self {
            reject: true,
            similarity: 0.95,
            thumbnail: 0.99,
        }
    }
}

/// How like a picture is to the image that it started from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StartLikeness {
    /// Id of the image.
    pub id: String,
    /// Cosine of the two embeddings.
    pub similarity: f64,
    /// Correlation of the two thumbnails.
    pub correlation: f64,
}

/// Rejects near-copies.
#[derive(Debug, Clone, Copy)]
pub struct CopyOfStart {
    options: CopyOptions,
}

impl CopyOfStart {
    /// As the policy has it.
    pub fn new(policy: &Policy) -> Self {
        let options = policy.copy;
        Self { options }
    }
}

impl Filter for CopyOfStart {
    fn reject(&self, measures: &Measures, _kept: &KeptImages) -> Option<Reason> {
        let CopyOptions {
            reject,
            similarity,
            thumbnail,
        } = self.options;
        let start = measures.start.as_ref().filter(|_| reject)?;
        let copy = start.similarity >= similarity && start.correlation >= thumbnail;
        copy.then(|| Reason::CopyOfStart {
            of: start.id.clone(),
            similarity: start.similarity,
            correlation: start.correlation,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::tests::{measures, policy};

    #[test]
    fn a_copy_reaches_both_thresholds_and_may_be_let_through() {
        let reason = |options: CopyOptions, similarity: f64, correlation: f64| {
            let policy = Policy {
                copy: options,
                ..policy()
            };
            let start = StartLikeness {
                id: "train/cat".to_owned(),
                similarity,
                correlation,
            };
            let measures = Measures {
                start: Some(start),
                ..measures()
            };
            CopyOfStart::new(&policy).reject(&measures, &KeptImages::default())
        };
        let options = CopyOptions::default();
        let found = reason(options, 0.97, 0.995).unwrap();
        assert_eq!(found.name(), "copy-of-start");
        assert_eq!(found.duplicate_of(), Some("train/cat"));
        assert_eq!(reason(options, 0.94, 0.995), None);
        assert_eq!(reason(options, 0.97, 0.98), None);
        let lax = CopyOptions {
            reject: false,
            ..options
        };
        assert_eq!(reason(lax, 1.0, 1.0), None);
        // One that started from noise copies nothing.
        let filter = CopyOfStart::new(&policy());
        assert_eq!(filter.reject(&measures(), &KeptImages::default()), None);
    }
}
