//! JSON lines: one record a line, numbered, with a cap on the length of a line.
//!
//! Blank lines and a byte order mark are passed over; line numbers count them. A torn last line is
//! an error here: mending a journal is its owner's business, not the reader's.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::IoError;

/// The longest line that is read, in bytes: far above any real record.
pub const MAX_LINE_BYTES: usize = 16 << 20;

/// The lines of a text file with their one-based numbers, read as they are asked for.
///
/// After an error the iterator ends.
#[derive(Debug)]
pub struct Lines {
    path: PathBuf,
    reader: BufReader<File>,
    number: usize,
    limit: usize,
    done: bool,
}

/// Opens a file of lines, none longer than [`MAX_LINE_BYTES`].
///
/// # Errors
///
/// [`IoError::NotAFile`], [`IoError::Read`].
pub fn lines(path: &Path) -> Result<Lines, IoError> {
    lines_within(path, MAX_LINE_BYTES)
}

/// [`lines`] with another limit on the length of a line, in bytes without the line break.
///
/// # Errors
///
/// Those of [`lines`].
pub fn lines_within(path: &Path, limit: usize) -> Result<Lines, IoError> {
    let (file, _) = super::open(path)?;
    Ok(Lines {
        path: path.to_owned(),
        reader: BufReader::new(file),
        number: 0,
        limit,
        done: false,
    })
}

impl Lines {
    /// The next line that is not blank.
    fn advance(&mut self) -> Result<Option<(usize, String)>, IoError> {
        loop {
            let mut bytes = Vec::new();
            // The limit, its line break (two bytes on Windows), and one more to see it exceeded.
            let most = self.limit as u64 + 3;
            let count = (&mut self.reader)
                .take(most)
                .read_until(b'\n', &mut bytes)
                .map_err(|source| IoError::Read {
                    path: self.path.clone(),
                    source,
                })?;
            if count == 0 {
                return Ok(None);
            }
            self.number += 1;
            if bytes.last() == Some(&b'\n') {
                bytes.pop();
            }
            if bytes.last() == Some(&b'\r') {
                bytes.pop();
            }
            if bytes.len() > self.limit {
                return Err(IoError::LineTooLong {
                    path: self.path.clone(),
                    line: self.number,
                    limit: self.limit,
                });
            }
            let mut line = String::from_utf8(bytes).map_err(|error| IoError::NotUtf8 {
                path: self.path.clone(),
                line: Some(self.number),
                source: error.utf8_error(),
            })?;
            if self.number == 1 && line.starts_with('\u{feff}') {
                line.drain(..'\u{feff}'.len_utf8());
            }
            if !line.trim().is_empty() {
                return Ok(Some((self.number, line)));
            }
        }
    }
}

impl Iterator for Lines {
    type Item = Result<(usize, String), IoError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let item = self.advance().transpose();
        self.done = !matches!(item, Some(Ok(_)));
        item
    }
}

/// Reads every record with its one-based line number.
///
/// # Errors
///
/// Those of [`lines`], [`IoError::LineTooLong`], [`IoError::NotUtf8`], and [`IoError::Json`] with
/// the line that does not fit `T`.
pub fn read<T: DeserializeOwned>(path: &Path) -> Result<Vec<(usize, T)>, IoError> {
    lines(path)?
        .map(|item| {
            let (number, line) = item?;
            Ok((number, parse(path, number, &line)?))
        })
        .collect()
}

/// Parses one line of a file.
///
/// # Errors
///
/// [`IoError::Json`] naming the line.
pub fn parse<T: DeserializeOwned>(path: &Path, line: usize, text: &str) -> Result<T, IoError> {
    serde_json::from_str(text).map_err(|source| IoError::Json {
        path: path.to_owned(),
        line,
        source,
    })
}

/// Writes records, one a line, atomically.
///
/// NaN and infinities have no JSON form and become `null`: check them before.
///
/// # Errors
///
/// [`IoError::Json`] with the line of a record that has no JSON form, and [`IoError::Write`].
pub fn write<T: Serialize>(path: &Path, records: &[T]) -> Result<(), IoError> {
    super::write_atomic(path, &encode(path, records)?)
}

/// What [`write()`] writes.
///
/// # Errors
///
/// [`IoError::Json`] with the line of a record that has no JSON form.
pub fn encode<T: Serialize>(path: &Path, records: &[T]) -> Result<Vec<u8>, IoError> {
    let mut bytes = Vec::new();
    for (index, record) in records.iter().enumerate() {
        serde_json::to_writer(&mut bytes, record).map_err(|source| IoError::Json {
            path: path.to_owned(),
            line: index + 1,
            source,
        })?;
        bytes.push(b'\n');
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows.jsonl");
        std::fs::write(&path, bytes).unwrap();
        (folder, path)
    }

    #[test]
    fn numbers_count_blank_lines_and_the_mark_is_left_out() {
        let (_folder, path) = file(b"\xef\xbb\xbf[1]\r\n\n  \n[2]");
        let rows: Vec<(usize, Vec<u8>)> = read(&path).unwrap();
        assert_eq!(rows, [(1, vec![1]), (4, vec![2])]);
    }

    #[test]
    fn a_bad_record_is_named_by_its_line() {
        let (_folder, path) = file(b"[1]\n[2\n[3]\n");
        let error = read::<Vec<u8>>(&path).unwrap_err();
        assert!(matches!(error, IoError::Json { line: 2, .. }), "{error:?}");
    }

    #[test]
    fn the_limit_is_inclusive_and_an_error_ends_the_iteration() {
        let (_folder, path) = file(b"12345\r\n123456\n1\n");
        let mut lines = lines_within(&path, 5).unwrap();
        assert_eq!(lines.next().unwrap().unwrap(), (1, "12345".to_owned()));
        let error = lines.next().unwrap().unwrap_err();
        assert!(
            matches!(
                error,
                IoError::LineTooLong {
                    line: 2,
                    limit: 5,
                    ..
                }
            ),
            "{error:?}"
        );
        assert!(lines.next().is_none());
    }

    #[test]
    fn bad_text_is_refused() {
        let (_folder, path) = file(b"\"\xff\"\n");
        let error = read::<String>(&path).unwrap_err();
        assert!(matches!(error, IoError::NotUtf8 { .. }), "{error:?}");
    }

    #[test]
    fn what_is_written_is_read() {
        let (_folder, path) = file(b"");
        write(&path, &[("a", 1), ("b\n", 2)]).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"[\"a\",1]\n[\"b\\n\",2]\n");
    }
}
