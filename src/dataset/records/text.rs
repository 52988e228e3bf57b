//! The bytes of a text file as UTF-8, with the place of every line in them.
//!
//! A line ends with LF, CR LF or CR. UTF-16 is recognised by its mark, or by the zeros that it puts into
//! every plain letter. What is neither is not guessed at: of the many encodings with a byte a letter none can
//! be told from another.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fs::File;
use std::io::{Error, ErrorKind, Read};
use std::path::Path;

use crate::dataset::DatasetError;
use crate::io;

/// How many bytes of a file say what it is.
const HEAD: usize = 1 << 16;

/// How the letters of a file are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Utf8,
    Utf16Le,
    Utf16Be,
}

/// A text file, read from its beginning.
pub(super) struct Source<'a> {
    file: File,
    pub(super) encoding: Encoding,
    /// UTF-8 that was decoded and not given yet.
    ready: Vec<u8>,
    /// How much of it was given.
    given: usize,
    /// Bytes of a letter that is not whole yet.
    rest: Vec<u8>,
    lines: &'a RefCell<Lines>,
}

/// Where lines begin, as far as they were given.
#[derive(Debug)]
pub(super) struct Lines {
    /// Offsets of the first byte of lines that are not empty, with their numbers from 1.
    starts: VecDeque<(u64, usize)>,
    offset: u64,
    line: usize,
    /// Whether the line has a byte yet.
    begun: bool,
    /// Whether the byte before was CR.
    after_cr: bool,
}

impl Default for Lines {
    fn default() -> Self {
        Self {
            starts: VecDeque::new(),
            offset: 0,
            line: 1,
            begun: false,
            after_cr: false,
        }
    }
}

impl Lines {
    fn pass(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            match byte {
                b'\n' if self.after_cr => {}
                b'\n' | b'\r' => {
                    self.line += 1;
                    self.begun = false;
                }
                _ if self.begun => {}
                _ => {
                    self.begun = true;
                    self.starts.push_back((self.offset, self.line));
                }
            }
            self.after_cr = byte == b'\r';
            self.offset += 1;
        }
    }

    /// The number of the first line that begins at an offset or after it; those before are forgotten.
    pub(super) fn number(&mut self, offset: u64) -> usize {
        while self.starts.front().is_some_and(|(at, _)| *at < offset) {
            self.starts.pop_front();
        }
        self.starts.front().map_or(self.line, |(_, line)| *line)
    }
}

impl<'a> Source<'a> {
    pub(super) fn open(path: &Path, lines: &'a RefCell<Lines>) -> Result<Self, DatasetError> {
        let (mut file, _) = io::open(path)?;
        let mut head = Vec::new();
        let failed = |source| io::IoError::Read {
            path: path.to_owned(),
            source,
        };
        let mut first = (&mut file).take(HEAD as u64);
        first.read_to_end(&mut head).map_err(failed)?;
        let (encoding, mark) = told(&head).ok_or_else(|| DatasetError::Encoding {
            path: path.to_owned(),
        })?;
        let mut source = Self {
            file,
            encoding,
            ready: Vec::new(),
            given: 0,
            rest: Vec::new(),
            lines,
        };
        source.decode(&head[mark..]).map_err(failed)?;
        Ok(source)
    }

    /// What is ready of the beginning, before any of it was given.
    pub(super) fn head(&self) -> &[u8] {
        &self.ready[self.given..]
    }

    /// Passes over bytes of the beginning.
    pub(super) fn skip(&mut self, count: usize) {
        let bytes = &self.ready[self.given..self.given + count];
        self.lines.borrow_mut().pass(bytes);
        self.given += count;
        // Offsets are those of what follows.
        let mut lines = self.lines.borrow_mut();
        lines.offset = 0;
        lines.starts.clear();
    }

    /// Decodes bytes of the file.
    fn decode(&mut self, bytes: &[u8]) -> Result<(), Error> {
        if self.encoding == Encoding::Utf8 {
            self.ready.extend_from_slice(bytes);
            return Ok(());
        }
        self.rest.extend_from_slice(bytes);
        let pairs = self.rest.chunks_exact(2);
        let mut units: Vec<u16> = pairs
            .map(|pair| match self.encoding {
                Encoding::Utf16Be => u16::from_be_bytes([pair[0], pair[1]]),
                _ => u16::from_le_bytes([pair[0], pair[1]]),
            })
            .collect();
        // The first half of a letter waits for the second.
        if units
            .last()
            .is_some_and(|unit| (0xd800..0xdc00).contains(unit))
        {
            units.pop();
        }
        let text = String::from_utf16(&units).map_err(|_not| {
            Error::new(ErrorKind::InvalidData, "not the UTF-16 that it begins as")
        })?;
        self.rest.drain(..2 * units.len());
        self.ready.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

impl Read for Source<'_> {
    fn read(&mut self, into: &mut [u8]) -> Result<usize, Error> {
        while self.given == self.ready.len() {
            self.ready.clear();
            self.given = 0;
            let mut bytes = [0; 1 << 13];
            let count = self.file.read(&mut bytes)?;
            if count == 0 {
                if self.rest.is_empty() {
                    return Ok(0);
                }
                let text = "the file ends in the middle of a letter of UTF-16";
                return Err(Error::new(ErrorKind::UnexpectedEof, text));
            }
            self.decode(&bytes[..count])?;
        }
        let bytes = &self.ready[self.given..];
        let count = bytes.len().min(into.len());
        into[..count].copy_from_slice(&bytes[..count]);
        self.lines.borrow_mut().pass(&bytes[..count]);
        self.given += count;
        Ok(count)
    }
}

/// The encoding that the beginning of a file tells, and the length of its mark; none for one that is not read.
fn told(head: &[u8]) -> Option<(Encoding, usize)> {
    match head {
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => return None,
        [0xef, 0xbb, 0xbf, ..] => return Some((Encoding::Utf8, 3)),
        [0xff, 0xfe, ..] => return Some((Encoding::Utf16Le, 2)),
        [0xfe, 0xff, ..] => return Some((Encoding::Utf16Be, 2)),
        _ => {}
    }
    // A header without a mark is plain letters: every second byte is 0.
    let pairs = head[..head.len().min(16)].chunks_exact(2);
    let zeros = |at: usize| pairs.clone().filter(|pair| pair[at] == 0).count();
    let (first, second, all) = (zeros(0), zeros(1), pairs.len());
    Some(match () {
        () if all > 3 && first == 0 && second == all => (Encoding::Utf16Le, 0),
        () if all > 3 && second == 0 && first == all => (Encoding::Utf16Be, 0),
        () => (Encoding::Utf8, 0),
    })
}

/// What bytes that are not UTF-8 would read as in the encoding of Western European Windows.
pub(super) fn as_latin(bytes: &[u8]) -> String {
    bytes
        .iter()
        .take(40)
        .map(|&byte| char::from(byte))
        .collect()
}
