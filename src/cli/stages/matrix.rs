//! Embeddings that were made before: `--space FILE`, `--embeddings FILE`.

use std::collections::BTreeMap;
use std::path::Path;

use ndarray::{Array2, Axis};

use super::inputs::Space;
use crate::cli::exit::{InputError, UsageError};
use crate::dataset::{Dataset, Example};
use crate::io::matrix::MatrixError;
use crate::io::{self, IoError};
use crate::run::settings::Settings;

/// The file of embeddings that were made before, where settings name one.
pub(in crate::cli) fn matrix_file<'a>(
    space: &'a Space,
    settings: &'a Settings,
) -> Result<Option<&'a Path>, UsageError> {
    match (space, &settings.embed.embeddings) {
        (Space::Matrix(path), None) | (Space::Clip, Some(path)) => Ok(Some(path)),
        (_, None) => Ok(None),
        (_, Some(_)) => {
            let text = "--embeddings are those that --clip made: leave out --space, or give the \
                        file as --space alone";
            Err(UsageError(text.to_owned()))
        }
    }
}

/// The user's own embeddings in the order of the examples, joined by id where the file has ids, else
/// by row.
pub(in crate::cli) fn own(path: &Path, dataset: &Dataset) -> anyhow::Result<Array2<f32>> {
    let n = dataset.examples.len();
    let (matrix, ids) = io::matrix::read_keyed(path).map_err(|error| named(error, dataset))?;
    let Some(ids) = ids else {
        if matrix.nrows() == n {
            return Ok(matrix);
        }
        let text = format!(
            "{} has {} rows and no ids, the data has {n} examples: they must be as many, in the \
             table's order",
            path.display(),
            matrix.nrows()
        );
        return Err(InputError(text).into());
    };
    let mut places: BTreeMap<&str, usize> = BTreeMap::new();
    for (row, id) in ids.iter().enumerate() {
        if let Some(first) = places.insert(id, row) {
            let text = format!(
                "{} has two rows of id {id:?}, rows {first} and {row}: which of them is meant?",
                path.display()
            );
            return Err(InputError(text).into());
        }
    }
    let place = |e: &Example| places.get(e.id.as_str()).copied();
    let mut without = dataset.examples.iter().filter(|e| place(e).is_none());
    if let Some(first) = without.next() {
        let text = format!(
            "{} has no embedding for {:?}, and for {} of the {n} examples in all",
            path.display(),
            first.id,
            1 + without.count()
        );
        return Err(InputError(text).into());
    }
    let at: Vec<usize> = dataset.examples.iter().filter_map(place).collect();
    Ok(matrix.select(Axis(0), &at))
}

/// A bad number of a matrix without ids, with the example whose row it is in.
fn named(error: IoError, dataset: &Dataset) -> IoError {
    match error {
        IoError::Matrix {
            path,
            source:
                MatrixError::NonFinite {
                    row,
                    id: None,
                    column,
                    value,
                },
        } => IoError::Matrix {
            path,
            source: MatrixError::NonFinite {
                id: dataset.examples.get(row).map(|e| e.id.clone()),
                row,
                column,
                value,
            },
        },
        error => error,
    }
}
