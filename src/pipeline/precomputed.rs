//! Embeddings that were made before, joined to the examples; they stay in their file.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use ndarray::{Array2, ArrayView2, Axis, s};
use unicode_normalization::UnicodeNormalization as _;

use super::error::Error;
use super::settings::CheckedSettings;
use super::space::Space;
use crate::dataset::{Dataset, Example, ExampleId};
use crate::io::IoError;
use crate::io::matrix::{Matrix, MatrixError};

/// The file of embeddings that were made before, where settings name one.
pub(crate) fn matrix_file<'a>(
    space: &'a Space,
    settings: &'a CheckedSettings,
) -> Result<Option<&'a Path>, Error> {
    match (space, &settings.embed.embeddings) {
        (Space::Matrix(path), None) | (Space::Clip, Some(path)) => Ok(Some(path)),
        (_, None) => Ok(None),
        (_, Some(_)) => {
            let text = "--embeddings are those that --clip made: leave out --space, or give the \
                        file as --space alone";
            Err(Error::usage(text.to_owned()))
        }
    }
}

/// A row an example.
pub(crate) struct Precomputed {
    matrix: Arc<Matrix>,
    /// The row of every example; none if they stand in the examples' order.
    order: Option<Vec<usize>>,
}

/// Some rows of a matrix: where they follow each other in its file, they stay there.
pub(crate) enum Rows {
    Held(Array2<f32>),
    InFile {
        matrix: Arc<Matrix>,
        first: usize,
        count: usize,
    },
}

impl Rows {
    /// `[n, d]`.
    pub(crate) fn view(&self) -> ArrayView2<'_, f32> {
        match self {
            Self::Held(matrix) => matrix.view(),
            Self::InFile {
                matrix,
                first,
                count,
            } => matrix.view().slice_move(s![*first..first + count, ..]),
        }
    }
}

impl Precomputed {
    /// Opens a file and joins it to the examples, by id where the file has ids, else by row.
    pub(crate) fn open(path: &Path, dataset: &Dataset) -> Result<Self, Error> {
        let n = dataset.len();
        let matrix = Arc::new(Matrix::open(path).map_err(|error| named(error, dataset))?);
        let Some(ids) = matrix.ids() else {
            let rows = matrix.view().nrows();
            if rows == n {
                let order = None;
                return Ok(Self { matrix, order });
            }
            let text = format!(
                "{} has {rows} rows and no ids, the data has {n} examples: they must be as many, in \
                 the table's order",
                path.display(),
            );
            return Err(Error::input(text));
        };
        let mut places: HashMap<&str, usize> = HashMap::with_capacity(ids.len());
        for (row, id) in ids.iter().enumerate() {
            if let Some(first) = places.insert(id, row) {
                let text = format!(
                    "{} has two rows of id {id:?}, rows {first} and {row}: which of them is meant?",
                    path.display()
                );
                return Err(Error::input(text));
            }
        }
        // Also where only the form of letters differs.
        let composed = |id: &str| id.nfc().collect::<String>();
        let by_form: HashMap<String, usize> = ids
            .iter()
            .zip(0..)
            .filter(|(id, _)| !id.is_ascii())
            .map(|(id, row)| (composed(id), row))
            .collect();
        let place = |e: &Example| {
            let own = places.get(e.id.as_str());
            own.or_else(|| by_form.get(&composed(&e.id))).copied()
        };
        let mut without = dataset.examples().iter().filter(|e| place(e).is_none());
        if let Some(first) = without.next() {
            let text = format!(
                "{} has no embedding for {:?}, and for {} of the {n} examples in all",
                path.display(),
                first.id,
                1 + without.count()
            );
            return Err(Error::input(text));
        }
        let order: Vec<usize> = dataset.examples().iter().filter_map(place).collect();
        let sorted = order.iter().copied().eq(0..n);
        let order = (!sorted).then_some(order);
        Ok(Self { matrix, order })
    }

    /// Width of an embedding.
    pub(crate) fn width(&self) -> usize {
        self.matrix.view().ncols()
    }

    /// Those of some examples, in their order.
    pub(crate) fn rows(&self, ids: &[ExampleId]) -> Rows {
        let row = |id: &ExampleId| match &self.order {
            None => id.index(),
            Some(order) => order[id.index()],
        };
        let at: Vec<usize> = ids.iter().map(row).collect();
        match at.first() {
            Some(&first) if at.iter().copied().eq(first..first + at.len()) => Rows::InFile {
                matrix: Arc::clone(&self.matrix),
                first,
                count: at.len(),
            },
            _ => Rows::Held(self.matrix.view().select(Axis(0), &at)),
        }
    }
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
                id: dataset.examples().get(row).map(|e| e.id.clone()),
                row,
                column,
                value,
            },
        },
        error => error,
    }
}
