//! Predictions from scores, by a threshold.

use super::error::Error;
use super::settings::Data;
use crate::dataset::{self, Dataset, Layout, ScoreRule, Threshold};

/// Gives scored examples their predictions, by the rule of the settings or the data's own; none where
/// there are no scores and no rule. The data set is taken, and one of the same examples given back.
pub(super) fn threshold(
    dataset: Dataset,
    data: &Data,
    default: Option<ScoreRule>,
) -> Result<(Dataset, Option<Threshold>), Error> {
    let scored = dataset
        .examples()
        .iter()
        .filter(|e| e.score.is_some())
        .count();
    let own = data.dataset.and_then(Layout::score_rule).or(default);
    match data.score_threshold.or(own) {
        Some(_) if scored == 0 && data.score_threshold.is_none() => Ok((dataset, None)),
        Some(rule) => {
            let (dataset, threshold) = dataset::apply_threshold(dataset, rule)?;
            Ok((dataset, Some(threshold)))
        }
        None if scored == 0 => Ok((dataset, None)),
        None => {
            let text = format!(
                "{scored} examples have a score in place of a prediction: say --score-threshold f1 \
                 (the highest F1 on val), or a number"
            );
            Err(Error::usage(text))
        }
    }
}
