//! CSV: the separator is told from the header, lines are counted as editors count them.

use std::cell::{Cell, RefCell};
use std::io::Read;
use std::path::Path;

use super::names::Columns;
use super::text::{Encoding, Lines, Source, as_latin};
use super::{Location, Row};
use crate::dataset::{Contradiction, DatasetError};
use crate::io::jsonl::MAX_LINE_BYTES;

/// What may stand between cells, and what it is called.
const SEPARATORS: [(u8, &str); 4] = [
    (b',', "commas"),
    (b';', "semicolons"),
    (b'\t', "tabs"),
    (b'|', "bars"),
];

/// Calls `each` with every row; see [`super::for_each`].
pub(super) fn for_each(
    path: &Path,
    each: &mut dyn FnMut(&Row<'_>) -> Result<(), DatasetError>,
) -> Result<Vec<String>, DatasetError> {
    let lines = RefCell::new(Lines::default());
    let mut source = Source::open(path, &lines)?;
    let encoding = source.encoding;
    let separator = separator(path, &mut source)?;
    let record_bytes = Cell::new(0);
    let mut reader = ::csv::ReaderBuilder::new()
        .buffer_capacity(1 << 16)
        .delimiter(separator)
        .flexible(true)
        .has_headers(false)
        .from_reader(Bounded {
            source,
            read: &record_bytes,
        });
    let mut bytes = ::csv::ByteRecord::new();
    let mut columns: Option<Columns> = None;
    loop {
        let start = reader.position().byte();
        let read = reader.read_byte_record(&mut bytes);
        let line = lines.borrow_mut().number(start);
        let place = Location { path, line };
        let more = read.map_err(|source| DatasetError::Csv {
            place: place.to_string(),
            source,
        })?;
        if !more {
            break;
        }
        let record = text(&bytes, columns.as_ref(), place)?;
        match &columns {
            None => columns = Some(header(&record, place)?),
            Some(columns) => {
                if record.len() != columns.names().len() {
                    return Err(DatasetError::CellCount {
                        place: place.to_string(),
                        found: record.len(),
                        expected: columns.names().len(),
                    });
                }
                each(&Row::of_record(place, columns, &record, separator != b','))?;
            }
        }
        record_bytes.set(0);
    }
    let mut said = columns.map_or_else(Vec::new, |columns| columns.sentences(path));
    if encoding != Encoding::Utf8 {
        said.push(format!("{} is read as UTF-16", path.display()));
    }
    if let Some((_, name)) = SEPARATORS
        .iter()
        .find(|(byte, _)| *byte == separator && *byte != b',')
    {
        said.push(format!("{}: cells are separated by {name}", path.display()));
    }
    Ok(said)
}

/// The columns that the first record names.
fn header(record: &::csv::StringRecord, place: Location<'_>) -> Result<Columns, DatasetError> {
    let names: Vec<String> = record.iter().map(|name| name.trim().to_owned()).collect();
    for (index, name) in names.iter().enumerate() {
        // pandas writes its index under an empty name, perhaps twice.
        if !name.is_empty() && names[..index].contains(name) {
            return Err(DatasetError::DuplicateColumn {
                place: place.to_string(),
                column: name.clone(),
            });
        }
    }
    Ok(Columns::new(names))
}

/// A record as text.
fn text(
    bytes: &::csv::ByteRecord,
    columns: Option<&Columns>,
    place: Location<'_>,
) -> Result<::csv::StringRecord, DatasetError> {
    ::csv::StringRecord::from_byte_record(bytes.clone()).map_err(|error| {
        let field = error.utf8_error().field();
        let names = columns.map_or(&[][..], Columns::names);
        DatasetError::NotUtf8 {
            place: place.to_string(),
            column: names.get(field).cloned(),
            seen: as_latin(bytes.get(field).unwrap_or_default()),
        }
    })
}

/// The byte that separates cells, told from the header; a line `sep=;`, as Excel reads it, is passed over.
fn separator(path: &Path, source: &mut Source<'_>) -> Result<u8, DatasetError> {
    let head = source.head();
    let end = head.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
    let first = &head[..end.unwrap_or(head.len())];
    if let [b's', b'e', b'p', b'=', separator] = first {
        let separator = *separator;
        let line = first.len();
        let breaks = source.head()[line..].iter().take(2);
        let count = match breaks.copied().collect::<Vec<u8>>()[..] {
            [b'\r', b'\n'] => 2,
            [_, ..] => 1,
            [] => 0,
        };
        source.skip(line + count);
        return Ok(separator);
    }
    if super::extension(path) == "tsv" {
        return Ok(b'\t');
    }
    let header = String::from_utf8_lossy(first).into_owned();
    let counted: Vec<(usize, usize)> = SEPARATORS
        .iter()
        .map(|(byte, _)| {
            let names = cells(&header, char::from(*byte));
            (Columns::known(&names), names.len())
        })
        .collect();
    let best = counted.iter().map(|(known, _)| *known).max().unwrap_or(0);
    let of_best = counted.iter().zip(SEPARATORS);
    let mut of_best = of_best.filter(|((known, cells), _)| *known == best && *cells > 1);
    match (of_best.next(), of_best.next()) {
        (Some((_, (first, _))), None) => Ok(first),
        (Some((_, (_, first))), Some((_, (_, second)))) if best > 0 => {
            Err(Contradiction::Separators {
                path: path.to_owned(),
                first,
                second,
            }
            .into())
        }
        _ => Ok(b','),
    }
}

/// The cells of a header, without quotation marks.
fn cells(header: &str, separator: char) -> Vec<String> {
    let mut quoted = false;
    let cells = header.split(|c| {
        quoted ^= c == '"';
        c == separator && !quoted
    });
    cells
        .map(|cell| cell.trim_matches(['"', ' ']).to_owned())
        .collect()
}

/// A text file, which fails where one record is longer than any real one: without a line break, or
/// after a quotation mark that is never closed, the rest of the file would be one.
struct Bounded<'a> {
    source: Source<'a>,
    /// Bytes read since the last record.
    read: &'a Cell<usize>,
}

impl Read for Bounded<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let count = self.source.read(into)?;
        let read = self.read.get() + count;
        self.read.set(read);
        if read > MAX_LINE_BYTES {
            let text = format!(
                "a row of more than {MAX_LINE_BYTES} bytes: is a quotation mark not closed?"
            );
            return Err(std::io::Error::other(text));
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lines with path and label, and sentences.
    type Read = (Vec<(usize, String)>, Vec<String>);

    /// Every row's line and its first two columns; what was said.
    fn rows(name: &str, bytes: &[u8]) -> Result<Read, DatasetError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        let mut rows = Vec::new();
        let said = for_each(&path, &mut |row| {
            let label = row.text("label")?.unwrap_or_default();
            rows.push((row.place.line, format!("{}={label}", row.required("path")?)));
            Ok(())
        })?;
        Ok((rows, said))
    }

    #[test]
    fn lines_are_counted_as_editors_count_them() {
        for end in ["\n", "\r\n", "\r"] {
            let text = ["path,label", "a,1", "", "\"b", "c\",2", "d,3", ""].join(end);
            let (rows, said) = rows("t.csv", text.as_bytes()).unwrap();
            let lines: Vec<usize> = rows.iter().map(|row| row.0).collect();
            assert_eq!((lines, said.len()), (vec![2, 4, 6], 0), "{end:?}");
        }
        let long = format!("path,label\r\n{}bad\r\n", "a,1\r\n".repeat(40_000));
        let error = rows("t.csv", long.as_bytes()).unwrap_err();
        assert!(
            matches!(&error, DatasetError::CellCount { place, found: 1, expected: 2 }
                if place.ends_with("line 40002")),
            "{error:?}"
        );
    }

    #[test]
    fn separators_are_told_from_the_header() {
        for (name, text) in [
            ("t.csv", "path;label\na,b;x\n"),
            ("t.csv", "path\tlabel\na,b\tx\n"),
            ("t.tsv", "path\tlabel\na,b\tx\n"),
            ("t.csv", "\"path\"|\"label\"\na,b|x\n"),
            ("t.csv", "sep=;\r\npath;label\r\na,b;x\r\n"),
        ] {
            let (rows, said) = rows(name, text.as_bytes()).unwrap();
            let line = text.matches('\n').count();
            assert_eq!(rows, [(line, "a,b=x".to_owned())], "{text:?}");
            assert!(
                said.iter().any(|said| said.contains("separated by")),
                "{said:?}"
            );
        }
        let error = rows("t.csv", b"path;pred,label\n").unwrap_err();
        assert!(
            matches!(&error, DatasetError::Contradiction(two) if matches!(**two, Contradiction::Separators { .. })),
            "{error:?}"
        );
    }

    #[test]
    fn utf_16_is_read_and_other_encodings_are_named() {
        let text = "path,label\r\nä🦊,x\r\n";
        let le: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let be: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        for bytes in [
            [&[0xff, 0xfe][..], &le].concat(),
            [&[0xfe, 0xff][..], &be].concat(),
            le,
            be,
        ] {
            let (rows, said) = rows("t.csv", &bytes).unwrap();
            assert_eq!(rows, [(2, "ä🦊=x".to_owned())]);
            assert!(said[0].ends_with("is read as UTF-16"), "{said:?}");
        }
        let error = rows("t.csv", b"path,label\r\na,x\r\nb,caf\xe9\r\n").unwrap_err();
        let DatasetError::NotUtf8 {
            place,
            column,
            seen,
        } = &error
        else {
            panic!("{error:?}");
        };
        assert!(place.ends_with("line 3") && column.as_deref() == Some("label") && seen == "café");
        let error = rows("t.csv", b"\xff\xfe\0\0p\0\0\0").unwrap_err();
        assert!(matches!(error, DatasetError::Encoding { .. }), "{error:?}");
    }
}
