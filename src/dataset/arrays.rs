//! Predictions as an array: logits or probabilities `[n, classes]`, or `[n]` indices of classes, or scores.
//!
//! A row is an example by the ids in the metadata of a safetensors, by the paths of a text file of the same name
//! beside it (`logits.txt`, one a line), or by its number: then there are as many rows as examples, or as
//! examples of one split, in the data's order.

use std::path::Path;

use ndarray::ArrayView1;

use super::keys::Key;
use super::outputs::Outputs;
use super::predictions::{KeyedRows, Row};
use super::records::{Location, extension};
use super::{Contradiction, Dataset, DatasetError, ExampleId, Remarks, Split};
use crate::io;
use crate::io::matrix::{self, Values};

/// How far from 1 probabilities may add up to be taken for some.
const SUM_TOLERANCE: f32 = 0.02;

/// The rows of an array.
pub(super) enum Numbered {
    /// By example.
    Of(Vec<(ExampleId, Row)>),
    /// By what each is called.
    Keyed(KeyedRows),
}

/// Reads an array; none for a file that is named as a table.
pub(super) fn read(
    path: &Path,
    dataset: &Dataset,
    remarks: &mut Remarks,
) -> Result<Option<Numbered>, DatasetError> {
    if !["npy", "safetensors"].contains(&extension(path).as_str()) {
        return Ok(None);
    }
    let (values, ids) = matrix::read_values(path)?;
    let outputs = outputs(path, values, dataset.classes().len(), remarks)?;
    let row = |(number, outputs): (usize, Outputs)| Row {
        line: number,
        outputs,
        label: None,
        split: None,
    };
    let rows = (1..).zip(outputs).map(row);
    let place = |line| Location { path, line }.to_string();
    let (kind, names) = match (ids, beside(path)?) {
        (Some(ids), _) => ("id", ids),
        (None, Some(names)) => ("path", names),
        (None, None) => {
            let rows: Vec<Row> = rows.collect();
            let ids = in_order(path, dataset, rows.len(), remarks)?;
            return Ok(Some(Numbered::Of(ids.into_iter().zip(rows).collect())));
        }
    };
    let rows: Vec<Row> = rows.collect();
    if rows.len() != names.len() {
        return Err(DatasetError::BadLine {
            place: path.with_extension("txt").display().to_string(),
            expected: format!(
                "a path a row, {} in all, and has {}",
                rows.len(),
                names.len()
            ),
        });
    }
    let keys = names.into_iter().zip(1..).map(|(text, line)| Key {
        text,
        place: place(line),
    });
    let rows = keys.zip(rows).collect();
    Ok(Some(Numbered::Keyed(KeyedRows { kind, rows })))
}

/// The lines of the text file of the same name.
fn beside(path: &Path) -> Result<Option<Vec<String>>, DatasetError> {
    let list = path.with_extension("txt");
    if !list.is_file() {
        return Ok(None);
    }
    let text = io::read_to_string(&list)?;
    let lines = text.lines().map(|line| line.trim().to_owned());
    Ok(Some(lines.filter(|line| !line.is_empty()).collect()))
}

/// What the rows say.
fn outputs(
    path: &Path,
    values: Values,
    classes: usize,
    remarks: &mut Remarks,
) -> Result<Vec<Outputs>, DatasetError> {
    let file = path.display();
    let matrix = match values {
        Values::Integers(all) => return Ok(all.into_iter().map(Outputs::of_index).collect()),
        Values::Reals(matrix) => matrix,
    };
    if matrix.ncols() == 1 {
        let column = matrix.column(0);
        if column.iter().all(|value| value.fract() == 0.0) {
            let indices = column.iter().map(|value| Outputs::of_index(*value as i64));
            return Ok(indices.collect());
        }
        return Ok(column
            .iter()
            .map(|value| Outputs::of_score(*value))
            .collect());
    }
    if matrix.ncols() != classes {
        return Err(DatasetError::BadLine {
            place: file.to_string(),
            expected: format!(
                "a column for each of the {classes} classes, and has {}: where the classifier has more, name all \
                 of them in data.classes, in its order",
                matrix.ncols()
            ),
        });
    }
    let is_distribution = |row: ArrayView1<'_, f32>| {
        row.iter().all(|p| (0.0..=1.0).contains(p)) && (row.sum() - 1.0).abs() <= SUM_TOLERANCE
    };
    let logits = !matrix.outer_iter().all(is_distribution);
    if !logits {
        remarks.take(format!(
            "{file}: its rows add up to 1 and are taken for probabilities"
        ));
    }
    let rows = matrix.outer_iter();
    Ok(rows
        .map(|row| Outputs::of_values(row.to_vec(), logits))
        .collect())
}

/// The examples that rows without names stand for.
fn in_order(
    path: &Path,
    dataset: &Dataset,
    rows: usize,
    remarks: &mut Remarks,
) -> Result<Vec<ExampleId>, DatasetError> {
    let mut readings: Vec<(String, Vec<ExampleId>)> =
        vec![("all examples".to_owned(), dataset.ids().collect())];
    for split in Split::ALL {
        let ids: Vec<ExampleId> = dataset.of_split(split).map(|(id, _)| id).collect();
        if ids.len() != dataset.len() {
            readings.push((format!("the examples of {split}"), ids));
        }
    }
    let counts = readings.iter().filter(|(_, ids)| !ids.is_empty());
    let counts: Vec<String> = counts
        .map(|(name, ids)| format!("{name}: {}", ids.len()))
        .collect();
    readings.retain(|(_, ids)| ids.len() == rows);
    let mut readings = readings.into_iter();
    match (readings.next(), readings.next()) {
        (Some((name, ids)), None) => {
            check_order(path, dataset, &ids)?;
            remarks.take(format!(
                "{}: its rows are {name}, in the data's order",
                path.display()
            ));
            Ok(ids)
        }
        (Some((first, _)), Some((second, _))) => Err(Contradiction::Rows {
            path: path.to_owned(),
            rows,
            first,
            second,
        }
        .into()),
        (None, _) => Err(DatasetError::BadLine {
            place: path.display().to_string(),
            expected: format!(
                "a row for each example ({}), and has {rows}: put the paths of its rows into {}, one a line",
                counts.join(", "),
                path.with_extension("txt").display()
            ),
        }),
    }
}

/// Refuses an order that is not torchvision's, where examples are files in folders of classes.
///
/// Source: `make_dataset` of torchvision 0.24 (`datasets/folder.py`): by class, then by folder, then by name. The
/// data's order is that of paths, where `cat-big/` stands before `cat/`.
fn check_order(path: &Path, dataset: &Dataset, ids: &[ExampleId]) -> Result<(), DatasetError> {
    let key = |path: &str| {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let folders: Vec<String> = folder.splitn(3, '/').map(str::to_owned).collect();
        (folders, name.to_owned())
    };
    let files = ids.iter().all(|id| {
        let example = dataset.example(*id);
        example.member.is_none() && example.id == example.path
    });
    if !files {
        return Ok(());
    }
    for pair in ids.windows(2) {
        let [first, second] = [pair[0], pair[1]].map(|id| &dataset.example(id).path);
        if key(first) > key(second) && first < second {
            return Err(Contradiction::RowOrder {
                path: path.to_owned(),
                first: first.clone(),
                second: second.clone(),
            }
            .into());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::dataset::{Example, join_predictions};

    /// The header and the values of a `.npy`.
    fn npy(descr: &str, shape: &str, values: &[u8]) -> Vec<u8> {
        let header =
            format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n");
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend_from_slice(&(header.len() as u16).to_le_bytes());
        bytes.extend_from_slice(header.as_bytes());
        bytes.extend_from_slice(values);
        bytes
    }

    fn floats(values: &[f32]) -> Vec<u8> {
        values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect()
    }

    /// The predictions of val and test after a file was joined, and what was said.
    fn join(
        paths: &[(&str, Split)],
        array: Vec<u8>,
        list: Option<&str>,
    ) -> Result<(Vec<Option<usize>>, Vec<String>), String> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("out.npy");
        std::fs::write(&file, array).unwrap();
        if let Some(list) = list {
            std::fs::write(folder.path().join("out.txt"), list).unwrap();
        }
        let example = |(path, split): &(&str, Split)| Example::new((*path).to_owned(), 0, *split);
        let examples = paths.iter().map(example).collect();
        let classes = ["cat", "dog"].map(str::to_owned).to_vec();
        let data = Dataset::new(PathBuf::from("/data"), classes, examples).unwrap();
        let mut remarks = Remarks::default();
        let (data, _) = join_predictions(data, &file, &mut remarks).map_err(|e| e.to_string())?;
        let said = data.examples().iter().map(|example| example.prediction);
        Ok((said.collect(), remarks.taken))
    }

    const THREE: [(&str, Split); 3] = [
        ("train/cat/1.png", Split::Train),
        ("val/cat/1.png", Split::Val),
        ("val/cat/2.png", Split::Val),
    ];

    #[test]
    fn logits_and_indices_in_the_datas_order() {
        let logits = npy("<f4", "(3, 2)", &floats(&[3.0, -1.0, -2.0, 2.0, 5.0, 4.0]));
        let (said, taken) = join(&THREE, logits, None).unwrap();
        assert_eq!(said, [Some(0), Some(1), Some(0)]);
        assert!(
            taken.iter().any(|text| text.contains("all examples")),
            "{taken:?}"
        );
        let val = npy("<f4", "(2, 2)", &floats(&[0.25, 0.75, 0.5, 0.5]));
        let (said, taken) = join(&THREE, val, None).unwrap();
        assert_eq!(said, [None, Some(1), Some(0)]);
        assert!(
            taken
                .iter()
                .any(|text| text.contains("the examples of val")),
            "{taken:?}"
        );
        for (descr, bytes) in [
            ("<i8", vec![1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
            ("|u1", vec![1, 0]),
            (">i2", vec![0, 1, 0, 0]),
        ] {
            let (said, _) = join(&THREE, npy(descr, "(2,)", &bytes), None).unwrap();
            assert_eq!(said, [None, Some(1), Some(0)], "{descr}");
        }
    }

    #[test]
    fn rows_that_may_be_two_things_are_refused() {
        let four = [
            THREE[0],
            ("train/cat/2.png", Split::Train),
            THREE[1],
            THREE[2],
        ];
        let error = join(&four, npy("|u1", "(2,)", &[1, 0]), None).unwrap_err();
        assert!(
            error.contains("the examples of train and as the examples of val"),
            "{error}"
        );
        let error = join(&THREE, npy("|u1", "(4,)", &[1, 0, 0, 0]), None).unwrap_err();
        assert!(
            error.contains("all examples: 3") && error.contains("out.txt"),
            "{error}"
        );
        let error = join(&THREE, npy("<f4", "(2, 3)", &floats(&[0.0; 6])), None).unwrap_err();
        assert!(
            error.contains("each of the 2 classes, and has 3"),
            "{error}"
        );
        let error = join(&THREE, npy("|u1", "(2,)", &[1, 2]), None).unwrap_err();
        assert!(
            error.contains("row 2") && error.contains("\"2\""),
            "{error}"
        );
        // torchvision has cat/ before cat-big/.
        let apart = [
            ("val/cat-big/1.png", Split::Val),
            ("val/cat/1.png", Split::Val),
        ];
        let error = join(&apart, npy("|u1", "(2,)", &[1, 0]), None).unwrap_err();
        assert!(
            error.contains("orders \"val/cat-big/1.png\" and \"val/cat/1.png\" otherwise"),
            "{error}"
        );
    }

    #[test]
    fn a_list_of_paths_beside_it_names_the_rows() {
        let list = "val/cat/2.png\nval/cat/1.png\n";
        let (said, _) = join(&THREE, npy("|u1", "(2,)", &[1, 0]), Some(list)).unwrap();
        assert_eq!(said, [None, Some(0), Some(1)]);
        let error = join(&THREE, npy("|u1", "(2,)", &[1, 0]), Some("val/cat/2.png\n")).unwrap_err();
        assert!(
            error.contains("out.txt: expected a path a row, 2 in all, and has 1"),
            "{error}"
        );
    }
}
