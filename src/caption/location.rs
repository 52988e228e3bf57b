//! Where in a file something stands.

use std::fmt;
use std::ops::Range;

/// A line and a column of a file, both from 1; columns count characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// The file.
    pub origin: String,
    /// Line, from 1.
    pub line: usize,
    /// Column, from 1.
    pub column: usize,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            origin,
            line,
            column,
        } = self;
        write!(f, "{origin}, line {line}, column {column}")
    }
}

/// A text that is being read, for places in it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source<'a> {
    pub(super) origin: &'a str,
    pub(super) text: &'a str,
}

impl Source<'_> {
    /// The place of a byte.
    pub(super) fn at(&self, byte: usize) -> Location {
        let before = self.text.get(..byte).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Location {
            origin: self.origin.to_owned(),
            line: before.bytes().filter(|&b| b == b'\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
        }
    }

    /// The place of a byte of a string's value, the string itself standing at `span`.
    ///
    /// The string's own place where escapes make its text another than its value.
    pub(super) fn inside(&self, span: Range<usize>, value: &str, byte: usize) -> Location {
        let raw = self.text.get(span.clone()).unwrap_or_default();
        match raw.find(value) {
            Some(begin) if !value.is_empty() => self.at(span.start + begin + byte),
            _ => self.at(span.start),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters() {
        let source = Source {
            origin: "f",
            text: "a\nb = \"ü{c}\"\nd = \"\\u0041{c}\"",
        };
        let span = 6..13;
        assert_eq!(&source.text[span.clone()], "\"ü{c}\"");
        let place = source.inside(span, "ü{c}", 2);
        assert_eq!(place.to_string(), "f, line 2, column 7");
        let place = source.inside(18..29, "A{c}", 1);
        assert_eq!((place.line, place.column), (3, 5), "the string itself");
        assert_eq!(source.at(0).to_string(), "f, line 1, column 1");
    }
}
