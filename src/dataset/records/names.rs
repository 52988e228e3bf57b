//! The columns that readers ask for, and what people call them.

use std::collections::HashMap;
use std::path::Path;

/// What the name of a column with one class's probability begins with.
pub(in crate::dataset) const PROBABILITY_PREFIX: &str = "probability_";

/// The columns that a table may have, each with other names that mean nothing else. `prob`, `probability` and
/// `score` are not among those of `confidence`: of two classes they are mostly the probability of the second.
const COLUMNS: [(&str, &[&str]); 13] = [
    // These where there is no path beside them, for what else may they be.
    ("id", &["image_id", "img_id", "sample_id", "example_id"]),
    (
        "path",
        &[
            "image_path",
            "img_path",
            "imagepath",
            "image_file",
            "image_name",
            "img_name",
            "filepath",
            "file_path",
            "filename",
            "file_name",
            "file",
            "fname",
            "image",
            "img",
        ],
    ),
    (
        "label",
        &[
            "labels",
            "true_label",
            "target",
            "y_true",
            "gt",
            "ground_truth",
            "class",
            "class_name",
            "category",
        ],
    ),
    ("split", &["subset", "partition", "set", "phase"]),
    (
        "prediction",
        &[
            "pred",
            "preds",
            "predicted",
            "predictions",
            "y_pred",
            "yhat",
            "y_hat",
            "predicted_label",
            "pred_label",
            "prediction_label",
            "predicted_class",
            "pred_class",
            "prediction_class",
            "argmax",
            "top1",
        ],
    ),
    (
        "prediction_name",
        &[
            "pred_name",
            "predicted_name",
            "predicted_class_name",
            "pred_class_name",
        ],
    ),
    (
        "prediction_index",
        &[
            "pred_index",
            "pred_idx",
            "prediction_idx",
            "predicted_index",
            "predicted_idx",
            "pred_id",
            "prediction_id",
        ],
    ),
    (
        "confidence",
        &[
            "conf",
            "confidences",
            "max_prob",
            "max_probability",
            "pred_conf",
            "prediction_confidence",
        ],
    ),
    (
        "probabilities",
        &["probs", "probas", "softmax", "class_probabilities"],
    ),
    ("logits", &["raw_logits"]),
    ("score", &[]),
    ("group", &[]),
    ("unit", &[]),
];

/// The columns of a table: what there is, and which of it is meant by the names that readers use.
#[derive(Debug)]
pub(in crate::dataset) struct Columns {
    names: Vec<String>,
    indices: HashMap<String, usize>,
    /// Of columns that are absent by their own name: those that are called something like it.
    other: HashMap<&'static str, Vec<usize>>,
}

impl Columns {
    pub(in crate::dataset) fn new(names: Vec<String>) -> Self {
        let indices: HashMap<String, usize> = names.iter().cloned().zip(0..).collect();
        let plain: Vec<String> = names.iter().map(|name| plain(name)).collect();
        let own = |name: &str| COLUMNS.iter().any(|(column, _)| *column == name);
        let mut other: HashMap<&'static str, Vec<usize>> = HashMap::new();
        for (column, aliases) in COLUMNS {
            if indices.contains_key(column) {
                continue;
            }
            let like = plain.iter().enumerate().filter(|(index, name)| {
                !own(&names[*index]) && (*name == column || aliases.contains(&name.as_str()))
            });
            let like: Vec<usize> = like.map(|(index, _)| index).collect();
            if !like.is_empty() {
                other.insert(column, like);
            }
        }
        if indices.contains_key("path") || other.contains_key("path") {
            other.remove("id");
        }
        Self {
            names,
            indices,
            other,
        }
    }

    /// All of them, in file order.
    pub(super) fn names(&self) -> &[String] {
        &self.names
    }

    /// Where a column stands: by its own name, or by the one name like it.
    pub(super) fn index(&self, column: &str) -> Option<usize> {
        let own = self.indices.get(column).copied();
        own.or_else(|| match self.other.get(column)?.as_slice() {
            [index] => Some(*index),
            _ => None,
        })
    }

    /// The names that could each be the column's, where there are several.
    pub(super) fn several(&self, column: &str) -> Option<Vec<String>> {
        let like = self.other.get(column).filter(|like| like.len() > 1)?;
        Some(
            like.iter()
                .map(|&index| self.names[index].clone())
                .collect(),
        )
    }

    /// Whether a column by this name is read.
    pub(in crate::dataset) fn is_read(&self, name: &str) -> bool {
        name.starts_with(PROBABILITY_PREFIX)
            || COLUMNS
                .iter()
                .any(|(column, _)| self.is_called(column, name))
    }

    /// Whether a column is the one that is meant by a reader's name for it.
    pub(in crate::dataset) fn is_called(&self, column: &str, name: &str) -> bool {
        self.index(column).is_some_and(|at| self.names[at] == name)
    }

    /// Which columns were taken for which, and which were passed over where some were.
    pub(in crate::dataset) fn sentences(&self, path: &Path) -> Vec<String> {
        let taken: Vec<String> = COLUMNS
            .iter()
            .filter(|(column, _)| !self.indices.contains_key(*column))
            .filter_map(|(column, _)| {
                let name = &self.names[self.index(column)?];
                Some(format!("{name:?} as {column}"))
            })
            .collect();
        if taken.is_empty() {
            return Vec::new();
        }
        let mut text = format!("{}: reads column {}", path.display(), taken.join(", "));
        let passed = self
            .names
            .iter()
            .filter(|name| !name.is_empty() && !self.is_read(name));
        let passed: Vec<String> = passed.map(|name| format!("{name:?}")).collect();
        if !passed.is_empty() {
            text.push_str("; passes over ");
            text.push_str(&passed.join(", "));
        }
        vec![text]
    }

    /// How many of some names are those of columns that are read.
    pub(super) fn known(names: &[String]) -> usize {
        let known = |name: &&String| {
            let plain = plain(name);
            plain.starts_with(PROBABILITY_PREFIX)
                || COLUMNS
                    .iter()
                    .any(|(column, aliases)| *column == plain || aliases.contains(&plain.as_str()))
        };
        names.iter().filter(known).count()
    }
}

/// A name without what people write differently.
fn plain(name: &str) -> String {
    let name = name.trim().to_lowercase();
    name.replace([' ', '-', '.'], "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(names: &[&str]) -> Columns {
        Columns::new(names.iter().map(|&name| name.to_owned()).collect())
    }

    #[test]
    fn other_names_are_taken_and_said() {
        let found = columns(&["", "Image_Path", "pred", "label", "conf", "epoch"]);
        assert_eq!(found.index("path"), Some(1));
        assert_eq!(found.index("prediction"), Some(2));
        assert_eq!(found.index("confidence"), Some(4));
        assert_eq!(
            found.sentences(Path::new("p.csv")),
            [
                "p.csv: reads column \"Image_Path\" as path, \"pred\" as prediction, \"conf\" as \
                 confidence; passes over \"epoch\""
            ]
        );
        assert!(
            columns(&["path", "prediction", "epoch"])
                .sentences(Path::new("p"))
                .is_empty()
        );
    }

    #[test]
    fn a_columns_own_name_counts_and_two_others_are_not_chosen_between() {
        let found = columns(&["path", "file", "pred", "y_pred"]);
        assert_eq!(found.index("path"), Some(0));
        assert_eq!(found.index("prediction"), None);
        assert_eq!(found.several("prediction").unwrap(), ["pred", "y_pred"]);
        // Of two classes it is mostly the probability of the second.
        assert_eq!(
            columns(&["probability", "score", "prob"]).index("confidence"),
            None
        );
    }
}
