//! Which class a cell means: by its name, or by its index in the order of the classes.
//!
//! One reading holds for a whole file. It is the names where every cell is one, and the indices where every
//! cell is one. Where both fit and differ, neither is chosen: with folders `0` to `10`, which torchvision
//! orders `0, 1, 10, 2`, a 2 may be the name of a folder or the index of `10`. Text in a format that tells text
//! from numbers is a name.

use std::collections::HashMap;

use unicode_normalization::UnicodeNormalization as _;

use super::missing::is_missing;
use super::records::{ClassCell, Location, Written};
use super::{Contradiction, DatasetError};

/// Class names and their indices.
pub(super) struct Classes<'a> {
    pub(super) names: &'a [String],
    /// By composed name.
    indices: HashMap<String, usize>,
    /// By number, where all names are whole numbers.
    numbers: Option<HashMap<i128, usize>>,
}

/// How the cells of a column mean classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    /// By name.
    Names,
    /// By index, from 0.
    Indices,
}

/// A text in its composed form, in which names are compared: macOS writes folders in another than people type.
pub(super) fn composed(text: &str) -> String {
    if text.is_ascii() {
        return text.to_owned();
    }
    text.nfc().collect()
}

/// The whole number that a text is, also as `3.0`.
pub(super) fn whole(text: &str) -> Option<i128> {
    let text = text.trim();
    let digits = match text.split_once('.') {
        Some((digits, zeros)) if !zeros.is_empty() && zeros.bytes().all(|b| b == b'0') => digits,
        Some(_) => return None,
        None => text,
    };
    digits.parse().ok()
}

impl<'a> Classes<'a> {
    pub(super) fn new(names: &'a [String]) -> Self {
        let numbers: Option<Vec<i128>> = names.iter().map(|name| whole(name)).collect();
        let numbers = numbers.map(|all| all.into_iter().zip(0..).collect::<HashMap<_, _>>());
        Self {
            names,
            indices: names.iter().map(|name| composed(name)).zip(0..).collect(),
            // 01 and 1 are two names.
            numbers: numbers.filter(|numbers| numbers.len() == names.len()),
        }
    }

    /// The index of a class by its name.
    pub(super) fn of_name(&self, name: &str) -> Option<usize> {
        self.indices.get(composed(name.trim()).as_str()).copied()
    }

    /// The error for a class that there is not.
    pub(super) fn unknown(&self, name: &str, column: &str, place: Location<'_>) -> DatasetError {
        DatasetError::UnknownClass {
            place: place.to_string(),
            column: column.to_owned(),
            name: name.to_owned(),
            known: self.names.to_vec(),
        }
    }

    /// The order of the classes, in few words.
    pub(super) fn order(&self) -> String {
        let numbered = |index: usize| format!("{index} = {}", self.names[index]);
        match self.names.len() {
            0 => String::new(),
            n @ 1..=6 => (0..n).map(numbered).collect::<Vec<_>>().join(", "),
            n => format!(
                "{}, {}, {}, … {}",
                numbered(0),
                numbered(1),
                numbered(2),
                numbered(n - 1)
            ),
        }
    }

    fn by_name(&self, cell: &ClassCell) -> Option<usize> {
        self.of_name(&cell.text).or_else(|| {
            let numbers = self.numbers.as_ref()?;
            numbers.get(&whole(&cell.text)?).copied()
        })
    }

    fn by_index(&self, cell: &ClassCell) -> Option<usize> {
        let index = usize::try_from(whole(&cell.text)?).ok()?;
        (index < self.names.len()).then_some(index)
    }

    /// Whether a cell stands for no class.
    pub(super) fn is_missing(&self, cell: &ClassCell) -> bool {
        is_missing(&cell.text) && self.by_name(cell).is_none()
    }

    /// The class of a cell in a reading; none if it is none.
    pub(super) fn class(&self, cell: &ClassCell, reading: Reading) -> Option<usize> {
        match reading {
            Reading::Names => self.by_name(cell),
            Reading::Indices => self.by_index(cell),
        }
    }

    /// How the cells of a column mean classes.
    ///
    /// # Errors
    ///
    /// - [`Contradiction::NameOrIndex`] where both readings fit all cells, and differ.
    /// - [`DatasetError::UnknownClass`] at the first cell that fits neither, or that fits one alone where a
    ///   cell before it fits the other alone.
    pub(super) fn reading<'c>(
        &self,
        column: &str,
        cells: impl Iterator<Item = (&'c ClassCell, Location<'c>)>,
    ) -> Result<Reading, DatasetError> {
        let (mut names, mut indices) = (true, true);
        let mut typed_as_text = true;
        let mut differs = None;
        for (cell, place) in cells {
            if self.is_missing(cell) {
                continue;
            }
            let (name, index) = (self.by_name(cell), self.by_index(cell));
            names &= name.is_some();
            indices &= index.is_some();
            if !names && !indices {
                return Err(self.unknown(&cell.text, column, place));
            }
            typed_as_text &= cell.written == Written::Text;
            if let (Some(name), Some(index)) = (name, index)
                && name != index
                && differs.is_none()
            {
                differs = Some((cell, place, index));
            }
        }
        match differs {
            Some((cell, place, index)) if names && indices && !typed_as_text => {
                Err(Contradiction::NameOrIndex {
                    place: place.to_string(),
                    column: column.to_owned(),
                    value: cell.text.clone(),
                    indexed: self.names[index].clone(),
                }
                .into())
            }
            _ if names => Ok(Reading::Names),
            _ => Ok(Reading::Indices),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// How cells are read, or the line of the first that cannot be; with the class of each.
    fn read(
        names: &[&str],
        written: Written,
        cells: &[&str],
    ) -> Result<(Reading, Vec<Option<usize>>), String> {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let classes = Classes::new(&names);
        let cell = |&text: &&str| ClassCell {
            text: text.to_owned(),
            written,
        };
        let cells: Vec<ClassCell> = cells.iter().map(cell).collect();
        let path = Path::new("p.csv");
        let placed = cells.iter().zip(2..);
        let placed = placed.map(|(cell, line)| (cell, Location { path, line }));
        let reading = classes.reading("prediction", placed);
        let reading = reading.map_err(|error| error.to_string())?;
        let all = cells.iter().map(|cell| classes.class(cell, reading));
        Ok((reading, all.collect()))
    }

    const DIGITS: [&str; 11] = ["0", "1", "10", "2", "3", "4", "5", "6", "7", "8", "9"];

    #[test]
    fn a_number_is_an_index_where_no_class_is_called_so() {
        for (written, cells) in [
            (Written::Untyped, ["1", "0"]),
            (Written::Untyped, ["1.0", "0.0"]),
            (Written::Number, ["1", "0"]),
            (Written::Text, ["1", "0"]),
        ] {
            let wanted = (Reading::Indices, vec![Some(1), Some(0)]);
            assert_eq!(read(&["cat", "dog"], written, &cells), Ok(wanted));
        }
        let error = read(&["cat", "dog"], Written::Number, &["1", "2"]).unwrap_err();
        assert!(
            error.contains("line 3") && error.contains("\"2\""),
            "{error}"
        );
        let error = read(&["cat", "dog"], Written::Untyped, &["cat", "1"]).unwrap_err();
        assert!(
            error.contains("line 3") && error.contains("\"1\""),
            "{error}"
        );
    }

    #[test]
    fn names_that_are_numbers_are_not_confused_with_indices() {
        // Text where text and numbers differ is a name.
        let (reading, classes) = read(&DIGITS, Written::Text, &["1", "10", "2"]).unwrap();
        assert_eq!(
            (reading, classes),
            (Reading::Names, vec![Some(1), Some(2), Some(3)])
        );
        for written in [Written::Number, Written::Untyped] {
            let error = read(&DIGITS, written, &["0", "1", "2"]).unwrap_err();
            assert!(
                error.contains("line 4") && error.contains("class \"10\""),
                "{error}"
            );
        }
        // The order of the names is that of the numbers.
        let (reading, _) = read(&["0", "1", "2"], Written::Number, &["2", "0"]).unwrap();
        assert_eq!(reading, Reading::Names);
        // Only one reading fits all cells.
        let (reading, classes) = read(&["1", "2"], Written::Number, &["1", "2"]).unwrap();
        assert_eq!((reading, classes), (Reading::Names, vec![Some(0), Some(1)]));
        let (reading, classes) = read(&["1", "2"], Written::Number, &["1", "0"]).unwrap();
        assert_eq!(
            (reading, classes),
            (Reading::Indices, vec![Some(1), Some(0)])
        );
        // Zeros before a number.
        let (reading, classes) = read(&["00003", "00014"], Written::Untyped, &["14", "3"]).unwrap();
        assert_eq!((reading, classes), (Reading::Names, vec![Some(1), Some(0)]));
    }

    #[test]
    fn what_stands_for_nothing_is_no_class_and_forms_of_letters_meet() {
        let cells = ["nan", "-1", "None", "cafe\u{301}"];
        let (reading, classes) = read(&["caf\u{e9}", "tea"], Written::Untyped, &cells).unwrap();
        assert_eq!(
            (reading, classes),
            (Reading::Names, vec![None, None, None, Some(0)])
        );
        let (_, classes) = read(&["-1", "1"], Written::Untyped, &["-1", "1"]).unwrap();
        assert_eq!(classes, [Some(0), Some(1)]);
    }
}
