//! Predictions from a file of their own, joined to the examples by `id` or `path`.

use std::collections::HashMap;
use std::path::Path;

use super::arrays::{self, Numbered};
use super::classes::{Classes, Reading};
use super::keys::{Key, Keys};
use super::missing::{Missing, is_missing};
use super::outputs::{Column, Outputs};
use super::records::{self, ClassCell, Location};
use super::{Contradiction, Dataset, DatasetError, ExampleId, Remarks, Split};

/// What a join did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joined {
    /// Examples that got a prediction.
    pub matched: usize,
    /// Those of them that had another prediction before.
    pub replaced: usize,
    /// Per split, in order of work, how many examples have no prediction now; splits where all
    /// have one are left out.
    pub without: Vec<(Split, usize)>,
}

/// Gives examples the predictions of a table, or of an array with a row an example.
///
/// Columns of a table: `id` or `path` (`id` counts if both are there), `prediction`, `probabilities`, `logits` or
/// `score`, and optionally `confidence` and `group`, as in [`table`](super::table). `label` and `split` are held
/// against the data. A row replaces what its example had. The data set is taken and a new one of the same
/// examples given back. How the file was read is added to `remarks`.
///
/// # Errors
///
/// With file and line: rows for unknown examples while others lack a prediction, second rows for one example,
/// unknown classes, bad cells, contradictions; and [`DatasetError::NoPredictions`] if the data set has a val
/// split and none of it has a prediction afterwards.
pub fn join_predictions(
    dataset: Dataset,
    path: &Path,
    remarks: &mut Remarks,
) -> Result<(Dataset, Joined), DatasetError> {
    join_predictions_on(dataset, path, Split::Val, remarks)
}

/// As [`join_predictions`], for a use that needs predictions on the split `needed` in place of val.
///
/// # Errors
///
/// Those of [`join_predictions`], with that split.
pub fn join_predictions_on(
    mut dataset: Dataset,
    path: &Path,
    needed: Split,
    remarks: &mut Remarks,
) -> Result<(Dataset, Joined), DatasetError> {
    let rows = match arrays::read(path, &dataset, remarks)? {
        Some(Numbered::Of(rows)) => rows,
        Some(Numbered::Keyed(rows)) => matched(&dataset, rows, needed, remarks)?,
        None => matched(&dataset, read(path, &dataset, remarks)?, needed, remarks)?,
    };
    let names = dataset.classes.clone();
    let classes = Classes::new(&names);
    let told = held_against_data(&dataset, &classes, path, &rows, remarks)?;
    let said = rows.iter().map(|(_, row)| (row.line, &row.outputs));
    let mut column = Column::new(path, &classes, said, told)?;
    let (mut matched, mut replaced) = (0, 0);
    for (id, row) in rows {
        let example = &mut dataset.examples[id.0];
        let old = example.prediction;
        if column.put(row.outputs, example, row.line)? {
            matched += 1;
            replaced += usize::from(old.is_some() && old != example.prediction);
        }
    }
    column.say(remarks);
    let (examples, without) = (
        dataset.of_split(needed).count(),
        dataset.without_prediction(needed),
    );
    if examples > 0 && without == examples {
        return Err(DatasetError::NoPredictions {
            split: needed,
            examples,
            path: path.to_owned(),
        });
    }
    let counts = Split::ALL.map(|split| (split, dataset.without_prediction(split)));
    let joined = Joined {
        matched,
        replaced,
        without: counts.into_iter().filter(|(_, count)| *count > 0).collect(),
    };
    Ok((dataset, joined))
}

/// A row of predictions.
pub(super) struct Row {
    pub(super) line: usize,
    pub(super) outputs: Outputs,
    pub(super) label: Option<ClassCell>,
    pub(super) split: Option<Split>,
}

/// Rows with what each names its example with.
pub(super) struct KeyedRows {
    /// "id" or "path".
    pub(super) kind: &'static str,
    pub(super) rows: Vec<(Key, Row)>,
}

/// Reads the rows of a table; those that say nothing are passed over.
fn read(path: &Path, dataset: &Dataset, remarks: &mut Remarks) -> Result<KeyedRows, DatasetError> {
    let mut rows: Vec<([Option<String>; 2], Row)> = Vec::new();
    let mut missing = Missing::default();
    let said = records::for_each(path, &mut |row| {
        let keys = [row.text("id")?, row.text("path")?];
        if keys.iter().all(Option::is_none) {
            return Err(row.absent(if row.has("id") { "id" } else { "path" }));
        }
        let outputs = Outputs::read(row)?;
        if !outputs.say_something() {
            let columns = ["prediction", "prediction_name", "prediction_index", "score"];
            if !columns.into_iter().any(|column| row.has(column)) {
                return Err(row.absent("prediction"));
            }
            missing.add(row.place, "");
            return Ok(());
        }
        let split = row.text("split")?.and_then(|name| name.trim().parse().ok());
        let (line, label) = (row.place.line, row.class("label").unwrap_or(None));
        let row = Row {
            line,
            outputs,
            label,
            split,
        };
        rows.push((keys, row));
        Ok(())
    })?;
    for sentence in said {
        remarks.take(sentence);
    }
    missing.say("prediction", remarks);
    keyed(path, dataset, rows, remarks)
}

/// The rows by what they name their examples with: of an id and a path, the one that the data knows.
fn keyed(
    path: &Path,
    dataset: &Dataset,
    rows: Vec<([Option<String>; 2], Row)>,
    remarks: &mut Remarks,
) -> Result<KeyedRows, DatasetError> {
    let by_id = Keys::new(dataset, "id");
    let has_id = rows.iter().any(|(keys, _)| keys[0].is_some());
    let none_known = || {
        !rows
            .iter()
            .any(|(keys, _)| keys[0].as_ref().is_some_and(|id| by_id.has(id)))
    };
    let has_path = rows.iter().all(|(keys, _)| keys[1].is_some());
    let at = usize::from(!has_id || has_path && none_known());
    if has_id && at == 1 {
        remarks.take(format!(
            "{}: no id of its column id is one of the data; rows are joined by path",
            path.display()
        ));
    }
    let kind = ["id", "path"][at];
    let keyed = rows.into_iter().map(|(mut keys, row)| {
        let place = Location {
            path,
            line: row.line,
        }
        .to_string();
        let text = keys[at].take().ok_or_else(|| DatasetError::EmptyCell {
            place: place.clone(),
            column: kind.to_owned(),
        })?;
        Ok((Key { text, place }, row))
    });
    let rows = keyed.collect::<Result<Vec<_>, DatasetError>>()?;
    Ok(KeyedRows { kind, rows })
}

/// The rows with the examples that they are about. Rows about none are passed over where no example of the
/// splits that the others are about lacks one.
fn matched(
    dataset: &Dataset,
    rows: KeyedRows,
    needed: Split,
    remarks: &mut Remarks,
) -> Result<Vec<(ExampleId, Row)>, DatasetError> {
    let keys = Keys::new(dataset, rows.kind);
    let (names, rows): (Vec<Key>, Vec<Row>) = rows.rows.into_iter().unzip();
    let found = keys.find(&names)?;
    if let Some(said) = found.said {
        remarks.take(format!("predictions: {said}"));
    }
    let mut first: HashMap<ExampleId, &Key> = HashMap::new();
    for (id, key) in found.ids.iter().zip(&names) {
        let Some(id) = id else { continue };
        if let Some(first) = first.insert(*id, key) {
            return Err(DatasetError::DuplicatePrediction {
                first: first.place.clone(),
                second: key.place.clone(),
                id: dataset.example(*id).id.clone(),
            });
        }
    }
    let mut unknown = found.ids.iter().zip(&names).filter(|(id, _)| id.is_none());
    if let Some((_, key)) = unknown.next() {
        let about = |split| {
            dataset
                .of_split(split)
                .any(|(id, _)| first.contains_key(&id))
        };
        let lacks = |split| {
            let mut all = dataset.of_split(split);
            all.any(|(id, example)| !first.contains_key(&id) && example.prediction.is_none())
        };
        let mut worked = [Split::Val, Split::Test].into_iter();
        let splits = worked.any(|split| (split == needed || about(split)) && lacks(split));
        if splits || first.is_empty() {
            return Err(keys.unknown(key));
        }
        remarks.doubt(format!(
            "{} rows of predictions are about no example of the data and are passed over, the first: {}, {:?}",
            1 + unknown.count(),
            key.place,
            key.text
        ));
    }
    let pairs = found.ids.into_iter().zip(rows);
    Ok(pairs.filter_map(|(id, row)| Some((id?, row))).collect())
}

/// Holds labels and splits of rows against those of the data. How the labels name classes comes back, where it
/// is one way: the predictions beside them do so too.
fn held_against_data(
    dataset: &Dataset,
    classes: &Classes<'_>,
    path: &Path,
    rows: &[(ExampleId, Row)],
    remarks: &mut Remarks,
) -> Result<Option<Reading>, DatasetError> {
    let differs = |row: &Row, column, said: &str, id, own: &str| Contradiction::OfExample {
        place: Location {
            path,
            line: row.line,
        }
        .to_string(),
        column,
        said: said.to_owned(),
        id: dataset.example(id).id.clone(),
        own: own.to_owned(),
    };
    for &(id, ref row) in rows {
        let own = dataset.example(id).split;
        if let Some(split) = row.split.filter(|split| *split != own) {
            return Err(differs(row, "split", split.name(), id, own.name()).into());
        }
    }
    let labelled = rows
        .iter()
        .filter_map(|(id, row)| Some((*id, row, row.label.as_ref()?)));
    let labelled = labelled.filter(|(_, _, cell)| !is_missing(&cell.text));
    let labelled: Vec<(ExampleId, &Row, &ClassCell)> = labelled.collect();
    // The first row that does not fit a reading, with the class that it says.
    let against = |reading| {
        labelled.iter().find_map(|&(id, row, cell)| {
            let class = classes.class(cell, reading);
            (class != Some(dataset.example(id).label)).then_some((id, row, cell, class))
        })
    };
    let Some(&(_, _, any)) = labelled.first() else {
        return Ok(None);
    };
    let fits = [Reading::Names, Reading::Indices].map(|reading| against(reading).is_none());
    match fits {
        [true, true] => return Ok(None),
        [true, false] => return Ok(Some(Reading::Names)),
        [false, true] => return Ok(Some(Reading::Indices)),
        [false, false] => {}
    }
    // Names of another kind say nothing of the data's classes.
    let known = |reading| {
        labelled
            .iter()
            .all(|(_, _, cell)| classes.class(cell, reading).is_some())
    };
    let reading = [Reading::Names, Reading::Indices]
        .into_iter()
        .find(|reading| known(*reading));
    let Some((id, row, cell, _)) = reading.and_then(against) else {
        remarks.take(format!(
            "{}: labels such as {:?} are no classes of the data and are not compared",
            path.display(),
            any.text
        ));
        return Ok(None);
    };
    let own = &dataset.classes[dataset.example(id).label];
    Err(differs(row, "label", &cell.text, id, own).into())
}

#[cfg(test)]
mod tests;
