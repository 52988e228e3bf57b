//! A matrix that stays in its file.

use std::ops::Range;
use std::path::Path;

use memmap2::Mmap;
use ndarray::{Array2, ArrayView2, Axis, CowArray, Ix2, s};

use super::{Described, FloatType, Layout, MatrixError, describe, finite, matrix, size};
use crate::io::{IoError, map::map};

/// A `[n, d]` matrix, one example per row, every value finite.
///
/// One of 32-bit floats in row order, as almost all are, is read from the file where it lies: of a
/// matrix larger than the memory only what is looked at is there. Any other is converted.
#[derive(Debug)]
pub struct Matrix {
    storage: Storage,
    ids: Option<Vec<String>>,
}

#[derive(Debug)]
enum Storage {
    Mapped {
        map: Mmap,
        data: Range<usize>,
        shape: (usize, usize),
    },
    Held(Array2<f32>),
}

impl Matrix {
    /// Opens a matrix and checks every value.
    ///
    /// # Errors
    ///
    /// Those of [`super::read`].
    pub fn open(path: &Path) -> Result<Self, IoError> {
        let map = map(path)?;
        Self::of(map).map_err(|source| IoError::Matrix {
            path: path.to_owned(),
            source,
        })
    }

    fn of(map: Mmap) -> Result<Self, MatrixError> {
        let Described {
            data,
            shape,
            layout,
            ids,
        } = describe(&map)?;
        let bytes = &map[data.clone()];
        let Some(values) = floats(bytes, layout) else {
            let storage =
                Storage::Held(matrix(bytes, &shape, layout).map_err(|e| e.of(ids.as_deref()))?);
            return Ok(Self { storage, ids });
        };
        let (rows, columns) = size(bytes.len(), &shape, size_of::<f32>())?;
        for (at, value) in values.iter().enumerate() {
            finite(*value, at / columns, at % columns).map_err(|e| e.of(ids.as_deref()))?;
        }
        let shape = (rows, columns);
        let storage = Storage::Mapped { map, data, shape };
        Ok(Self { storage, ids })
    }

    /// All of it, `[n, d]`.
    pub fn view(&self) -> ArrayView2<'_, f32> {
        match &self.storage {
            Storage::Held(matrix) => matrix.view(),
            Storage::Mapped { map, data, shape } => {
                let layout = Layout::little_endian(FloatType::F32);
                let values = floats(&map[data.clone()], layout).unwrap_or_default();
                // The size was checked when it was opened.
                ArrayView2::from_shape(*shape, values)
                    .unwrap_or_else(|_| ArrayView2::from(&[] as &[[f32; 0]]))
            }
        }
    }

    /// The ids of its rows, where the file has them.
    pub fn ids(&self) -> Option<&[String]> {
        self.ids.as_deref()
    }

    /// Some rows, `[at.len(), d]`: a view where they follow each other, else a copy.
    ///
    /// # Panics
    ///
    /// On a row that is not there.
    pub fn rows(&self, at: &[usize]) -> CowArray<'_, f32, Ix2> {
        let run = at.windows(2).all(|pair| pair[1] == pair[0] + 1);
        match (at.first(), run) {
            (Some(&first), true) => {
                let end = first + at.len();
                self.view().slice_move(s![first..end, ..]).into()
            }
            _ => self.view().select(Axis(0), at).into(),
        }
    }

    /// Whether it stays in its file.
    pub fn is_mapped(&self) -> bool {
        matches!(self.storage, Storage::Mapped { .. })
    }
}

/// The values of bytes that are 32-bit floats of this machine in row order; none if they are not.
fn floats(bytes: &[u8], layout: Layout) -> Option<&[f32]> {
    let plain = matches!(layout.kind, FloatType::F32) && !layout.column_major;
    if !plain || layout.big_endian != cfg!(target_endian = "big") {
        return None;
    }
    // SAFETY: every pattern of bits is an f32.
    #[allow(unsafe_code)]
    let (before, values, after) = unsafe { bytes.align_to::<f32>() };
    (before.is_empty() && after.is_empty()).then_some(values)
}
