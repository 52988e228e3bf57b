//! A table of examples: CSV with a header, JSON lines, or Parquet.
//!
//! | column | |
//! | --- | --- |
//! | `path` | relative to the root, with `/` |
//! | `label` | class name, or a whole number |
//! | `split` | see [`super::Split`] |
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

use super::outputs::{Classes, Distinct, Outputs};
use super::records::{self, Location, Row};
use super::{Dataset, DatasetError, Example, checks};

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
    let mut types = [("label", None), ("prediction", None)];
    let mut labels = Distinct::default();
    let mut lines = Vec::new();
    let mut examples: Vec<Example> = Vec::new();
    // What the model says is put to its examples when the classes are known.
    let mut outputs = Vec::new();
    records::for_each(path, &mut |row| {
        for (column, first) in &mut types {
            same_type(row, column, first)?;
        }
        let (mut example, said) = example(row, &mut labels)?;
        match said.only_tags() {
            Ok(tags) => tags.put(&mut example),
            Err(said) => outputs.push((examples.len(), said)),
        }
        lines.push(row.place.line);
        examples.push(example);
        Ok(())
    })?;
    if examples.is_empty() {
        let path = path.to_owned();
        return Err(DatasetError::NoExamples { path });
    }
    let at = |index: usize| {
        let line = lines[index];
        Location { path, line }
    };
    let classes = classes.clone().unwrap_or_else(|| {
        let texts: BTreeSet<&str> = labels.texts().iter().map(String::as_str).collect();
        in_order(texts)
    });
    checks::class_names(&classes).map_err(|error| {
        let first = |name: &str| {
            let label = labels.texts().iter().position(|text| text == name)?;
            let index = examples.iter().position(|example| example.label == label)?;
            Some(at(index).to_string())
        };
        with_place(error, first)
    })?;
    let index = Classes::new(&classes);
    let mut said = outputs.into_iter().peekable();
    let mut known = vec![None; labels.texts().len()];
    for (number, example) in examples.iter_mut().enumerate() {
        let (text, place) = (example.label, at(number));
        example.label = match known[text] {
            Some(label) => label,
            None => *known[text].insert(index.index(&labels.texts()[text], "label", place)?),
        };
        if let Some((_, said)) = said.next_if(|(of, _)| *of == number) {
            said.put(example, &index, place)?;
        }
    }
    let dataset = Dataset {
        root: root.clone().unwrap_or_else(|| folder_of(path)),
        classes,
        examples,
    };
    checks::check(&dataset, |index| at(index).to_string())?;
    Ok(dataset)
}

/// The folder that a file lies in.
fn folder_of(path: &Path) -> PathBuf {
    // A bare file name has an empty parent, which no system call takes for the current folder.
    let folder = path.parent().filter(|path| !path.as_os_str().is_empty());
    folder.unwrap_or(Path::new(".")).to_owned()
}

/// Adds where a bad class name is first.
fn with_place(error: DatasetError, first: impl Fn(&str) -> Option<String>) -> DatasetError {
    match error {
        DatasetError::BadClassName { name, reason, .. } => {
            let first = first(&name).map(|place| format!("{place}, column \"label\": "));
            DatasetError::BadClassName {
                first,
                name,
                reason,
            }
        }
        other => other,
    }
}

/// The example of a row, whose label counts `labels`, and what the row says of the model.
fn example(row: &Row<'_>, labels: &mut Distinct) -> Result<(Example, Outputs), DatasetError> {
    let split = row.required("split")?;
    let id = row.text("id")?;
    let path = path(row)?;
    let label = labels.index(&row.required("label")?);
    let split = split.parse().map_err(|source| DatasetError::BadSplit {
        place: row.place.to_string(),
        source,
    })?;
    let mut example = Example::new(path, label, split);
    if let Some(id) = id {
        example.id = id;
    }
    Ok((example, Outputs::read(row)?))
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
            first: Location { line, ..row.place }.to_string(),
        }),
        _ => Ok(()),
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
