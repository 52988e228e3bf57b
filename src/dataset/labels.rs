//! Labels of rows, and the classes that they make.

use std::collections::{BTreeSet, HashMap};

use super::classes::{Classes, composed, whole};
use super::missing::is_missing;
use super::{Contradiction, DatasetError, Layout, Remarks};

/// Distinct labels in order of appearance, in composed form.
#[derive(Debug, Default)]
pub(super) struct Labels {
    texts: Vec<String>,
    indices: HashMap<String, usize>,
}

/// The classes of a data set, and which of them its labels are.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) classes: Vec<String>,
    /// The class of every text; none for one that is not among the classes.
    pub(super) of_text: Vec<Option<usize>>,
    /// Whether labels count the classes that were given.
    pub(super) by_index: bool,
}

impl Labels {
    /// The index of a text, which is added if it is new.
    pub(super) fn index(&mut self, text: &str) -> usize {
        let text = composed(text);
        if let Some(&index) = self.indices.get(&text) {
            return index;
        }
        let index = self.texts.len();
        self.texts.push(text.clone());
        self.indices.insert(text, index);
        index
    }

    /// The texts by index.
    pub(super) fn texts(&self) -> &[String] {
        &self.texts
    }

    /// Whether a text stands for no label: it says so, and no class is given by that name.
    pub(super) fn is_missing(text: &str, given: Option<&[String]>) -> bool {
        is_missing(text) && !given.is_some_and(|given| given.iter().any(|name| name == text.trim()))
    }

    /// The classes: those that were given, else the labels in order.
    ///
    /// Whole numbers count the classes that were given, unless those are called by numbers.
    pub(super) fn found(&self, given: Option<&[String]>) -> Found {
        // pandas turns a column of whole numbers with a hole into 1.0, 2.0.
        let numbers: Option<Vec<i128>> = self.texts.iter().map(|text| whole(text)).collect();
        let real = self.texts.iter().any(|text| text.contains('.'));
        let plain: Vec<String> = match &numbers {
            Some(numbers) if real => numbers.iter().map(i128::to_string).collect(),
            _ => self.texts.clone(),
        };
        let classes = given.map_or_else(
            || in_order(plain.iter().map(String::as_str).collect()),
            <[String]>::to_vec,
        );
        let known = Classes::new(&classes);
        let of_text: Vec<Option<usize>> = plain.iter().map(|text| known.of_name(text)).collect();
        let named = of_text.iter().any(Option::is_some);
        if let (Some(numbers), false, Some(given)) = (numbers, named, given) {
            let index = |number: i128| usize::try_from(number).ok();
            let within = |number: i128| index(number).filter(|index| *index < given.len());
            let of_text = numbers.into_iter().map(within).collect();
            return Found {
                classes,
                of_text,
                by_index: true,
            };
        }
        Found {
            classes,
            of_text,
            by_index: false,
        }
    }
}

/// The data's own class names held against those that were given.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Arranged {
    pub(super) classes: Vec<String>,
    /// Where each of the data's own stands among them.
    pub(super) place: Vec<usize>,
}

/// Classes that the data names itself, in the order that was given, or under the names that were given.
///
/// # Errors
///
/// - [`Contradiction::ClassNames`] where some of the data's own are there and some are not.
/// - [`DatasetError::ClassCount`] where none is, and they are not as many.
pub(super) fn arranged(
    layout: Layout,
    own: Vec<String>,
    given: Option<&[String]>,
    remarks: &mut Remarks,
) -> Result<Arranged, DatasetError> {
    let place: Vec<usize> = (0..own.len()).collect();
    let Some(given) = given else {
        let classes = own;
        return Ok(Arranged { classes, place });
    };
    let known = Classes::new(given);
    let places: Vec<Option<usize>> = own.iter().map(|name| known.of_name(name)).collect();
    if let Some(place) = places.iter().copied().collect::<Option<Vec<usize>>>() {
        let classes = given.to_vec();
        return Ok(Arranged { classes, place });
    }
    let (there, lacking): (Vec<_>, Vec<_>) = own
        .iter()
        .zip(&places)
        .partition(|(_, place)| place.is_some());
    if there.is_empty() && given.len() == own.len() {
        if own != given {
            let pairs = own.iter().zip(given).take(6);
            let pairs: Vec<String> = pairs.map(|(own, name)| format!("{own} → {name}")).collect();
            let more = if own.len() > 6 { ", …" } else { "" };
            let pairs = pairs.join(", ");
            remarks.take(format!("data.classes renames the classes: {pairs}{more}"));
        }
        let classes = given.to_vec();
        return Ok(Arranged { classes, place });
    }
    if there.is_empty() {
        return Err(DatasetError::ClassCount {
            layout,
            found: given.len(),
            expected: own.len(),
        });
    }
    let names = |pairs: Vec<(&String, &Option<usize>)>| {
        let names = pairs.into_iter().map(|(name, _)| name.clone());
        names.collect::<Vec<String>>()
    };
    Err(Contradiction::ClassNames {
        known: names(there),
        lacking: names(lacking),
        own: own.clone(),
    }
    .into())
}

/// Class names sorted as strings, or as numbers where all are whole numbers in plain form.
pub(super) fn in_order(labels: BTreeSet<&str>) -> Vec<String> {
    let plain = |name: &str| {
        let number: u64 = name.parse().ok()?;
        (number.to_string() == name).then_some(number)
    };
    let numbers: Option<BTreeSet<u64>> = labels.iter().map(|name| plain(name)).collect();
    match numbers {
        Some(numbers) => numbers.iter().map(u64::to_string).collect(),
        None => labels.into_iter().map(str::to_owned).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    fn found(texts: &[&str], given: Option<&[&str]>) -> (Vec<String>, Vec<Option<usize>>, bool) {
        let mut labels = Labels::default();
        for text in texts {
            labels.index(text);
        }
        let given = given.map(names);
        let found = labels.found(given.as_deref());
        (found.classes, found.of_text, found.by_index)
    }

    #[test]
    fn labels_are_classes_in_order_or_count_those_given() {
        let (some, none) = (Some, None);
        assert_eq!(
            found(&["10", "2"], None),
            (names(&["2", "10"]), vec![some(1), some(0)], false)
        );
        assert_eq!(
            found(&["1.0", "0.0"], None),
            (names(&["0", "1"]), vec![some(1), some(0)], false)
        );
        assert_eq!(
            found(&["1", "0"], Some(&["cat", "dog"])),
            (names(&["cat", "dog"]), vec![some(1), some(0)], true)
        );
        // Classes that are called by numbers are meant by their names.
        assert_eq!(
            found(&["1", "0"], Some(&["1", "0"])),
            (names(&["1", "0"]), vec![some(0), some(1)], false)
        );
        assert_eq!(
            found(&["cat", "2"], Some(&["cat", "dog"])),
            (names(&["cat", "dog"]), vec![some(0), none], false)
        );
        // One name in two forms of its letters.
        assert_eq!(found(&["caf\u{e9}", "cafe\u{301}"], None).0, ["caf\u{e9}"]);
    }

    #[test]
    fn given_names_are_an_order_or_other_names_and_never_half_of_each() {
        let arrange = |given: &[&str]| {
            let mut remarks = Remarks::default();
            let own = names(&["cat", "dog"]);
            let arranged = arranged(Layout::Hf, own, Some(&names(given)), &mut remarks)?;
            Ok::<_, DatasetError>((arranged.place, remarks.taken.len()))
        };
        assert_eq!(arrange(&["dog", "cat"]).unwrap(), (vec![1, 0], 0));
        assert_eq!(arrange(&["fox", "dog", "cat"]).unwrap(), (vec![2, 1], 0));
        assert_eq!(arrange(&["Katze", "Hund"]).unwrap(), (vec![0, 1], 1));
        for (given, words) in [
            (
                &["dog", "fox"][..],
                "has dog of the data's own classes and lacks cat",
            ),
            (&["dog"], "lacks cat"),
            (&["x"], "1 class names for hf, which has 2"),
        ] {
            let error = arrange(given).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }
}
