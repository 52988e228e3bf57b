//! What must hold of a row by itself.

use std::path::{Component, Path};

use super::{COLUMNS, ColumnValue, Row, Source};
use crate::manifest::ManifestError;

impl Row {
    /// Checks what must hold of a row by itself; `row` is its number in messages.
    pub(in crate::manifest) fn check(&self, row: usize) -> Result<(), ManifestError> {
        let invalid = |column, value: &str, expected| ManifestError::Invalid {
            row,
            id: self.id.clone(),
            column,
            value: value.to_owned(),
            expected,
        };
        for (column, cell) in COLUMNS.iter().zip(self.cells()) {
            match cell {
                ColumnValue::Real(Some(value)) if !value.is_finite() => {
                    return Err(ManifestError::NonFinite {
                        row,
                        id: self.id.clone(),
                        column: column.name,
                        value,
                    });
                }
                ColumnValue::Whole(Some(value)) if i64::try_from(value).is_err() => {
                    let expected = "a number below 2^63";
                    return Err(invalid(column.name, &value.to_string(), expected));
                }
                ColumnValue::Text(Some("")) => {
                    return Err(invalid(column.name, "empty", "a text"));
                }
                _ => {}
            }
        }
        if self.weight < 0.0 {
            let weight = self.weight.to_string();
            return Err(invalid("weight", &weight, "0 or more"));
        }
        if !stays_below(&self.path) {
            let expected = "a relative path without \"..\"";
            return Err(invalid("path", &format!("{:?}", self.path), expected));
        }
        match self.sha256.as_deref().unwrap_or_default() {
            "" if self.source == Source::Synthetic => Err(invalid(
                "sha256",
                "absent",
                "the hash of the image that was written",
            )),
            "" => Ok(()),
            hash if is_sha256(hash) => Ok(()),
            hash => {
                let expected = "64 lower-case hexadecimal digits";
                Err(invalid("sha256", &format!("{hash:?}"), expected))
            }
        }
    }
}

/// Whether a path cannot leave the folder it starts from.
fn stays_below(path: &str) -> bool {
    !path.contains('\0')
        && Path::new(path)
            .components()
            .all(|part| matches!(part, Component::Normal(_)))
}

fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}
