//! Whether the splits of a data set are about the same classes.

use std::collections::BTreeMap;

use super::{Contradiction, Dataset, DatasetError, Split};

/// The most names that a sentence lists.
const SHOWN: usize = 8;

/// Compares the classes of every split with those of train, or of the first split where there is no train: a
/// sentence for each that differs.
///
/// # Errors
///
/// [`Contradiction::Disjoint`] for two of train, val and test that have no class in common.
pub fn compare_splits(dataset: &Dataset) -> Result<Vec<String>, DatasetError> {
    let mut counts: BTreeMap<Split, Vec<usize>> = BTreeMap::new();
    for example in dataset.examples() {
        let counts = counts.entry(example.split);
        counts.or_insert_with(|| vec![0; dataset.classes().len()])[example.label] += 1;
    }
    let mut counts = counts.into_iter();
    let Some((first, of_first)) = counts.next() else {
        return Ok(Vec::new());
    };
    let mut sentences = Vec::new();
    for (split, of_split) in counts {
        let only = |these: &[usize], others: &[usize]| -> Vec<String> {
            let pairs = these.iter().zip(others).zip(dataset.classes());
            pairs
                .filter(|((these, others), _)| **these > 0 && **others == 0)
                .map(|(_, class)| class.clone())
                .collect()
        };
        let (more, lacking) = (only(&of_split, &of_first), only(&of_first, &of_split));
        let shared = of_split
            .iter()
            .zip(&of_first)
            .any(|(a, b)| *a > 0 && *b > 0);
        if !shared && split != Split::Pool {
            return Err(Contradiction::Disjoint {
                first: first.to_string(),
                second: split.to_string(),
                of_first: listed(&lacking),
                of_second: listed(&more),
            }
            .into());
        }
        let mut parts = Vec::new();
        if !more.is_empty() {
            parts.push(format!("has {} that {first} has not", listed(&more)));
        }
        // More images of some classes are a fine pool.
        if !lacking.is_empty() && split != Split::Pool {
            parts.push(format!("lacks {} of {first}", listed(&lacking)));
        }
        if !parts.is_empty() {
            sentences.push(format!(
                "the classes of {split} are not those of {first}: it {}",
                parts.join(", and ")
            ));
        }
    }
    Ok(sentences)
}

fn listed(names: &[String]) -> String {
    let shown: Vec<String> = names
        .iter()
        .take(SHOWN)
        .map(|name| format!("{name:?}"))
        .collect();
    let shown = shown.join(", ");
    match names.len().checked_sub(SHOWN) {
        None | Some(0) => shown,
        Some(more) => format!("{shown} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::dataset::Example;

    /// What is said of splits with these labels of cat, dog, fox.
    fn said(rows: &[(Split, &[usize])]) -> Result<Vec<String>, DatasetError> {
        let examples = rows.iter().flat_map(|(split, labels)| {
            let example = move |(at, label): (usize, &usize)| {
                Example::new(format!("{split}/{at}"), *label, *split)
            };
            labels.iter().enumerate().map(example)
        });
        let classes = ["cat", "dog", "fox"].map(str::to_owned).to_vec();
        compare_splits(&Dataset::new(PathBuf::new(), classes, examples.collect()).unwrap())
    }

    #[test]
    fn classes_that_one_split_has_alone_are_named() {
        let (train, val, pool) = (Split::Train, Split::Val, Split::Pool);
        assert!(
            said(&[(train, &[0, 1]), (val, &[1, 0, 0])])
                .unwrap()
                .is_empty()
        );
        assert_eq!(
            said(&[(train, &[0, 1]), (val, &[1, 2])]).unwrap(),
            [
                "the classes of val are not those of train: it has \"fox\" that train has not, and lacks \"cat\" of train"
            ]
        );
        assert!(said(&[(train, &[0, 1]), (pool, &[1])]).unwrap().is_empty());
        assert_eq!(said(&[(train, &[0]), (pool, &[2])]).unwrap().len(), 1);
        assert!(said(&[(train, &[]), (val, &[2])]).unwrap().is_empty());
        let error = said(&[(train, &[0, 1]), (val, &[2])]).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("val has \"fox\", none in common"),
            "{error}"
        );
    }
}
