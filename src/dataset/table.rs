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

use std::path::{Path, PathBuf};

use super::classes::Classes;
use super::labels::Labels;
use super::missing::Missing;
use super::outputs::{Column, Outputs};
use super::paths::{Paths, check_folders};
use super::records::{self, Location, Row};
use super::{Dataset, DatasetError, Example, Remarks, checks};

/// What a table itself does not say.
#[derive(Debug, Clone, Default)]
pub struct TableOptions {
    /// The folder paths start from; that of the table if absent.
    pub root: Option<PathBuf>,
    /// The class names in the classifier's order; from the labels if absent.
    pub classes: Option<Vec<String>>,
    /// Whether folders in paths say nothing, so that a row of split train may lie in `val/`.
    pub free_paths: bool,
}

/// Reads a table of examples, `.csv`, `.tsv`, `.jsonl`, `.ndjson`, `.json` or `.parquet`.
///
/// # Errors
///
/// The first fault in row order, with file, line and column: missing columns, empty or bad cells,
/// labels of mixed types, unknown splits and classes, paths that leave the root, columns that contradict each
/// other or the path; then what [`Dataset::new`] checks.
pub fn read_table(
    path: &Path,
    options: &TableOptions,
    remarks: &mut Remarks,
) -> Result<Dataset, DatasetError> {
    let root = options.root.clone().unwrap_or_else(|| folder_of(path));
    let mut rows = Rows::read(path, &root, options.classes.as_deref(), remarks)?;
    if rows.examples.is_empty() {
        return Err(DatasetError::NoExamples {
            path: path.to_owned(),
        });
    }
    let found = rows.labels.found(options.classes.as_deref());
    let lines = std::mem::take(&mut rows.lines);
    let at = |index: usize| {
        let line = lines[index];
        Location { path, line }
    };
    checks::class_names(&found.classes).map_err(|error| {
        with_place(error, |name| {
            let label = rows.labels.texts().iter().position(|text| text == name)?;
            let index = rows
                .examples
                .iter()
                .position(|example| example.label == label)?;
            Some(at(index).to_string())
        })
    })?;
    let classes = Classes::new(&found.classes);
    if found.by_index {
        remarks.take(format!(
            "{}: labels are indices in the order of data.classes: {}",
            path.display(),
            classes.order()
        ));
    }
    for (number, example) in rows.examples.iter_mut().enumerate() {
        let text = example.label;
        example.label = found.of_text[text]
            .ok_or_else(|| classes.unknown(&rows.labels.texts()[text], "label", at(number)))?;
    }
    let said = rows.outputs.iter().map(|(of, said)| (lines[*of], said));
    let mut column = Column::new(path, &classes, said, None)?;
    for (of, said) in std::mem::take(&mut rows.outputs) {
        column.put(said, &mut rows.examples[of], lines[of])?;
    }
    column.say(remarks);
    let dataset = Dataset {
        root,
        classes: found.classes.clone(),
        examples: rows.examples,
    };
    let place = |index| at(index).to_string();
    checks::check(&dataset, place)?;
    if !options.free_paths {
        check_folders(&dataset, place, remarks)?;
    }
    Ok(dataset)
}

/// The rows of a table, before its classes are known.
#[derive(Default)]
struct Rows {
    /// An example's label counts the labels so far.
    examples: Vec<Example>,
    /// The line of each.
    lines: Vec<usize>,
    labels: Labels,
    /// What the model says, by the number of its example.
    outputs: Vec<(usize, Outputs)>,
}

impl Rows {
    fn read(
        path: &Path,
        root: &Path,
        given: Option<&[String]>,
        remarks: &mut Remarks,
    ) -> Result<Self, DatasetError> {
        let mut types = [("label", None), ("prediction", None)];
        let mut rows = Self::default();
        let mut missing = Missing::default();
        let mut paths = Paths::new(root);
        let said = records::for_each(path, &mut |row| {
            for column in ["split", "path", "label"] {
                if !row.has(column) {
                    return Err(row.absent(column));
                }
            }
            let label = row.text("label")?;
            let label = label.unwrap_or_default();
            if Labels::is_missing(&label, given) {
                missing.add(row.place, label.trim());
                return Ok(());
            }
            for (column, first) in &mut types {
                same_type(row, column, first)?;
            }
            let label = rows.labels.index(&label);
            let (mut example, said) = example(row, label, &mut paths)?;
            match said.only_tags() {
                Ok(tags) => tags.put(&mut example),
                Err(said) => rows.outputs.push((rows.examples.len(), *said)),
            }
            rows.lines.push(row.place.line);
            rows.examples.push(example);
            Ok(())
        })?;
        for sentence in said {
            remarks.take(sentence);
        }
        paths.say(path, remarks);
        missing.say("label", remarks);
        Ok(rows)
    }
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

/// The example of a row, and what the row says of the model.
fn example(
    row: &Row<'_>,
    label: usize,
    paths: &mut Paths<'_>,
) -> Result<(Example, Outputs), DatasetError> {
    let split = row.required("split")?;
    let id = row.text("id")?;
    let path = paths.plain(&row.required("path")?, || row.place.to_string())?;
    let split = split
        .trim()
        .parse()
        .map_err(|source| DatasetError::BadSplit {
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

#[cfg(test)]
mod tests;
