//! A table of examples: CSV with a header, JSON lines, or Parquet.
//!
//! | column | |
//! | --- | --- |
//! | `path` | relative to the root, with `/` |
//! | `label` | class name, or a whole number |
//! | `split` | see [`Split`] |
//! | `id` | optional, unique; the path if absent |
//! | `prediction` | optional, class as in `label` |
//! | `confidence` | optional, 0 to 1 |
//! | `probabilities` | optional: a JSON list in class order, an object by class, or columns `probability_CLASS` |
//! | `group` | optional tag |
//!
//! Other columns are passed over. Classes are the labels of all splits, sorted as strings; if all
//! are whole numbers, by number, so that a list of probabilities stands in the order the
//! classifier was trained in. Where that is not the classifier's order, or some class has no
//! example, give [`TableOptions::classes`].

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::outputs::{Classes, Outputs};
use super::records::{self, Place, Row};
use super::{Dataset, DatasetError, Example, Split, checks};

/// What a table itself does not say.
#[derive(Debug, Clone, Default)]
pub struct TableOptions {
    /// The folder paths start from; that of the table if absent.
    pub root: Option<PathBuf>,
    /// The class names in the classifier's order; from the labels if absent.
    pub classes: Option<Vec<String>>,
}

/// Reads a table of examples, `.csv`, `.jsonl`, `.ndjson` or `.parquet`.
///
/// # Errors
///
/// The first fault in row order, with file, line and column: missing columns, empty or bad cells,
/// labels of mixed types, unknown splits and classes, paths that leave the root; then what
/// [`Dataset::new`] checks.
pub fn read_table(path: &Path, options: &TableOptions) -> Result<Dataset, DatasetError> {
    let TableOptions { root, classes } = options;
    let mut rows = Vec::new();
    let mut types = [("label", None), ("prediction", None)];
    records::for_each(path, &mut |row| {
        for (column, first) in &mut types {
            same_type(row, column, first)?;
        }
        rows.push(Raw::read(row)?);
        Ok(())
    })?;
    if rows.is_empty() {
        let path = path.to_owned();
        return Err(DatasetError::NoExamples { path });
    }
    let classes = classes.clone().unwrap_or_else(|| {
        let labels: BTreeSet<&str> = rows.iter().map(|row| row.label.as_str()).collect();
        in_order(labels)
    });
    checks::class_names(&classes)?;
    let index = Classes::new(&classes);
    let mut lines = Vec::with_capacity(rows.len());
    let mut examples = Vec::with_capacity(rows.len());
    for row in rows {
        lines.push(row.line);
        examples.push(row.example(&index, path)?);
    }
    // A bare file name has an empty parent, which no system call takes for the current folder.
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let dataset = Dataset {
        root: root.clone().unwrap_or_else(|| folder.to_owned()),
        classes,
        examples,
    };
    checks::check(&dataset, |index| {
        let line = lines[index];
        Place { path, line }.to_string()
    })?;
    Ok(dataset)
}

/// Checks that a cell is a number where the column's first one, `first` with its line, was.
fn same_type(
    row: &Row<'_>,
    column: &'static str,
    first: &mut Option<(bool, usize)>,
) -> Result<(), DatasetError> {
    let Some(number) = row.is_number(column) else {
        return Ok(());
    };
    match *first.get_or_insert((number, row.place.line)) {
        (other, line) if other != number => Err(DatasetError::MixedTypes {
            place: row.place.to_string(),
            column,
            number,
            first: Place { line, ..row.place }.to_string(),
        }),
        _ => Ok(()),
    }
}

/// A row before the classes are known.
struct Raw {
    line: usize,
    id: Option<String>,
    path: String,
    label: String,
    split: Split,
    outputs: Outputs,
}

impl Raw {
    fn read(row: &Row<'_>) -> Result<Self, DatasetError> {
        let split = row.required("split")?;
        Ok(Self {
            line: row.place.line,
            id: row.text("id")?,
            path: path(row)?,
            label: row.required("label")?,
            split: split.parse().map_err(|source| DatasetError::BadSplit {
                place: row.place.to_string(),
                source,
            })?,
            outputs: Outputs::read(row)?,
        })
    }

    fn example(self, classes: &Classes<'_>, file: &Path) -> Result<Example, DatasetError> {
        let place = Place {
            path: file,
            line: self.line,
        };
        let label = classes.index(&self.label, "label", place)?;
        let mut example = Example::new(self.path, label, self.split);
        if let Some(id) = self.id {
            example.id = id;
        }
        self.outputs.put(&mut example, classes, place)?;
        Ok(example)
    }
}

/// The path of a row, without empty parts and single dots.
pub(super) fn path(row: &Row<'_>) -> Result<String, DatasetError> {
    let given = row.required("path")?;
    let plain = if given.starts_with('/') || given.contains("://") {
        given
    } else {
        let parts = given.split('/').filter(|part| !matches!(*part, "" | "."));
        parts.collect::<Vec<_>>().join("/")
    };
    checks::path(&plain, || row.place.to_string())?;
    Ok(plain)
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
mod tests;
