//! A line with its seal.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{LedgerError, Measured, SCHEMA};

/// What stands between an attempt and its checksum.
pub(super) const SEAL: &str = ",\"checksum\":\"";

/// Hexadecimal digits of a checksum.
pub(super) const DIGITS: usize = 16;

/// A line as it is written, less its checksum.
#[derive(Serialize)]
struct Line<'a> {
    schema: u32,
    #[serde(flatten)]
    measured: &'a Measured,
}

/// A line as it is read, less its checksum.
#[derive(Deserialize)]
struct Record {
    #[serde(flatten)]
    measured: Measured,
}

/// The part of a line that every version has.
#[derive(Deserialize)]
struct Envelope {
    schema: u32,
}

/// Writes the line of an attempt.
pub(super) fn encode(entry: &Measured, bytes: &mut Vec<u8>) -> Result<(), serde_json::Error> {
    let schema = SCHEMA;
    let text = serde_json::to_string(&Line {
        schema,
        measured: entry,
    })?;
    let sum = checksum(text.as_bytes());
    bytes.extend_from_slice(&text.as_bytes()[..text.len() - 1]);
    bytes.extend_from_slice(SEAL.as_bytes());
    bytes.extend_from_slice(sum.as_bytes());
    bytes.extend_from_slice(b"\"}\n");
    Ok(())
}

/// Takes the checksum off a line, if it is right.
pub(super) fn unseal(line: &[u8]) -> Result<Vec<u8>, &'static str> {
    let line = line
        .strip_suffix(b"\n")
        .ok_or("it does not end with a line break")?;
    let missing = "it does not end with a checksum";
    let line = line.strip_suffix(b"\"}").ok_or(missing)?;
    let at = line.len().checked_sub(DIGITS).ok_or(missing)?;
    let (line, found) = line.split_at(at);
    let line = line.strip_suffix(SEAL.as_bytes()).ok_or(missing)?;
    let mut text = line.to_vec();
    text.push(b'}');
    if checksum(&text).as_bytes() != found {
        return Err("its checksum is another one");
    }
    Ok(text)
}

/// Parses a line whose checksum is right.
pub(super) fn decode(text: &[u8], path: &Path, line: usize) -> Result<Measured, LedgerError> {
    let failed = |source| LedgerError::Line {
        path: path.to_owned(),
        line,
        source,
    };
    let Envelope { schema } = serde_json::from_slice(text).map_err(failed)?;
    if schema != SCHEMA {
        let path = path.to_owned();
        let found = schema;
        return Err(LedgerError::Schema { path, line, found });
    }
    let Record { measured, .. } = serde_json::from_slice(text).map_err(failed)?;
    if measured.recipe.id() != measured.id {
        let (path, id) = (path.to_owned(), measured.id);
        return Err(LedgerError::Recipe { path, line, id });
    }
    Ok(measured)
}

/// The checksum of a line.
pub(super) fn checksum(text: &[u8]) -> String {
    blake3::hash(text).to_hex()[..DIGITS].to_owned()
}
