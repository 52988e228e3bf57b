//! JSON files of ours: read by type, with the version of their format, and written whole or not at all.
//!
//! ```text
//! file ─▶ { schema, version } ─┬─ another schema: refused, with the version that reads it
//!                              └─ ours ─▶ the type, or an error that names file and key
//! ```
//!
//! Numbers come back to the last bit. JSON has no NaN and no infinity (`serde_json` writes `null`): where a
//! figure may be absent the type says `Option`, and [`JsonFile::write`] refuses what it could not read back.

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{Classified, ErrorKind, IoError};

/// Why a file could not be read as what it should be, or not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JsonFileError {
    /// The file could not be read or written.
    #[error(transparent)]
    Io(#[from] IoError),

    /// It is not the JSON expected there.
    #[error("{} is no sound {what}{}: {remedy}", path.display(), at(key))]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What it should be.
        what: &'static str,
        /// How to come by a sound one.
        remedy: &'static str,
        /// Where in it, as in `classes[0].cv_score`; empty for the whole.
        key: String,
        /// What the parser said.
        #[source]
        source: serde_json::Error,
    },

    /// It is of a format that this version does not read.
    #[error(
        "{} is a {what} of schema {found}, made by hardlight {}, and this version reads schema {readable}: \
         {remedy}, or use that version", path.display(), by(version)
    )]
    Schema {
        /// The file.
        path: PathBuf,
        /// What it is.
        what: &'static str,
        /// How to come by one of this version.
        remedy: &'static str,
        /// The schema that it names.
        found: u64,
        /// The schema that is read.
        readable: u32,
        /// The version of hardlight that wrote it; empty if it does not say.
        version: String,
    },

    /// What was to be written could not be read back: a number that is not finite.
    #[error("no {what} was written to {}{}: a figure has no form in JSON", path.display(), at(key))]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// What it was to be.
        what: &'static str,
        /// Where in it.
        key: String,
        /// What the parser said.
        #[source]
        source: serde_json::Error,
    },
}

impl Classified for JsonFileError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Io(error) => error.kind(),
            Self::Malformed { .. } | Self::Schema { .. } => ErrorKind::Input,
            Self::Unwritable { .. } => ErrorKind::Other,
        }
    }
}

fn at(key: &str) -> String {
    if key.is_empty() {
        String::new()
    } else {
        format!(", at `{key}`")
    }
}

fn by(version: &str) -> &str {
    if version.is_empty() {
        "of another version"
    } else {
        version
    }
}

/// What of a file of any version tells whether it can be read.
#[derive(Deserialize)]
struct Stamp {
    schema: u64,
    #[serde(default, alias = "hardlight")]
    version: String,
}

/// A JSON file with a type, whose key `schema` is the version of its format.
///
/// Implementors hold `schema` as a field, and the version of hardlight as `version` or `hardlight`.
pub trait JsonFile: Serialize + DeserializeOwned {
    /// The version of the format that is written, and the only one that is read.
    const SCHEMA: u32;

    /// What the file is, for messages: "detection report".
    const WHAT: &'static str;

    /// How to come by a sound file of this version, for messages: "run `hardlight detect` again".
    const REMEDY: &'static str;

    /// Reads the file.
    ///
    /// # Errors
    ///
    /// - [`JsonFileError::Io`].
    /// - [`JsonFileError::Schema`] for a file of another version.
    /// - [`JsonFileError::Malformed`], naming the key.
    fn read(path: &Path) -> Result<Self, JsonFileError> {
        let text = super::read_to_string(path)?;
        let malformed = |(key, source)| JsonFileError::Malformed {
            path: path.to_owned(),
            what: Self::WHAT,
            remedy: Self::REMEDY,
            key,
            source,
        };
        let Stamp { schema, version } = parse(&text).map_err(malformed)?;
        if schema != u64::from(Self::SCHEMA) {
            return Err(JsonFileError::Schema {
                path: path.to_owned(),
                what: Self::WHAT,
                remedy: Self::REMEDY,
                found: schema,
                readable: Self::SCHEMA,
                version,
            });
        }
        parse(&text).map_err(malformed)
    }

    /// Writes the file, indented, in the order of the type's fields; an existing one is replaced.
    ///
    /// # Errors
    ///
    /// [`JsonFileError::Io`], and [`JsonFileError::Unwritable`] for numbers that are not finite.
    fn write(&self, path: &Path) -> Result<(), JsonFileError> {
        let unwritable = |(key, source)| JsonFileError::Unwritable {
            path: path.to_owned(),
            what: Self::WHAT,
            key,
            source,
        };
        let mut text = serde_json::to_string_pretty(self)
            .map_err(|error| unwritable((String::new(), error)))?;
        parse::<Self>(&text).map_err(unwritable)?;
        text.push('\n');
        Ok(super::write_atomic(path, text.as_bytes())?)
    }
}

/// Parses JSON; an error comes with its key.
fn parse<T: DeserializeOwned>(text: &str) -> Result<T, (String, serde_json::Error)> {
    let mut reader = serde_json::Deserializer::from_str(text);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let key = error.path().to_string();
        let key = if key == "." { String::new() } else { key };
        (key, error.into_inner())
    })?;
    reader.end().map_err(|error| (String::new(), error))?;
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Note {
        schema: u32,
        version: String,
        lines: Vec<Line>,
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Line {
        share: f64,
        maybe: Option<f64>,
    }

    impl JsonFile for Note {
        const SCHEMA: u32 = 2;
        const WHAT: &'static str = "note";
        const REMEDY: &'static str = "make it again";
    }

    fn note(share: f64) -> Note {
        Note {
            schema: Note::SCHEMA,
            version: "9.9.9".to_owned(),
            lines: vec![Line { share, maybe: None }],
        }
    }

    #[test]
    fn what_is_written_reads_back_to_the_last_bit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("note.json");
        for share in [
            0.1 + 0.2,
            f64::MIN_POSITIVE,
            1.0 / 3.0,
            -0.0,
            5e-324,
            f64::MAX,
        ] {
            note(share).write(&path).unwrap();
            let read = Note::read(&path).unwrap().lines[0].share;
            assert_eq!(read.to_bits(), share.to_bits());
        }
    }

    #[test]
    fn numbers_that_are_not_finite_are_refused_by_their_key() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("note.json");
        for share in [f64::NAN, f64::INFINITY] {
            let error = note(share).write(&path).unwrap_err();
            let JsonFileError::Unwritable { key, .. } = &error else {
                panic!("{error:?}");
            };
            assert_eq!(
                (key.as_str(), error.kind()),
                ("lines[0].share", ErrorKind::Other)
            );
            assert!(!path.exists());
        }
    }

    #[test]
    fn other_versions_are_refused_by_the_version_that_wrote_them() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("note.json");
        for (text, says) in [
            (
                r#"{"schema": 1, "version": "0.1.0"}"#,
                "is a note of schema 1, made by hardlight 0.1.0, and this version reads schema 2: make it again, \
                 or use that version",
            ),
            (
                r#"{"schema": 3, "hardlight": "7.0.0"}"#,
                "is a note of schema 3, made by hardlight 7.0.0, and this version reads schema 2: make it again, \
                 or use that version",
            ),
            (
                r#"{"schema": 0}"#,
                "is a note of schema 0, made by hardlight of another version, and this version reads schema 2: \
                 make it again, or use that version",
            ),
        ] {
            super::super::write_atomic(&path, text.as_bytes()).unwrap();
            let error = Note::read(&path).unwrap_err();
            assert_eq!(error.to_string(), format!("{} {says}", path.display()));
            assert_eq!(error.kind(), ErrorKind::Input);
        }
    }

    #[test]
    fn damage_is_named_by_its_key() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("note.json");
        let body = |lines: &str| format!(r#"{{"schema": 2, "version": "x", "lines": {lines}}}"#);
        for (text, expected) in [
            (body(r#"[{"share": 1}, {"share": "a"}]"#), "lines[1].share"),
            (body(r#"[{"maybe": 1}]"#), "lines[0]"),
            (body("3"), "lines"),
            (body("[]") + "x", ""),
            ("[]".to_owned(), ""),
            (String::new(), ""),
            (r#"{"schema": "2"}"#.to_owned(), "schema"),
        ] {
            super::super::write_atomic(&path, text.as_bytes()).unwrap();
            match Note::read(&path) {
                Err(JsonFileError::Malformed { key, .. }) => assert_eq!(key, expected, "{text}"),
                other => panic!("{text}: {other:?}"),
            }
        }
    }

    #[test]
    fn a_missing_file_is_bad_input_and_a_wrong_place_is_not_the_disk() {
        let folder = tempfile::tempdir().unwrap();
        let error = Note::read(&folder.path().join("none.json")).unwrap_err();
        assert!(matches!(error, JsonFileError::Io(_)));
        assert_eq!(error.kind(), ErrorKind::Input);
    }
}
