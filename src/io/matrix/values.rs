//! What a classifier says of images as an array: whole numbers `[n]`, or floating-point numbers `[n]` or `[n, k]`.

use std::path::Path;

use ndarray::Array2;

use super::{MatrixError, matrix, npy, parse};
use crate::io::IoError;

/// The values of an array.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    /// `[n]`, or `[n, 1]`, of any type of whole numbers.
    Integers(Vec<i64>),
    /// `[n, k]`; `[n]` as `[n, 1]`.
    Reals(Array2<f32>),
}

/// Reads a `.npy`, or a safetensors with the ids of its rows where it has them.
///
/// # Errors
///
/// Those of [`super::read_keyed`].
pub fn read_values(path: &Path) -> Result<(Values, Option<Vec<String>>), IoError> {
    let bytes = crate::io::map::map(path)?;
    values(&bytes).map_err(|source| IoError::Matrix {
        path: path.to_owned(),
        source,
    })
}

fn values(bytes: &[u8]) -> Result<(Values, Option<Vec<String>>), MatrixError> {
    if !bytes.starts_with(npy::MAGIC) {
        let (matrix, ids) = parse(bytes)?;
        return Ok((Values::Reals(matrix), ids));
    }
    let header = npy::header(bytes)?;
    if let Some(integers) = integers(&header)? {
        return Ok((Values::Integers(integers), None));
    }
    let found = npy::parse(bytes)?;
    let mut shape = found.shape;
    if shape.len() == 1 {
        shape.push(1);
    }
    let matrix = matrix(&bytes[found.data], &shape, found.layout)?;
    Ok((Values::Reals(matrix), None))
}

/// The values of a column of whole numbers; none for another type.
fn integers(header: &npy::Header<'_>) -> Result<Option<Vec<i64>>, MatrixError> {
    let Some((order, code)) = header.descr.split_at_checked(1) else {
        return Ok(None);
    };
    let (signed, width) = match code {
        "i1" => (true, 1),
        "i2" => (true, 2),
        "i4" => (true, 4),
        "i8" => (true, 8),
        "u1" => (false, 1),
        "u2" => (false, 2),
        "u4" => (false, 4),
        "u8" => (false, 8),
        _ => return Ok(None),
    };
    let Some(big_endian) = npy::big_endian(order) else {
        return Ok(None);
    };
    let shape = || MatrixError::Shape {
        found: header.shape.clone(),
    };
    let (&[rows] | &[rows, 1]) = header.shape.as_slice() else {
        return Err(shape());
    };
    if rows == 0 {
        return Err(shape());
    }
    if rows.checked_mul(width) != Some(header.data.len()) {
        return Err(MatrixError::NpyHeader {
            reason: format!(
                "{rows} values of {width} bytes, and {} bytes follow",
                header.data.len()
            ),
        });
    }
    let value = |bytes: &[u8]| {
        let mut wide = [0; 8];
        wide[..width].copy_from_slice(bytes);
        if big_endian {
            wide[..width].reverse();
        }
        let fill = if signed && wide[width - 1] >= 0x80 {
            0xff
        } else {
            0
        };
        wide[width..].fill(fill);
        i64::from_le_bytes(wide)
    };
    Ok(Some(header.data.chunks_exact(width).map(value).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn npy(descr: &str, shape: &str, data: &[u8]) -> Vec<u8> {
        let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}");
        let length = (header.len() as u16).to_le_bytes();
        [&b"\x93NUMPY\x01\x00"[..], &length, header.as_bytes(), data].concat()
    }

    #[test]
    fn whole_numbers_of_every_type() {
        for (descr, data, wanted) in [
            ("|i1", &[0xff, 2][..], [-1, 2]),
            ("|u1", &[0xff, 2], [255, 2]),
            ("<i2", &[0xff, 0xff, 2, 0], [-1, 2]),
            (">u2", &[1, 0, 0, 2], [256, 2]),
            ("<i4", &[0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0], [-1, 2]),
            (
                ">i8",
                &[0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 2],
                [256, 2],
            ),
        ] {
            for shape in ["(2,)", "(2, 1)"] {
                let (found, _) = values(&npy(descr, shape, data)).unwrap();
                assert_eq!(found, Values::Integers(wanted.to_vec()), "{descr}");
            }
        }
        for (shape, data) in [("(2, 2)", 4), ("(9,)", 2), ("(0,)", 0)] {
            assert!(
                values(&npy("|u1", shape, &vec![0; data])).is_err(),
                "{shape}"
            );
        }
    }

    #[test]
    fn a_column_of_reals_is_a_matrix_of_one_column() {
        let data = [0.5_f32, 2.0].map(f32::to_le_bytes).concat();
        let (found, ids) = values(&npy("<f4", "(2,)", &data)).unwrap();
        assert_eq!(found, Values::Reals(ndarray::array![[0.5], [2.0]]));
        assert!(ids.is_none());
    }
}
