//! Matrices of embeddings: one `[n, d]` floating-point array from `.npy` or `.safetensors`.
//!
//! The format is told from the content. Values of 16, 32 or 64 bits are read as `f32`; NaN,
//! infinities and values beyond `f32` are errors naming row and column, because one of them makes
//! every mean and every distance useless. Pickles (also as a PyTorch checkpoint under another name)
//! are refused unopened: unpickling runs code. [`Matrix`] leaves a large one in its file.

mod mapped;
mod npy;
mod values;

pub use mapped::Matrix;
pub use values::{Values, read_values};

use std::collections::HashMap;
use std::ops::Range;
use std::path::Path;

use half::{bf16, f16};
use ndarray::{Array2, ArrayView2};
use safetensors::tensor::{Dtype, SafeTensorError, SafeTensors, TensorView};

use super::{Classified, ErrorKind, IoError};

/// The metadata key under which row ids stand in a safetensors file, as a JSON list of strings.
const IDS_KEY: &str = "ids";

/// Why content is not a usable matrix.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MatrixError {
    /// A pickle or an archive of pickles.
    #[error(
        "it is {found}, which can run code when it is opened: convert to .safetensors \
         (or .npy for a plain array)"
    )]
    Pickle {
        /// What it is, with its article.
        found: &'static str,
    },

    /// Neither format.
    #[error("its content is neither .npy nor .safetensors")]
    UnknownFormat,

    /// The header of the `.npy` does not parse.
    #[error("its .npy header is malformed: {reason}")]
    NpyHeader {
        /// What is wrong.
        reason: String,
    },

    /// The safetensors header or its offsets do not hold together.
    #[error("its safetensors header is malformed or the file is truncated")]
    Safetensors {
        /// What the parser said.
        #[source]
        source: SafeTensorError,
    },

    /// A safetensors file without exactly one tensor.
    #[error("it holds {} tensors ({}), expected exactly one", .names.len(), .names.join(", "))]
    TensorCount {
        /// Their names, sorted.
        names: Vec<String>,
    },

    /// The values are not floating-point numbers.
    #[error("its values are {found}, expected 16-, 32- or 64-bit floats")]
    ValueType {
        /// The type as the file writes it.
        found: String,
    },

    /// The array does not have two dimensions, both above zero.
    #[error("its shape is {found:?}, expected [n, d] with n and d at least 1")]
    Shape {
        /// The shape as the file writes it.
        found: Vec<usize>,
    },

    /// The data are shorter or longer than the shape says.
    #[error("its shape {shape:?} needs {expected} bytes of data, the file has {found}")]
    Length {
        /// The shape as the file writes it.
        shape: Vec<usize>,
        /// Bytes the shape needs.
        expected: usize,
        /// Bytes after the header.
        found: usize,
    },

    /// A value that cannot be computed with.
    #[error(
        "row {row}{}, column {column} is {value}: embed that example again or drop it",
        .id.as_ref().map_or_else(String::new, |id| format!(" ({id})"))
    )]
    NonFinite {
        /// Zero-based row.
        row: usize,
        /// The id of that row, where there are ids.
        id: Option<String>,
        /// Zero-based column.
        column: usize,
        /// The value, NaN or infinite as `f32`.
        value: f32,
    },

    /// The ids in the metadata are not a JSON list of strings.
    #[error("its ids in the metadata are not a JSON list of strings")]
    Ids {
        /// What the parser said.
        #[source]
        source: serde_json::Error,
    },

    /// There are not as many ids as rows.
    #[error("{ids} ids for {rows} rows")]
    IdCount {
        /// Number of ids.
        ids: usize,
        /// Number of rows.
        rows: usize,
    },
}

impl Classified for MatrixError {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Input
    }
}

/// Reads a matrix, one example per row.
///
/// # Shapes and units
///
/// - result: `[n, d]`, row-major, in the units of the file, every value finite.
///
/// # Errors
///
/// [`IoError::Matrix`] with the [`MatrixError`], or what [`super::read`] says.
pub fn read(path: &Path) -> Result<Array2<f32>, IoError> {
    Ok(read_keyed(path)?.0)
}

/// Reads a matrix and, where a safetensors file has them, the ids of its rows.
///
/// # Shapes and units
///
/// - result: `[n, d]` as [`read`], and `n` ids in row order.
///
/// # Errors
///
/// Those of [`read`].
pub fn read_keyed(path: &Path) -> Result<(Array2<f32>, Option<Vec<String>>), IoError> {
    // Mapped: its bytes need not be in memory beside its values.
    let bytes = super::map::map(path)?;
    parse(&bytes).map_err(|source| IoError::Matrix {
        path: path.to_owned(),
        source,
    })
}

/// Writes one `[n, d]` tensor with the ids of its rows, atomically; equal input gives equal bytes.
///
/// Without ids (an empty slice) the file has no metadata.
///
/// # Shapes and units
///
/// - `m`: `[n, d]`, stored as little-endian `f32`; `ids`: `n` or none.
///
/// # Errors
///
/// [`IoError::Matrix`] for a shape, a value or a number of ids that [`read_keyed`] would refuse;
/// [`IoError::Write`].
pub fn write_safetensors(
    path: &Path,
    name: &str,
    m: ArrayView2<'_, f32>,
    ids: &[String],
) -> Result<(), IoError> {
    let bytes = encode(name, m, ids).map_err(|source| IoError::Matrix {
        path: path.to_owned(),
        source,
    })?;
    super::write_atomic(path, &bytes)
}

/// What kind of pickle the content is, with its article; `None` if it does not look like one.
///
/// For everything that loads weights: such a file must be refused, whatever its name.
///
/// # Examples
///
/// ```
/// use hardlight::io::matrix::pickle_kind;
/// assert_eq!(pickle_kind(b"\x80\x02}q\x00."), Some("a pickle"));
/// assert_eq!(pickle_kind(b"\x93NUMPY\x01\x00"), None);
/// ```
pub fn pickle_kind(bytes: &[u8]) -> Option<&'static str> {
    if is_safetensors(bytes) {
        return None;
    }
    match bytes {
        [b'P', b'K', 3 | 5, ..] => Some("a zip archive, such as a PyTorch checkpoint or an .npz"),
        // Protocol 0 is text: a mark or an import, and a full stop at the very end.
        [0x80, 1..=5, ..] | [b'(' | b'c', .., b'.'] => Some("a pickle"),
        _ => None,
    }
}

/// Whether the first bytes are the length of a header that fits, and the `{` it begins with.
fn is_safetensors(bytes: &[u8]) -> bool {
    let length = bytes.first_chunk::<8>().map(|n| u64::from_le_bytes(*n));
    bytes.get(8) == Some(&b'{') && length.is_some_and(|n| n <= bytes.len() as u64 - 8)
}

fn parse(bytes: &[u8]) -> Result<(Array2<f32>, Option<Vec<String>>), MatrixError> {
    let found = describe(bytes)?;
    let matrix = matrix(&bytes[found.data], &found.shape, found.layout)
        .map_err(|error| error.of(found.ids.as_deref()))?;
    Ok((matrix, found.ids))
}

impl MatrixError {
    /// The same, with the id of the row at fault.
    fn of(self, ids: Option<&[String]>) -> Self {
        match self {
            Self::NonFinite {
                row, column, value, ..
            } => Self::NonFinite {
                id: ids.and_then(|ids| ids.get(row)).cloned(),
                row,
                column,
                value,
            },
            error => error,
        }
    }
}

/// What a file says of its matrix.
struct Described {
    /// Where its values lie.
    data: Range<usize>,
    shape: Vec<usize>,
    layout: Layout,
    ids: Option<Vec<String>>,
}

fn describe(bytes: &[u8]) -> Result<Described, MatrixError> {
    if bytes.starts_with(npy::MAGIC) {
        return npy::parse(bytes);
    }
    if let Some(found) = pickle_kind(bytes) {
        return Err(MatrixError::Pickle { found });
    }
    // A `{` there is safetensors that may be cut: its own parser says how.
    if bytes.get(8) != Some(&b'{') {
        return Err(MatrixError::UnknownFormat);
    }
    parse_safetensors(bytes)
}

fn parse_safetensors(bytes: &[u8]) -> Result<Described, MatrixError> {
    let error = |source| MatrixError::Safetensors { source };
    let (header, metadata) = SafeTensors::read_metadata(bytes).map_err(error)?;
    let file = SafeTensors::deserialize(bytes).map_err(error)?;
    let mut names: Vec<String> = file.names().into_iter().map(str::to_owned).collect();
    names.sort();
    let [name] = names.as_slice() else {
        return Err(MatrixError::TensorCount { names });
    };
    let tensor = file.tensor(name).map_err(error)?;
    let kind = match tensor.dtype() {
        Dtype::F16 => FloatType::F16,
        Dtype::BF16 => FloatType::Bf16,
        Dtype::F32 => FloatType::F32,
        Dtype::F64 => FloatType::F64,
        other => {
            return Err(MatrixError::ValueType {
                found: format!("{other:?}"),
            });
        }
    };
    let shape = tensor.shape().to_vec();
    let ids = metadata
        .metadata()
        .as_ref()
        .and_then(|entries| entries.get(IDS_KEY))
        .map(|text| serde_json::from_str::<Vec<String>>(text))
        .transpose()
        .map_err(|source| MatrixError::Ids { source })?;
    if let Some(ids) = &ids {
        check_id_count(ids, shape.first().copied().unwrap_or(0))?;
    }
    // The one tensor is all that follows the length of the header and the header.
    let data = 8 + header..bytes.len();
    Ok(Described {
        data,
        shape,
        layout: Layout::little_endian(kind),
        ids,
    })
}

fn encode(name: &str, m: ArrayView2<'_, f32>, ids: &[String]) -> Result<Vec<u8>, MatrixError> {
    let shape = vec![m.nrows(), m.ncols()];
    if m.is_empty() {
        return Err(MatrixError::Shape { found: shape });
    }
    let mut metadata = None;
    if !ids.is_empty() {
        check_id_count(ids, m.nrows())?;
        let list = serde_json::to_string(ids).map_err(|source| MatrixError::Ids { source })?;
        // One entry only: the crate writes entries in hash order.
        metadata = Some(HashMap::from([(IDS_KEY.to_owned(), list)]));
    }
    let mut data = Vec::with_capacity(m.len() * 4);
    for ((row, column), value) in m.indexed_iter() {
        data.extend_from_slice(&finite(*value, row, column)?.to_le_bytes());
    }
    let error = |source| MatrixError::Safetensors { source };
    let view = TensorView::new(Dtype::F32, shape, &data).map_err(error)?;
    safetensors::tensor::serialize([(name, view)], metadata).map_err(error)
}

fn check_id_count(ids: &[String], rows: usize) -> Result<(), MatrixError> {
    if ids.len() == rows {
        return Ok(());
    }
    Err(MatrixError::IdCount {
        ids: ids.len(),
        rows,
    })
}

/// A floating-point type in a file.
#[derive(Debug, Clone, Copy)]
enum FloatType {
    F16,
    Bf16,
    F32,
    F64,
}

/// How the values of a file are laid out.
#[derive(Debug, Clone, Copy)]
struct Layout {
    kind: FloatType,
    big_endian: bool,
    column_major: bool,
}

impl Layout {
    fn little_endian(kind: FloatType) -> Self {
        Self {
            kind,
            big_endian: false,
            column_major: false,
        }
    }
}

/// Makes the matrix of raw data, after checking shape and length and each value.
fn matrix(data: &[u8], shape: &[usize], layout: Layout) -> Result<Array2<f32>, MatrixError> {
    match layout.kind {
        FloatType::F16 => fill(data, shape, layout, |b| f16::from_le_bytes(b).to_f32()),
        FloatType::Bf16 => fill(data, shape, layout, |b| bf16::from_le_bytes(b).to_f32()),
        FloatType::F32 => fill(data, shape, layout, f32::from_le_bytes),
        FloatType::F64 => fill(data, shape, layout, |b| f64::from_le_bytes(b) as f32),
    }
}

/// [`matrix`] for values of `N` bytes.
fn fill<const N: usize>(
    data: &[u8],
    shape: &[usize],
    layout: Layout,
    value: impl Fn([u8; N]) -> f32,
) -> Result<Array2<f32>, MatrixError> {
    let (rows, columns) = size(data.len(), shape, N)?;
    let (values, _) = data.as_chunks::<N>();
    let at = |row: usize, column: usize| {
        let index = if layout.column_major {
            column * rows + row
        } else {
            row * columns + column
        };
        let mut bytes = values[index];
        if layout.big_endian {
            bytes.reverse();
        }
        finite(value(bytes), row, column)
    };
    let mut matrix = Array2::zeros((rows, columns));
    for ((row, column), cell) in matrix.indexed_iter_mut() {
        *cell = at(row, column)?;
    }
    Ok(matrix)
}

/// Rows and columns, after checking that so many values of some bytes are what was found.
fn size(found: usize, shape: &[usize], bytes: usize) -> Result<(usize, usize), MatrixError> {
    let wrong_shape = || MatrixError::Shape {
        found: shape.to_vec(),
    };
    let &[rows, columns] = shape else {
        return Err(wrong_shape());
    };
    if rows == 0 || columns == 0 {
        return Err(wrong_shape());
    }
    let expected = rows
        .checked_mul(columns)
        .and_then(|count| count.checked_mul(bytes))
        .ok_or_else(wrong_shape)?;
    if found != expected {
        return Err(MatrixError::Length {
            shape: shape.to_vec(),
            expected,
            found,
        });
    }
    Ok((rows, columns))
}

fn finite(value: f32, row: usize, column: usize) -> Result<f32, MatrixError> {
    if value.is_finite() {
        return Ok(value);
    }
    Err(MatrixError::NonFinite {
        row,
        id: None,
        column,
        value,
    })
}

#[cfg(test)]
mod tests;
