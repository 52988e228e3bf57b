//! Nouns below a synset of WordNet, from the user's own `dict` folder.
//!
//! The files are those of `wndb(5WN)`: `index.noun`, a lemma a line with the byte offsets of its
//! synsets in the order of its senses, and `data.noun`, a synset a line:
//!
//! ```text
//! dog n 7 5 @ ~ #m #p %p 7 1 02084071 10114209 …
//! 02084071 05 n 03 dog 0 domestic_dog 0 Canis_familiaris 0 023 @ 02083346 n 0000 ~ 01322604 n 0000 … | gloss
//! ```
//!
//! `dog.n.01` is the first sense of the noun *dog*; `n02084071` the synset at that offset, which holds
//! for one version of WordNet alone (ImageNet's are 3.0).

use std::collections::{BTreeSet, VecDeque};
use std::path::{Path, PathBuf};

use crate::io::{self, Classified, ErrorKind, IoError};

/// The largest file of nouns that is read: WordNet 3.1's has 15 MB.
const LARGEST: u64 = 256 << 20;

/// Why WordNet could not be read, or has no such nouns.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WordNetError {
    /// A file could not be read.
    #[error(transparent)]
    Io(#[from] IoError),

    /// The name is not that of a noun's synset.
    #[error("{name:?} names no synset: expected LEMMA.n.NN as in dog.n.01, or n and 8 digits")]
    Name {
        /// The name.
        name: String,
    },

    /// The lemma is not in the index.
    #[error("{} has no noun {lemma:?}", path.display())]
    Lemma {
        /// The index.
        path: PathBuf,
        /// The lemma.
        lemma: String,
    },

    /// The lemma has fewer senses.
    #[error("{}, line {line}: {lemma:?} has {senses} senses, sense {sense} was asked for", path.display())]
    Sense {
        /// The index.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// The lemma.
        lemma: String,
        /// Its senses.
        senses: usize,
        /// The sense.
        sense: usize,
    },

    /// A line of the index is not as `wndb(5WN)` has it.
    #[error("{}, line {line}: expected {expected}", path.display())]
    Index {
        /// The index.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// What should stand there.
        expected: &'static str,
    },

    /// A synset is not as `wndb(5WN)` has it.
    #[error("{}, byte {offset}: expected {expected}", path.display())]
    Data {
        /// The data file.
        path: PathBuf,
        /// Where the synset begins.
        offset: usize,
        /// What should stand there.
        expected: &'static str,
    },
}

impl Classified for WordNetError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Io(error) => error.kind(),
            _ => ErrorKind::Input,
        }
    }
}

/// The nouns of a WordNet.
#[derive(Debug)]
pub struct WordNet {
    index: (PathBuf, Vec<u8>),
    data: (PathBuf, Vec<u8>),
}

/// A synset's words, and the synsets directly below it.
struct Synset {
    words: Vec<String>,
    below: Vec<usize>,
}

impl WordNet {
    /// Reads `index.noun` and `data.noun` of a folder.
    ///
    /// # Errors
    ///
    /// [`WordNetError::Io`], naming the file.
    pub fn open(folder: &Path) -> Result<Self, WordNetError> {
        let read = |name| {
            let path = folder.join(name);
            let bytes = io::read_at_most(&path, LARGEST)?;
            Ok::<_, IoError>((path, bytes))
        };
        let (index, data) = (read("index.noun")?, read("data.noun")?);
        Ok(Self { index, data })
    }

    /// The words of a synset and of those at most `depth` levels below it, nearest first, each once;
    /// at most `most`. Proper names of instances (Lassie) are not among them.
    ///
    /// # Errors
    ///
    /// [`WordNetError`], naming the file, and line or byte.
    pub fn nouns(
        &self,
        synset: &str,
        depth: usize,
        most: usize,
    ) -> Result<Vec<String>, WordNetError> {
        let first = self.find(synset)?;
        let mut seen = BTreeSet::from([first]);
        let mut queue = VecDeque::from([(first, 0)]);
        let mut words = Vec::new();
        let mut said = BTreeSet::new();
        while let Some((offset, level)) = queue.pop_front() {
            let synset = self.synset(offset)?;
            for word in synset.words {
                if words.len() == most {
                    return Ok(words);
                }
                if said.insert(word.to_lowercase()) {
                    words.push(word);
                }
            }
            if level < depth {
                let new = synset.below.into_iter().filter(|&below| seen.insert(below));
                queue.extend(new.map(|below| (below, level + 1)));
            }
        }
        Ok(words)
    }

    /// The offset of a synset by its name.
    fn find(&self, name: &str) -> Result<usize, WordNetError> {
        let bad = || WordNetError::Name {
            name: name.to_owned(),
        };
        let number = |digits: &str| {
            let all = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
            digits.parse().ok().filter(|_| all)
        };
        if let Some(offset) = name.strip_prefix('n').filter(|digits| digits.len() == 8)
            && let Some(offset) = number(offset)
        {
            return Ok(offset);
        }
        let (lemma, sense) = name.rsplit_once(".n.").ok_or_else(bad)?;
        let sense: usize = number(sense).filter(|&n| n > 0).ok_or_else(bad)?;
        let lemma = lemma.to_lowercase().replace(' ', "_");
        let (path, bytes) = &self.index;
        let mut lines = bytes.split(|&b| b == b'\n').zip(1..);
        let found = lines.find(|(line, _)| {
            let rest = line.strip_prefix(lemma.as_bytes());
            rest.is_some_and(|rest| rest.starts_with(b" n "))
        });
        let Some((text, line)) = found else {
            let path = path.clone();
            return Err(WordNetError::Lemma { path, lemma });
        };
        // lemma n senses pointers [pointer …] senses tagged offset …
        let expected = "lemma, n, counts and offsets";
        let index = || WordNetError::Index {
            path: path.clone(),
            line,
            expected,
        };
        let text = std::str::from_utf8(text).map_err(|_utf8| index())?;
        let fields: Vec<&str> = text.split_ascii_whitespace().collect();
        let count = |at: usize| fields.get(at).and_then(|field| number(field));
        let senses = count(2).ok_or_else(index)?;
        let pointers = count(3).filter(|&n| n < fields.len()).ok_or_else(index)?;
        let begin = 6 + pointers;
        if sense > senses {
            let path = path.clone();
            return Err(WordNetError::Sense {
                path,
                line,
                lemma,
                senses,
                sense,
            });
        }
        count(begin + sense - 1).ok_or_else(index)
    }

    /// The synset at an offset.
    fn synset(&self, offset: usize) -> Result<Synset, WordNetError> {
        let (path, bytes) = &self.data;
        let bad = |expected| WordNetError::Data {
            path: path.clone(),
            offset,
            expected,
        };
        let begins =
            offset == 0 || offset.checked_sub(1).and_then(|at| bytes.get(at)) == Some(&b'\n');
        let rest = bytes
            .get(offset..)
            .filter(|rest| begins && !rest.is_empty());
        let rest = rest
            .ok_or_else(|| bad("a synset, which begins a line: is it another version's offset?"))?;
        let line = rest.split(|&b| b == b'\n').next().unwrap_or_default();
        let line = std::str::from_utf8(line).map_err(|_utf8| bad("UTF-8 text"))?;
        let body = line.split_once(" | ").map_or(line, |(body, _)| body);
        let mut fields = body.split_ascii_whitespace();
        let own = fields.next().and_then(|field| field.parse().ok());
        if own != Some(offset) {
            return Err(bad("the synset's own offset"));
        }
        let kind = fields.nth(1);
        if kind != Some("n") {
            return Err(bad("a noun"));
        }
        let count = fields
            .next()
            .and_then(|n| usize::from_str_radix(n, 16).ok());
        let count = count.ok_or_else(|| bad("the number of words, in hexadecimal"))?;
        let mut words = Vec::new();
        for _ in 0..count {
            let word = fields.next().zip(fields.next()).map(|(word, _id)| word);
            let word = word.ok_or_else(|| bad("a word and its id"))?;
            words.push(word.replace('_', " "));
        }
        let count = fields.next().and_then(|n| n.parse::<usize>().ok());
        let count = count.ok_or_else(|| bad("the number of pointers"))?;
        let mut below = Vec::new();
        for _ in 0..count {
            let pointer = [fields.next(), fields.next(), fields.next(), fields.next()];
            let [Some(symbol), Some(target), Some(kind), Some(_)] = pointer else {
                return Err(bad("pointers of symbol, offset, kind and words"));
            };
            if (symbol, kind) == ("~", "n") {
                let target = target.parse().ok();
                below.push(target.ok_or_else(|| bad("an offset in a pointer"))?);
            }
        }
        Ok(Synset { words, below })
    }
}

#[cfg(test)]
mod tests;
