//! Tables of doubts: likely label errors, duplicates, warnings.

use super::{Field, TableError, encode};
use crate::direction::doubt::Warning;
use crate::report::doubts::{Duplicate, LabelErrors};

/// `label_errors.csv`.
pub(super) fn label_errors(found: &LabelErrors) -> Result<Vec<u8>, TableError> {
    const NAMES: [&str; 8] = [
        "id",
        "path",
        "split",
        "label",
        "likely",
        "confidence",
        "votes",
        "alignment",
    ];
    let rows: Vec<Vec<Field>> = found
        .examples
        .iter()
        .map(|e| {
            let votes: Vec<String> = e.votes.iter().map(usize::to_string).collect();
            vec![
                e.id.as_str().into(),
                e.path.as_str().into(),
                e.split.into(),
                e.label.as_str().into(),
                e.likely.as_str().into(),
                e.confidence.map(f64::from).into(),
                votes.join(" ").as_str().into(),
                e.alignment.into(),
            ]
        })
        .collect();
    encode(&NAMES, &rows)
}

/// `duplicates.csv`.
pub(super) fn duplicates(pairs: &[Duplicate]) -> Result<Vec<u8>, TableError> {
    const NAMES: [&str; 7] = [
        "id",
        "split",
        "label",
        "also",
        "also_split",
        "also_label",
        "same",
    ];
    let rows: Vec<Vec<Field>> = pairs
        .iter()
        .map(|pair| {
            vec![
                pair.id.as_str().into(),
                pair.split.into(),
                pair.label.as_str().into(),
                pair.also.as_str().into(),
                pair.also_split.into(),
                pair.also_label.as_str().into(),
                pair.same.name().into(),
            ]
        })
        .collect();
    encode(&NAMES, &rows)
}

/// `warnings.csv`.
pub(super) fn warnings(warnings: &[Warning]) -> Result<Vec<u8>, TableError> {
    let rows: Vec<Vec<Field>> = warnings
        .iter()
        .map(|warning| {
            vec![
                warning.kind.name().into(),
                warning.class.as_deref().into(),
                warning.mode.map(|mode| mode as usize).into(),
                warning.bars.into(),
                warning.text.as_str().into(),
            ]
        })
        .collect();
    encode(&["kind", "class", "mode", "bars", "text"], &rows)
}
