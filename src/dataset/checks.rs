//! Everything that must hold of a data set, whatever it was read from.

use std::borrow::Cow;
use std::collections::HashMap;
use std::collections::hash_map::{Entry, RandomState};
use std::hash::BuildHasher as _;

use unicode_normalization::UnicodeNormalization as _;

use super::classes::composed;
use super::{Dataset, DatasetError, Example};

/// How far from 1 the sum of probabilities may be: tables often round to 3 or 4 digits.
const SUM_TOLERANCE: f32 = 0.02;

/// The longest class name, in bytes: folder names may have 255, and files add to it.
const MAX_CLASS_BYTES: usize = 200;

/// Checks a whole data set; `place` says where the example of an index was read.
pub(super) fn check(
    dataset: &Dataset,
    place: impl Fn(usize) -> String,
) -> Result<(), DatasetError> {
    class_names(&dataset.classes)?;
    let classes = dataset.classes.len();
    for (index, example) in dataset.examples.iter().enumerate() {
        let here = || place(index);
        id(&example.id, here)?;
        path(&example.path, here)?;
        class(example.label, "label", classes, here)?;
        outputs(example, &dataset.classes, here)?;
    }
    let ids = dataset.examples.iter().map(|example| example.id.as_str());
    unique_ids(ids, place)
}

/// Checks that an index is that of a class.
fn class(
    index: usize,
    what: &'static str,
    classes: usize,
    place: impl Fn() -> String,
) -> Result<(), DatasetError> {
    if index < classes {
        return Ok(());
    }
    Err(DatasetError::ClassOutOfRange {
        place: place(),
        what,
        index,
        classes,
    })
}

/// Checks what the model says of an example against the classes.
pub(super) fn outputs(
    example: &Example,
    classes: &[String],
    place: impl Fn() -> String + Copy,
) -> Result<(), DatasetError> {
    if let Some(prediction) = example.prediction {
        class(prediction, "prediction", classes.len(), place)?;
    }
    if let Some(value) = example.confidence {
        confidence(value, place)?;
    }
    if let Some(values) = &example.probabilities {
        probabilities(values, classes, place)?;
    }
    Ok(())
}

/// Checks that class names are readable, and stay different in the names of folders. What no folder can be called is
/// no fault of a class: folders get another name ([`super::slug`]).
pub(super) fn class_names(names: &[String]) -> Result<(), DatasetError> {
    let mut seen: HashMap<Cow<'_, str>, &String> = HashMap::with_capacity(names.len());
    for name in names {
        if let Some(reason) = bad_class_name(name) {
            let name = name.clone();
            let first = None;
            return Err(DatasetError::BadClassName {
                first,
                name,
                reason,
            });
        }
        if let Some(first) = seen.insert(fold(name), name) {
            return Err(DatasetError::ClashingClasses {
                first: first.clone(),
                second: name.clone(),
            });
        }
    }
    Ok(())
}

/// Why a text cannot be a class name.
fn bad_class_name(name: &str) -> Option<&'static str> {
    if name.is_empty() {
        return Some("is empty");
    }
    if name.len() > MAX_CLASS_BYTES {
        return Some("is longer than 200 bytes");
    }
    if name.contains(char::is_control) {
        return Some("holds a control character");
    }
    (name.starts_with(char::is_whitespace) || name.ends_with(char::is_whitespace))
        .then_some("starts or ends with a space")
}

/// Checks one id by itself.
pub(super) fn id(id: &str, place: impl Fn() -> String) -> Result<(), DatasetError> {
    let reason = if id.is_empty() {
        "is empty"
    } else if id.contains(char::is_control) {
        "holds a control character"
    } else {
        return Ok(());
    };
    Err(DatasetError::BadId {
        place: place(),
        id: id.to_owned(),
        reason,
    })
}

/// Checks that no two ids are the same to a reader: `a.png` and `A.PNG` are two files, as torchvision has it.
pub(super) fn unique_ids<'a>(
    ids: impl Iterator<Item = &'a str>,
    place: impl Fn(usize) -> String,
) -> Result<(), DatasetError> {
    // Hashes alone: a million composed ids would take more memory than the examples.
    let state = RandomState::new();
    let ids: Vec<&str> = ids.collect();
    let mut hashes: Vec<(u64, usize)> = ids
        .iter()
        .enumerate()
        .map(|(index, id)| (state.hash_one(composed(id)), index))
        .collect();
    hashes.sort_unstable();
    let same = hashes
        .chunk_by(|a, b| a.0 == b.0)
        .filter(|same| same.len() > 1);
    let mut again: Option<(usize, usize)> = None;
    for same in same {
        let mut seen: HashMap<String, usize> = HashMap::new();
        for &(_, index) in same {
            match seen.entry(composed(ids[index])) {
                Entry::Vacant(entry) => {
                    entry.insert(index);
                }
                Entry::Occupied(first) if again.is_none_or(|(_, second)| index < second) => {
                    again = Some((*first.get(), index));
                }
                Entry::Occupied(_) => {}
            }
        }
    }
    match again {
        None => Ok(()),
        Some((first, second)) => Err(DatasetError::DuplicateId {
            first: place(first),
            first_id: ids[first].to_owned(),
            second: place(second),
            second_id: ids[second].to_owned(),
        }),
    }
}

/// Equal for names that a file system may hold to be one: composed, without case.
fn fold(name: &str) -> Cow<'_, str> {
    if name.is_ascii() {
        let lower = !name.bytes().any(|byte| byte.is_ascii_uppercase());
        return if lower {
            name.into()
        } else {
            name.to_ascii_lowercase().into()
        };
    }
    // By way of upper case, so that ß meets ss and final sigma meets sigma.
    let upper: String = name.nfc().flat_map(char::to_uppercase).collect();
    let lower: String = upper.chars().flat_map(char::to_lowercase).nfc().collect();
    lower.into()
}

/// Checks that a path is relative and stays below the root.
pub(super) fn path(path: &str, place: impl Fn() -> String) -> Result<(), DatasetError> {
    let drive = matches!(path.as_bytes(), [b'a'..=b'z' | b'A'..=b'Z', b':', ..]);
    let reason = if path.is_empty() {
        "is empty"
    } else if path.contains(char::is_control) {
        "holds a control character"
    } else if path.contains('\\') {
        "holds a backslash"
    } else if path.contains("://") {
        "is a URL"
    } else if path.starts_with('/') || drive {
        "is absolute"
    } else if path.split('/').any(|part| part == "..") {
        "leaves the root"
    } else if path.split('/').any(|part| part.is_empty() || part == ".") {
        "has an empty part or a single dot"
    } else {
        return Ok(());
    };
    Err(DatasetError::BadPath {
        place: place(),
        path: path.to_owned(),
        reason,
    })
}

/// Checks the probability of a prediction.
pub(super) fn confidence(value: f32, place: impl Fn() -> String) -> Result<(), DatasetError> {
    probability(value, || "confidence".to_owned(), place)
}

fn probability(
    value: f32,
    what: impl Fn() -> String,
    place: impl Fn() -> String,
) -> Result<(), DatasetError> {
    // False for NaN too.
    if (0.0..=1.0).contains(&value) {
        return Ok(());
    }
    Err(DatasetError::NotAProbability {
        place: place(),
        what: what(),
        value,
    })
}

/// Checks the probabilities of all classes.
pub(super) fn probabilities(
    values: &[f32],
    classes: &[String],
    place: impl Fn() -> String,
) -> Result<(), DatasetError> {
    if values.len() != classes.len() {
        return Err(DatasetError::ProbabilityCount {
            place: place(),
            found: values.len(),
            classes: classes.len(),
        });
    }
    for (value, class) in values.iter().zip(classes) {
        probability(*value, || format!("probability of {class:?}"), &place)?;
    }
    let sum: f32 = values.iter().sum();
    if (sum - 1.0).abs() > SUM_TOLERANCE {
        return Err(DatasetError::ProbabilitySum {
            place: place(),
            sum,
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> String {
        "line 2".to_owned()
    }

    #[test]
    fn class_names_that_cannot_be_read_are_refused_and_what_no_folder_is_called_is_not() {
        let long = "x".repeat(300);
        for name in ["", "a ", " a", "a\0b", "a\nb", &long] {
            let error = class_names(&[name.to_owned()]).unwrap_err();
            assert!(
                matches!(error, DatasetError::BadClassName { .. }),
                "{name:?}: {error:?}"
            );
        }
        let good = [
            "cat",
            "Röhre",
            "🦊",
            "n01440764",
            "com",
            "COM10",
            "tench, Tinca tinca",
            "T - shirt / top",
            "a\\b",
            "../x",
            "CON",
            ".hidden",
            "5:00",
        ];
        class_names(&good.map(str::to_owned)).unwrap();
    }

    #[test]
    fn names_that_meet_on_some_file_systems_clash() {
        for (first, second) in [
            ("Cat", "cat"),
            ("caf\u{e9}", "cafe\u{301}"),
            ("STRASSE", "straße"),
            ("ὀδός", "ὈΔΌΣ"),
        ] {
            let error = class_names(&[first.to_owned(), second.to_owned()]).unwrap_err();
            assert!(
                matches!(error, DatasetError::ClashingClasses { .. }),
                "{error:?}"
            );
        }
        let ids = |ids: [&'static str; 3]| unique_ids(ids.into_iter(), |i| format!("line {i}"));
        let error = ids(["caf\u{e9}", "other", "cafe\u{301}"]).unwrap_err();
        let DatasetError::DuplicateId { first, second, .. } = error else {
            panic!("not a duplicate");
        };
        assert_eq!((first.as_str(), second.as_str()), ("line 0", "line 2"));
        ids(["a.png", "other", "A.PNG"]).unwrap();
    }

    #[test]
    fn paths_stay_below_the_root() {
        for bad in [
            "",
            "/etc/passwd",
            "../a.jpg",
            "a/../../b.jpg",
            "a/..",
            "C:/a.jpg",
            "c:a.jpg",
            "file:///a.jpg",
            "a\\b.jpg",
            "a\0.jpg",
            "a//b.jpg",
            "./a.jpg",
        ] {
            let error = path(bad, place).unwrap_err();
            assert!(
                matches!(error, DatasetError::BadPath { .. }),
                "{bad:?}: {error:?}"
            );
        }
        for good in [
            "a.jpg",
            "train/cat/a..b.jpg",
            "train/..cat/1.png",
            "🦊/1.png",
        ] {
            path(good, place).unwrap();
        }
    }

    #[test]
    fn probabilities_are_probabilities() {
        let classes = ["a".to_owned(), "b".to_owned()];
        probabilities(&[0.333, 0.666], &classes, place).unwrap();
        let error = probabilities(&[1.0], &classes, place).unwrap_err();
        assert!(matches!(
            error,
            DatasetError::ProbabilityCount {
                found: 1,
                classes: 2,
                ..
            }
        ));
        for bad in [[3.5, -2.5], [f32::NAN, 1.0], [f32::INFINITY, 0.0]] {
            let error = probabilities(&bad, &classes, place).unwrap_err();
            assert!(
                matches!(error, DatasetError::NotAProbability { .. }),
                "{error:?}"
            );
        }
        let error = probabilities(&[0.9, 0.9], &classes, place).unwrap_err();
        assert!(
            matches!(error, DatasetError::ProbabilitySum { .. }),
            "{error:?}"
        );
        assert!(confidence(1.01, place).is_err());
    }

    #[test]
    fn ids_are_text_of_one_line() {
        for bad in ["", "a\nb", "a\0"] {
            assert!(
                matches!(id(bad, place), Err(DatasetError::BadId { .. })),
                "{bad:?}"
            );
        }
    }
}
