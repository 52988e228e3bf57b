//! JSON: an object a line, or one list of objects, as pandas' `orient="records"` writes it.

use std::cell::RefCell;
use std::io::Read as _;
use std::path::Path;

use serde_json::{Map, Value};

use super::names::Columns;
use super::text::{Encoding, Lines, Source, as_latin};
use super::{Location, Row};
use crate::dataset::DatasetError;
use crate::io::{self, IoError};

/// The largest list that is read, in bytes: it is held as a whole.
const MAX_LIST_BYTES: u64 = 1 << 30;

/// Calls `each` with every object; see [`super::for_each`].
pub(super) fn for_each(
    path: &Path,
    each: &mut dyn FnMut(&Row<'_>) -> Result<(), DatasetError>,
) -> Result<Vec<String>, DatasetError> {
    let lines = RefCell::new(Lines::default());
    let source = Source::open(path, &lines)?;
    let first = source
        .head()
        .iter()
        .find(|byte| !byte.is_ascii_whitespace());
    let list = first == Some(&b'[');
    let plain = source.encoding == Encoding::Utf8;
    // CR alone ends lines too, and JSON has it nowhere else.
    let bare = source
        .head()
        .windows(2)
        .any(|pair| pair[0] == b'\r' && pair[1] != b'\n');
    let mut objects = Objects::default();
    if list || !plain || bare || super::extension(path) == "json" {
        let bytes = whole(path, source)?;
        in_text(path, &bytes, &mut |line, cells| {
            objects.give(path, line, &cells, each)
        })?;
    } else {
        for item in io::jsonl::lines(path)? {
            let (line, text) = item.map_err(|error| named(path, error))?;
            objects.give(path, line, &io::jsonl::parse(path, line, &text)?, each)?;
        }
    }
    Ok(objects.said)
}

/// What objects said so far.
#[derive(Default)]
struct Objects {
    /// The keys of the object before: mostly those of the next.
    columns: Option<Columns>,
    said: Vec<String>,
}

impl Objects {
    fn give(
        &mut self,
        path: &Path,
        line: usize,
        cells: &Map<String, Value>,
        each: &mut dyn FnMut(&Row<'_>) -> Result<(), DatasetError>,
    ) -> Result<(), DatasetError> {
        let same = |columns: &Columns| columns.names().iter().eq(cells.keys());
        if !self.columns.as_ref().is_some_and(same) {
            let columns = Columns::new(cells.keys().cloned().collect());
            for sentence in columns.sentences(path) {
                if !self.said.contains(&sentence) {
                    self.said.push(sentence);
                }
            }
            self.columns = Some(columns);
        }
        match &self.columns {
            Some(columns) => each(&Row::of_cells(Location { path, line }, columns, cells)),
            None => Ok(()),
        }
    }
}

/// All of a file.
fn whole(path: &Path, source: Source<'_>) -> Result<Vec<u8>, DatasetError> {
    let mut bytes = Vec::new();
    let count = source
        .take(MAX_LIST_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(|source| IoError::Read {
            path: path.to_owned(),
            source,
        })?;
    if count as u64 > MAX_LIST_BYTES {
        return Err(DatasetError::Io(IoError::TooLarge {
            path: path.to_owned(),
            bytes: count as u64,
            limit: MAX_LIST_BYTES,
        }));
    }
    if let Err(error) = std::str::from_utf8(&bytes) {
        let at = error.valid_up_to();
        return Err(not_utf8(path, lines_before(&bytes[..at]), &bytes[at..]));
    }
    Ok(bytes)
}

/// The objects of a list, or one after the other, each with the line that it begins in.
fn in_text(
    path: &Path,
    bytes: &[u8],
    give: &mut dyn FnMut(usize, Map<String, Value>) -> Result<(), DatasetError>,
) -> Result<(), DatasetError> {
    let blank = |from: usize| {
        let more = bytes[from..].iter();
        from + more.take_while(|byte| byte.is_ascii_whitespace()).count()
    };
    let (mut at, mut line, mut seen, mut count) = (blank(0), 1, 0, 0);
    let list = bytes.get(at) == Some(&b'[');
    if list {
        at = blank(at + 1);
    }
    loop {
        line += lines_before(&bytes[seen..at]) - 1;
        seen = at;
        let bad = |expected: &str| DatasetError::BadLine {
            place: Location { path, line }.to_string(),
            expected: expected.to_owned(),
        };
        match bytes.get(at) {
            None if list => return Err(bad("a list that ends with ]: was the file cut off?")),
            None => return Ok(()),
            Some(b']') if list && blank(at + 1) == bytes.len() => return Ok(()),
            Some(b']') if list => return Err(bad("nothing after the list")),
            _ => {}
        }
        let mut objects = serde_json::Deserializer::from_slice(&bytes[at..]).into_iter();
        let object: Map<String, Value> = match objects.next() {
            Some(Ok(object)) => object,
            Some(Err(source)) => {
                return Err(DatasetError::Io(IoError::Json {
                    path: path.to_owned(),
                    line: line + source.line().saturating_sub(1),
                    source,
                }));
            }
            None => return Ok(()),
        };
        at = blank(at + objects.byte_offset());
        count += 1;
        if !list && count == 1 && at == bytes.len() && is_turned(&object) {
            return Err(bad(
                "a list of objects, one a row (pandas: df.to_json(orient=\"records\")), not one object \
                 of columns",
            ));
        }
        give(line, object)?;
        match bytes.get(at) {
            Some(b',') if list => at = blank(at + 1),
            Some(b']') | None => {}
            Some(_) if list => return Err(bad("a comma between two objects of a list")),
            Some(_) => {}
        }
    }
}

/// Whether an object is a table of columns, or of rows by a key.
fn is_turned(object: &Map<String, Value>) -> bool {
    let deep = |value: &Value| value.is_object() || value.is_array();
    let columns = Columns::new(object.keys().cloned().collect());
    let keyed = columns.index("path").or(columns.index("id"));
    !object.is_empty()
        && match keyed {
            Some(index) => object.get(&columns.names()[index]).is_some_and(deep),
            None => true,
        }
}

/// The line that the end of some bytes is in, from 1.
fn lines_before(bytes: &[u8]) -> usize {
    let breaks = bytes.iter().enumerate().filter(|(at, byte)| match byte {
        b'\n' => *at == 0 || bytes[at - 1] != b'\r',
        byte => **byte == b'\r',
    });
    1 + breaks.count()
}

/// A line in another encoding, with what it may read as.
fn named(path: &Path, error: IoError) -> DatasetError {
    match error {
        IoError::NotUtf8 {
            line: Some(line),
            source,
            ..
        } => {
            // Once, on the way out.
            let text = io::read(path).unwrap_or_default();
            let of_line = text.split(|byte| *byte == b'\n').nth(line - 1);
            let rest = of_line.and_then(|bytes| bytes.get(source.valid_up_to()..));
            not_utf8(path, line, rest.unwrap_or_default())
        }
        other => other.into(),
    }
}

fn not_utf8(path: &Path, line: usize, bytes: &[u8]) -> DatasetError {
    DatasetError::NotUtf8 {
        place: Location { path, line }.to_string(),
        column: None,
        seen: as_latin(&bytes[..bytes.len().min(12)]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(name: &str, text: &str) -> Result<Vec<(usize, String)>, DatasetError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        let mut rows = Vec::new();
        for_each(&path, &mut |row| {
            rows.push((row.place.line, row.required("path")?));
            Ok(())
        })?;
        Ok(rows)
    }

    #[test]
    fn a_list_of_objects_is_read_with_the_line_of_each() {
        let wanted = [(2, "a".to_owned()), (5, "b".to_owned())];
        for end in ["\n", "\r\n", "\r"] {
            let text = [
                "[",
                "{\"path\": \"a\"},",
                "",
                "",
                "{",
                "\"path\": \"b\"}",
                "]",
                "",
            ]
            .join(end);
            for name in ["t.json", "t.jsonl"] {
                assert_eq!(rows(name, &text).unwrap(), wanted, "{name} {end:?}");
            }
            let text = ["", "{\"path\": \"a\"}", "", "", "{\"path\": \"b\"}"].join(end);
            for name in ["t.json", "t.jsonl"] {
                assert_eq!(rows(name, &text).unwrap(), wanted, "{name} {end:?}");
            }
        }
        assert_eq!(rows("t.json", "[]").unwrap(), []);
    }

    #[test]
    fn what_is_no_list_of_rows_is_named() {
        for (text, words) in [
            ("{\"path\": {\"0\": \"a\"}}", "orient=\"records\""),
            ("{\"val/a.jpg\": \"cat\"}", "orient=\"records\""),
            ("[{\"path\": \"a\"}\n{}]", "a comma between"),
            ("[{\"path\": \"a\"}", "cut off"),
            ("[{\"path\": \"a\"}] x", "nothing after"),
        ] {
            let error = rows("t.json", text).unwrap_err();
            assert!(error.to_string().contains(words), "{error}");
        }
        let error = rows("t.json", "[{\"path\": \"a\"},\n\n{\"path\": }]").unwrap_err();
        assert!(
            matches!(error, DatasetError::Io(IoError::Json { line: 3, .. })),
            "{error:?}"
        );
    }
}
