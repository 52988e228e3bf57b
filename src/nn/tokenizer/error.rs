//! Why a tokenizer's files were refused.

use std::path::PathBuf;

use crate::io::{Classified, ErrorKind, IoError};

/// Why a tokenizer's files were refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenizerError {
    /// A file cannot be read.
    #[error(transparent)]
    Io(#[from] IoError),

    /// Neither form of vocabulary is there.
    #[error(
        "{} holds neither tokenizer.json nor vocab.json with merges.txt: is it a tokenizer's folder?",
        dir.display()
    )]
    NoVocabulary {
        /// The folder.
        dir: PathBuf,
    },

    /// A file is not JSON.
    #[error("{} is not valid JSON", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// What the JSON reader said.
        #[source]
        source: serde_json::Error,
    },

    /// `SigLIP`'s vocabulary is not there.
    #[error(
        "{} holds no spiece.model, which SigLIP's tokenizer is read from: copy it from the model's repository",
        dir.display()
    )]
    NoPieces {
        /// The folder.
        dir: PathBuf,
    },

    /// A `spiece.model` is damaged, or a kind of model other than `SigLIP`'s.
    #[error("{}: {what}", path.display())]
    Pieces {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },

    /// A key is missing, of the wrong type, or of a kind of tokenizer that is not read.
    #[error("{}: {key} must be {expected}", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// The key, with dots between its levels.
        key: String,
        /// What it must hold.
        expected: &'static str,
    },

    /// A merge is not two symbols that, alone and joined, are tokens.
    #[error("{}, {place}: {found:?} is not {expected}", path.display())]
    Merge {
        /// The file.
        path: PathBuf,
        /// The line, or the position in a JSON list.
        place: String,
        /// What stands there.
        found: String,
        /// What should stand there.
        expected: &'static str,
    },

    /// A special token is not in the vocabulary.
    #[error("{}: the {name} {token:?} is not in the vocabulary", path.display())]
    Special {
        /// The file with the vocabulary.
        path: PathBuf,
        /// What the token is for, such as `eos_token`.
        name: &'static str,
        /// The token.
        token: String,
    },
}

impl Classified for TokenizerError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Io(error) => error.kind(),
            _ => ErrorKind::Input,
        }
    }
}
