//! Hugging Face Parquet: images inside the rows of a table, as `datasets` and the hub write them.
//!
//! ```text
//! ROOT/data/train-00000-of-00002.parquet     image: {bytes, path}, label: int64, ...
//! ROOT/data/validation-00000-of-00001.parquet
//! ```
//!
//! `ROOT` may also hold the files themselves, or be one of them. A file's split is what its name says, else its
//! folder's, else the column `split` says it; where both do, they must agree. The schema's metadata
//! (`huggingface`) tells which column is an image and what the classes are called; without it the
//! image is the struct with a field of `bytes`, and classes are the labels there are. Columns of predictions are
//! read as those of a [table](super::table). A label of -1, none, or one that pandas takes for none is passed over.
//!
//! Reading the table reads no image. A row whose image is a path without bytes is that file below
//! the root. An image's id is its file and row, from 0: `data/train-00000-of-00002.parquet/17`.
//!
//! Source: datasets 5.2, `features/image.py`, `features/features.py` and `data_files.py`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::classes::Classes;
use super::folder::folders;
use super::folder::other_form;
use super::labels::Labels;
use super::missing::Missing;
use super::outputs::{Column, Outputs};
use super::parquet::Table;
use super::published::split_of;
use super::records::{self, Location, Row};
use super::{
    Contradiction, Dataset, DatasetError, Example, Layout, LayoutOptions, Remarks, Split, checks,
};
use crate::io::source::Member;

mod columns;

pub(crate) use columns::image_column;
use columns::{Columns, Kind};

/// What `datasets` writes for a label that is not known.
const UNKNOWN: &str = "-1";

/// Reads the Parquet files of a folder, or one file.
pub(super) fn read(
    root: &Path,
    options: &LayoutOptions,
    remarks: &mut Remarks,
) -> Result<Dataset, DatasetError> {
    let (root, files) = files(root)?;
    let mut found = RowsSoFar::default();
    for file in &files {
        found.read(root, file, options, remarks)?;
    }
    found.missing.say("label", remarks);
    if found.examples.is_empty() {
        let path = root.to_owned();
        let other = files.is_empty().then(|| other_form(root)).flatten();
        return Err(other.unwrap_or(DatasetError::NoExamples { path }));
    }
    let place = |example: &Example| match &example.member {
        Some(Member::Row { row, .. }) => place(&root.join(&example.path), *row),
        _ => root.join(&example.path).display().to_string(),
    };
    let classes = found.classes(options, &place, remarks)?;
    found.put_outputs(root, &classes, remarks)?;
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

/// A file that is read.
struct FileOf<'a> {
    root: &'a Path,
    /// Its path below the root, and the whole of it.
    name: &'a str,
    path: &'a Path,
    /// How many were read before.
    number: usize,
    columns: &'a Columns,
    /// All its columns, for those of predictions.
    names: &'a records::Columns,
    /// The split that its name says.
    split: Option<Split>,
    /// Rows whose image is a file of its own.
    external: BTreeMap<u64, Option<String>>,
}

/// What the files read so far hold.
#[derive(Default)]
struct RowsSoFar {
    examples: Vec<Example>,
    /// Distinct labels; an example's label counts these until the classes are known.
    labels: Labels,
    /// How the first file gives labels.
    kind: Option<Kind>,
    missing: Missing,
    /// What rows say of the model: the number of the file, that of the example, the row from 1.
    outputs: Vec<(usize, usize, usize, Outputs)>,
    /// The files that were read.
    files: Vec<String>,
}

impl RowsSoFar {
    /// Adds the rows of a file.
    fn read(
        &mut self,
        root: &Path,
        file: &str,
        options: &LayoutOptions,
        remarks: &mut Remarks,
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
        let mut split = of_file(root, file, &columns)?;
        if options.free_paths && columns.split {
            split = None;
        }
        let external = table.rows_without_bytes(columns.image)?;
        let fields = table.schema().fields().iter();
        let names = records::Columns::new(fields.map(|field| field.name().clone()).collect());
        let own = [columns.label.as_str(), columns.image_name.as_str()];
        let wanted = |name: &str| {
            name == columns.label
                || columns.group.as_ref().is_some_and(|group| name == group.0)
                || name == "split" && columns.split
                || says_outputs(&names, name) && !own.contains(&name)
        };
        let of = FileOf {
            root,
            name: file,
            path: &path,
            number: self.files.len(),
            columns: &columns,
            names: &names,
            split,
            external,
        };
        self.files.push(file.to_owned());
        let given = options.classes.as_deref();
        table.for_each(&wanted, &mut |number, cells| {
            self.row(&of, given, number, cells)
        })?;
        for sentence in names.sentences(Path::new(file)) {
            remarks.note(sentence);
        }
        Ok(())
    }

    /// Adds a row; `number` counts from 1.
    fn row(
        &mut self,
        file: &FileOf<'_>,
        given: Option<&[String]>,
        number: usize,
        cells: &Map<String, Value>,
    ) -> Result<(), DatasetError> {
        let columns = file.columns;
        let row = number as u64 - 1;
        let here = || place(file.path, row);
        let cell = cells.get(&columns.label).unwrap_or(&Value::Null);
        let label = match columns.label_text(cell, given, &here)? {
            Ok(label) => self.labels.index(&label),
            Err(missing) => {
                self.missing.add(here(), &missing);
                return Ok(());
            }
        };
        let own_split = cells.get("split").filter(|_| columns.split);
        let split = the_split(file.split, own_split, file.name, &here)?;
        let external = file.external.get(&row);
        let (path, member) = if let Some(name) = external {
            (elsewhere(file.root, name.as_deref(), &here)?, None)
        } else {
            let column = columns.image as u32;
            (file.name.to_owned(), Some(Member::Row { row, column }))
        };
        let mut example = Example::new(path, label, split);
        example.member = member;
        example.id = format!("{}/{row}", file.name);
        let (path, line) = (file.path, number);
        let said = Outputs::read(&Row::of_cells(Location { path, line }, file.names, cells))?;
        match said.only_tags() {
            Ok(tags) => tags.put(&mut example),
            Err(said) => {
                let at = self.examples.len();
                self.outputs.push((file.number, at, number, *said));
            }
        }
        if let Some(group) = columns.group_text(cells, &here)? {
            example.group = Some(group);
        }
        self.examples.push(example);
        Ok(())
    }

    /// The classes; labels then count them.
    fn classes(
        &mut self,
        options: &LayoutOptions,
        place: &dyn Fn(&Example) -> String,
        remarks: &mut Remarks,
    ) -> Result<Vec<String>, DatasetError> {
        let (classes, of_text, known) = if let Some(Kind::Named(names)) = &self.kind {
            let arranged = options.classes(Layout::Hf, names.clone(), remarks)?;
            let own = Classes::new(names);
            let texts = self.labels.texts().iter();
            let of_text: Vec<Option<usize>> = texts
                .map(|text| own.of_name(text).map(|index| arranged.place[index]))
                .collect();
            (arranged.classes, of_text, names.clone())
        } else {
            let found = self.labels.found(options.classes.as_deref());
            if found.by_index {
                let order = Classes::new(&found.classes).order();
                remarks.take(format!(
                    "labels are indices in the order of data.classes: {order}"
                ));
            }
            (found.classes.clone(), found.of_text, found.classes)
        };
        checks::class_names(&classes)?;
        for example in &mut self.examples {
            let text = example.label;
            example.label = of_text[text].ok_or_else(|| DatasetError::UnknownClass {
                place: place(example),
                column: "label".to_owned(),
                name: self.labels.texts()[text].clone(),
                known: known.clone(),
            })?;
        }
        Ok(classes)
    }

    /// Gives examples the predictions that their rows have.
    fn put_outputs(
        &mut self,
        root: &Path,
        classes: &[String],
        remarks: &mut Remarks,
    ) -> Result<(), DatasetError> {
        let classes = Classes::new(classes);
        let mut outputs = std::mem::take(&mut self.outputs);
        let paths: Vec<PathBuf> = self.files.iter().map(|file| root.join(file)).collect();
        // One reading for all files.
        let mut cells = outputs.iter().filter_map(|(file, _, row, said)| {
            let (path, line) = (paths[*file].as_path(), *row);
            Some((said.cell()?, Location { path, line }))
        });
        let told = match cells.next() {
            Some(first) => {
                let all = std::iter::once(first).chain(cells);
                Some(classes.reading("prediction", all)?)
            }
            None => None,
        };
        for (number, path) in paths.iter().enumerate() {
            let later = outputs.iter().position(|(of, ..)| *of != number);
            let rest = outputs.split_off(later.unwrap_or(outputs.len()));
            let said = outputs.iter().map(|(_, _, row, said)| (*row, said));
            let mut column = Column::new(path, &classes, said, told)?;
            for (_, at, row, said) in std::mem::replace(&mut outputs, rest) {
                column.put(said, &mut self.examples[at], row)?;
            }
            column.say(remarks);
        }
        Ok(())
    }
}

/// Whether a column is one of those that say what a model does; `score` and the rest of a
/// [table](super::table) are not looked for here.
fn says_outputs(names: &records::Columns, name: &str) -> bool {
    let columns = [
        "prediction",
        "prediction_name",
        "prediction_index",
        "confidence",
        "probabilities",
        "logits",
        "score",
    ];
    name.starts_with(records::PROBABILITY_PREFIX)
        || columns.iter().any(|column| names.is_called(column, name))
}

/// The split that a file's name says; none where its column must.
fn of_file(root: &Path, file: &str, columns: &Columns) -> Result<Option<Split>, DatasetError> {
    let split = match split_of(root, file) {
        // The column tells which of two.
        Err(_) if columns.split => None,
        split => split?,
    };
    if split.is_none() && !columns.split {
        return Err(DatasetError::Disagreement {
            place: root.display().to_string(),
            name: file.to_owned(),
            reason: "names no split, and has no column \"split\": expected train, val, test or \
                     pool in the file's name or folder",
        });
    }
    Ok(split)
}

/// The split of a row: the file's and the column's, which must be the same.
fn the_split(
    of_file: Option<Split>,
    cell: Option<&Value>,
    file: &str,
    here: &dyn Fn() -> String,
) -> Result<Split, DatasetError> {
    let own = match (cell, of_file) {
        (None | Some(Value::Null), Some(split)) => return Ok(split),
        (cell, _) => own_split(cell, here)?,
    };
    match of_file {
        Some(split) if split != own => Err(Contradiction::OfPath {
            place: here(),
            column: "split",
            said: own.to_string(),
            path: file.to_owned(),
            folder: split.to_string(),
        }
        .into()),
        _ => Ok(own),
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
