//! The `.npy` header: magic, version, length, and a Python dictionary of three known keys.
//!
//! Read here rather than with `ndarray-npy`, which knows no 16-bit floats and no byte-swapped
//! values, and allocates what the header asks for before it looks whether the file has it.
//!
//! Source: <https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>.

use super::{Described, FloatType, Layout, MatrixError};

/// The first bytes of every `.npy` file.
pub(super) const MAGIC: &[u8] = b"\x93NUMPY";

/// The longest header that is read, in bytes (a plain array needs under 128).
const MAX_HEADER: usize = 65_536;

/// What a header says.
pub(super) struct Header<'a> {
    /// The type of a value, as `NumPy` writes it.
    pub(super) descr: String,
    pub(super) column_major: bool,
    pub(super) shape: Vec<usize>,
    /// The values.
    pub(super) data: &'a [u8],
}

pub(super) fn header(bytes: &[u8]) -> Result<Header<'_>, MatrixError> {
    let (header, data) = split(bytes).ok_or_else(|| malformed("it is cut short"))?;
    if header.len() > MAX_HEADER {
        return Err(malformed(&format!("{} bytes long", header.len())));
    }
    let text = String::from_utf8_lossy(header);
    let descr = quoted(value(&text, "descr")?)
        .ok_or_else(|| malformed("its 'descr' is not a plain type"))?;
    let column_major = match value(&text, "fortran_order")? {
        rest if rest.starts_with("True") => true,
        rest if rest.starts_with("False") => false,
        _ => return Err(malformed("its 'fortran_order' is neither True nor False")),
    };
    let shape = tuple(value(&text, "shape")?)
        .ok_or_else(|| malformed("its 'shape' is not a tuple of numbers"))?;
    Ok(Header {
        descr: descr.to_owned(),
        column_major,
        shape,
        data,
    })
}

/// Whether values of a type stand with their highest byte first; none if it is no type of numbers.
pub(super) fn big_endian(order: &str) -> Option<bool> {
    match order {
        "<" | "|" => Some(false),
        ">" => Some(true),
        "=" => Some(cfg!(target_endian = "big")),
        _ => None,
    }
}

pub(super) fn parse(bytes: &[u8]) -> Result<Described, MatrixError> {
    let Header {
        descr,
        column_major,
        shape,
        data,
    } = header(bytes)?;
    let wrong_type = || MatrixError::ValueType {
        found: descr.clone(),
    };
    let (order, code) = descr.split_at_checked(1).ok_or_else(wrong_type)?;
    let kind = match code {
        "f2" => FloatType::F16,
        "f4" => FloatType::F32,
        "f8" => FloatType::F64,
        _ => return Err(wrong_type()),
    };
    let big_endian = big_endian(order)
        .filter(|_| order != "|")
        .ok_or_else(wrong_type)?;
    let layout = Layout {
        kind,
        big_endian,
        column_major,
    };
    Ok(Described {
        data: bytes.len() - data.len()..bytes.len(),
        shape,
        layout,
        ids: None,
    })
}

/// The header text and the data after it.
fn split(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let rest = bytes.get(MAGIC.len() + 2..)?;
    let (length, rest) = if *bytes.get(MAGIC.len())? == 1 {
        let (length, rest) = rest.split_first_chunk::<2>()?;
        (usize::from(u16::from_le_bytes(*length)), rest)
    } else {
        let (length, rest) = rest.split_first_chunk::<4>()?;
        (usize::try_from(u32::from_le_bytes(*length)).ok()?, rest)
    };
    rest.split_at_checked(length)
}

/// The text after `'key':`.
fn value<'a>(text: &'a str, key: &str) -> Result<&'a str, MatrixError> {
    [format!("'{key}'"), format!("\"{key}\"")]
        .iter()
        .find_map(|quoted| text.split_once(quoted.as_str()))
        .and_then(|(_, rest)| rest.trim_start().strip_prefix(':'))
        .map(str::trim_start)
        .ok_or_else(|| malformed(&format!("it has no '{key}'")))
}

/// The content of the string literal the text begins with.
fn quoted(text: &str) -> Option<&str> {
    let quote = text.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
    text[1..].split_once(quote).map(|(content, _)| content)
}

/// The numbers of the tuple the text begins with.
fn tuple(text: &str) -> Option<Vec<usize>> {
    let (content, _) = text.strip_prefix('(')?.split_once(')')?;
    content
        .split(',')
        .map(str::trim)
        .filter(|item| !item.is_empty())
        // Python 2 wrote long integers as `3L`.
        .map(|item| item.trim_end_matches('L').parse().ok())
        .collect()
}

fn malformed(reason: &str) -> MatrixError {
    MatrixError::NpyHeader {
        reason: reason.to_owned(),
    }
}
