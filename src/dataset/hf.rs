//! Hugging Face Parquet: images inside the rows of a table, as `datasets` and the hub write them.
//!
//! ```text
//! ROOT/data/train-00000-of-00002.parquet     image: {bytes, path}, label: int64, ...
//! ROOT/data/validation-00000-of-00001.parquet
//! ```
//!
//! `ROOT` may also hold the files themselves, or be one of them. A file's split is the first word of
//! its path below the root that names one, else the column `split` says it. The schema's metadata
//! (`huggingface`) tells which column is an image and what the classes are called; without it the
//! image is the struct with a field of `bytes`, and classes are the labels there are.
//!
//! Reading the table reads no image. A row whose image is a path without bytes is that file below
//! the root. An image's id is its file and row, from 0: `data/train-00000-of-00002.parquet/17`.
//!
//! Source: datasets 5.2, `features/image.py`, `features/features.py` and `data_files.py`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde_json::Value;

use super::folder::folders;
use super::outputs::Distinct;
use super::parquet::Table;
use super::published::split_of;
use super::table::in_order;
use super::{Dataset, DatasetError, Example, Layout, LayoutOptions, Passed, Split, checks};
use crate::io::source::Member;

mod columns;

pub(crate) use columns::image_column;
use columns::{Columns, Labels};

/// What `datasets` writes for a label that is not known.
const UNKNOWN: i64 = -1;

/// Reads the Parquet files of a folder, or one file.
pub(super) fn read(
    root: &Path,
    options: &LayoutOptions,
    passed: &mut Vec<Passed>,
) -> Result<Dataset, DatasetError> {
    let (root, files) = files(root)?;
    let mut found = RowsSoFar::default();
    for file in &files {
        found.read(root, file, options, passed)?;
    }
    if found.examples.is_empty() {
        return Err(DatasetError::NoExamples {
            path: root.to_owned(),
        });
    }
    let place = |example: &Example| match &example.member {
        Some(Member::Row { row, .. }) => place(&root.join(&example.path), *row),
        _ => root.join(&example.path).display().to_string(),
    };
    let classes = found.classes(options, &place)?;
    let dataset = Dataset {
        root: root.to_owned(),
        classes,
        examples: found.examples,
    };
    checks::check(&dataset, |index| place(&dataset.examples[index]))?;
    Ok(dataset)
}

/// A row in messages.
fn place(path: &Path, row: u64) -> String {
    format!("{}, row {row} (from 0)", path.display())
}

/// The root, and the Parquet files below it, at most two folders deep, sorted.
fn files(root: &Path) -> Result<(&Path, Vec<String>), DatasetError> {
    let is_table = |name: &str| {
        let extension = Path::new(name).extension();
        !name.starts_with('.') && extension.is_some_and(|text| text.eq_ignore_ascii_case("parquet"))
    };
    let name = root.file_name().and_then(|name| name.to_str());
    if let (Some(name), true) = (name, root.is_file()) {
        return Ok((
            root.parent().unwrap_or(Path::new("")),
            vec![name.to_owned()],
        ));
    }
    let mut prefixes = vec![String::new()];
    for name in folders(root)? {
        let inner = folders(&root.join(&name))?;
        prefixes.extend(inner.into_iter().map(|below| format!("{name}/{below}/")));
        prefixes.push(format!("{name}/"));
    }
    let mut files = Vec::new();
    for prefix in prefixes {
        let path = root.join(&prefix);
        let failed = |source| DatasetError::List {
            path: path.clone(),
            source,
        };
        for entry in fs::read_dir(&path).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let Ok(name) = entry.file_name().into_string() else {
                return Err(DatasetError::NameNotUtf8 { path: entry.path() });
            };
            if is_table(&name) {
                files.push(format!("{prefix}{name}"));
            }
        }
    }
    files.sort();
    Ok((root, files))
}

/// What the files read so far hold.
#[derive(Default)]
struct RowsSoFar {
    examples: Vec<Example>,
    /// Distinct labels; an example's label counts these until the classes are known.
    labels: Distinct,
    /// How the first file gives labels, and its path.
    kind: Option<Labels>,
}

impl RowsSoFar {
    /// Adds the rows of a file.
    fn read(
        &mut self,
        root: &Path,
        file: &str,
        options: &LayoutOptions,
        passed: &mut Vec<Passed>,
    ) -> Result<(), DatasetError> {
        let path = root.join(file);
        let table = Table::open(&path)?;
        let columns = Columns::find(&path, table.schema(), options)?;
        let kind = self.kind.get_or_insert_with(|| columns.labels.clone());
        if *kind != columns.labels {
            return Err(DatasetError::Disagreement {
                place: path.display().to_string(),
                name: columns.label.clone(),
                reason: "has another type or other class names than in the files before",
            });
        }
        let split = split_of(file);
        if split.is_none() && !columns.split {
            return Err(DatasetError::Disagreement {
                place: root.display().to_string(),
                name: file.to_owned(),
                reason: "names no split, and has no column \"split\": expected train, val, test or \
                         pool in the file's name or folder",
            });
        }
        let external = table.rows_without_bytes(columns.image)?;
        let wanted = |name: &str| {
            name == columns.label
                || columns.group.as_ref().is_some_and(|group| name == group.0)
                || split.is_none() && name == "split"
        };
        let mut unknown = false;
        table.for_each(&wanted, &mut |number, cells| {
            let row = number as u64 - 1;
            let here = || place(&path, row);
            let cell = cells.get(&columns.label).unwrap_or(&Value::Null);
            let Some(label) = columns.label_text(cell, &here)? else {
                unknown = true;
                return Ok(());
            };
            let split = match split {
                Some(split) => split,
                None => own_split(cells.get("split"), &here)?,
            };
            let label = self.labels.index(&label);
            let mut example = match external.get(&row) {
                None => Example::new(file.to_owned(), label, split),
                Some(name) => Example::new(elsewhere(root, name.as_deref(), &here)?, label, split),
            };
            if !external.contains_key(&row) {
                example.member = Some(Member::Row {
                    row,
                    column: columns.image as u32,
                });
            }
            example.id = format!("{file}/{row}");
            example.group = columns.group_text(cells, &here)?;
            self.examples.push(example);
            Ok(())
        })?;
        if unknown {
            let reason = "holds rows without a label (-1), which are passed over";
            passed.push(Passed { path, reason });
        }
        Ok(())
    }

    /// The classes; labels then count them.
    fn classes(
        &mut self,
        options: &LayoutOptions,
        place: &dyn Fn(&Example) -> String,
    ) -> Result<Vec<String>, DatasetError> {
        let texts = self.labels.texts();
        let (own, classes) = match (&self.kind, &options.classes) {
            (Some(Labels::Named(names)), _) => {
                let classes = options.classes(Layout::Hf, names.clone())?;
                (names.clone(), classes)
            }
            // A number counts the class names that were given.
            (Some(Labels::Numbers), Some(given)) => {
                let numbers = (0..given.len()).map(|number| number.to_string());
                (numbers.collect(), given.clone())
            }
            (_, Some(given)) => (given.clone(), given.clone()),
            (_, None) => {
                let sorted: BTreeSet<&str> = texts.iter().map(String::as_str).collect();
                let own = in_order(sorted);
                (own.clone(), own)
            }
        };
        checks::class_names(&classes)?;
        let known: BTreeMap<&str, usize> = own
            .iter()
            .enumerate()
            .map(|(index, name)| (name.as_str(), index))
            .collect();
        let indices: Vec<Option<usize>> = texts
            .iter()
            .map(|text| known.get(text.as_str()).copied())
            .collect();
        for example in &mut self.examples {
            let index = indices.get(example.label).copied().flatten();
            example.label = index.ok_or_else(|| DatasetError::UnknownClass {
                place: place(example),
                column: "label".to_owned(),
                name: texts.get(example.label).cloned().unwrap_or_default(),
                known: own.clone(),
            })?;
        }
        Ok(classes)
    }
}

/// The split that a row's own column names.
fn own_split(cell: Option<&Value>, here: &dyn Fn() -> String) -> Result<Split, DatasetError> {
    match cell.and_then(Value::as_str) {
        Some(name) => name.parse().map_err(|source| DatasetError::BadSplit {
            place: here(),
            source,
        }),
        None => Err(DatasetError::EmptyCell {
            place: here(),
            column: "split".to_owned(),
        }),
    }
}

/// The path of an image that is a file of its own.
fn elsewhere(
    root: &Path,
    name: Option<&str>,
    here: &dyn Fn() -> String,
) -> Result<String, DatasetError> {
    let disagreement = |name: &str, reason| DatasetError::Disagreement {
        place: here(),
        name: name.to_owned(),
        reason,
    };
    let name = name.ok_or_else(|| disagreement("image", "has neither bytes nor a path"))?;
    checks::path(name, here)?;
    if root.join(name).is_file() {
        return Ok(name.to_owned());
    }
    Err(disagreement(
        name,
        "has no bytes in the table, and there is no such file below the root",
    ))
}

#[cfg(test)]
mod tests;
