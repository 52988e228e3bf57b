//! The one error of this room.

use std::error::Error;
use std::path::PathBuf;

use crate::io::{Classified, ErrorKind, IoError};

/// Why a model could not be had from the hub or its cache.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HubError {
    /// The text names no model.
    #[error("{text:?} is no hub id: {reason}")]
    BadId {
        /// What was given.
        text: String,
        /// What is wrong with it.
        reason: &'static str,
    },

    /// A variable of the environment has a value that means nothing.
    #[error("{name} is {value}: expected {expected}")]
    Setting {
        /// The variable.
        name: &'static str,
        /// Its value.
        value: String,
        /// What is allowed.
        expected: &'static str,
    },

    /// The token cannot be sent; it is not shown.
    #[error("the access token has characters that no token has: set HF_TOKEN anew")]
    Token,

    /// A folder that does not exist has the shape of an id, but the hub does not help either.
    #[error("there is no folder {}, and it could not be had from the hub", path.display())]
    NoFolder {
        /// What was given.
        path: PathBuf,
        /// Why the hub did not help.
        #[source]
        source: Box<HubError>,
    },

    /// There is no such repository, revision or file.
    #[error(
        "{what} does not exist on the hub ({url}), or your token may not see it: check the spelling"
    )]
    NotFound {
        /// The repository, revision or file, in words.
        what: String,
        /// What was asked for.
        url: String,
    },

    /// The repository is private or gated, or does not exist: the hub does not tell strangers.
    #[error(
        "{id} is private or gated, or does not exist (status {status}): {}",
        way_in(*token, url)
    )]
    Denied {
        /// The repository.
        id: String,
        /// 401 or 403.
        status: u16,
        /// Whether a token was sent.
        token: bool,
        /// The page on which the licence is accepted.
        url: String,
    },

    /// The network is not to be used and the cache does not have the model.
    #[error(
        "{id} is not complete in the cache {} ({missing}), and HF_HUB_OFFLINE or \
         TRANSFORMERS_OFFLINE is set: unset it, or fetch the model first",
        cache.display()
    )]
    Offline {
        /// The model.
        id: String,
        /// The cache's folder.
        cache: PathBuf,
        /// What is missing.
        missing: String,
    },

    /// What arrived is not what the hub said it would be. It was deleted.
    #[error(
        "{file} of {id} arrived damaged: expected {expected}, found {found}. It was deleted; try \
         again, and if it happens again ask who runs the endpoint"
    )]
    Hash {
        /// The model.
        id: String,
        /// The file.
        file: String,
        /// Kind and digits of the hash that the hub gave.
        expected: String,
        /// What was found instead.
        found: String,
    },

    /// The weights are there as pickles only, which can run code when they are read.
    #[error(
        "{id} has {wanted} only as {}: a pickle can run code when it is read and is refused; save \
         the model with `safe_serialization=True`, or name a revision that has .safetensors, as \
         org/name@refs/pr/1",
        files.join(", ")
    )]
    Pickle {
        /// The model.
        id: String,
        /// The file that is read.
        wanted: String,
        /// What is there instead.
        files: Vec<String>,
    },

    /// The repository lacks a file that the model needs.
    #[error("{id} has no {file}: {reason}")]
    Missing {
        /// The model.
        id: String,
        /// The file, or files, of which one would do.
        file: String,
        /// What it is needed for.
        reason: &'static str,
    },

    /// The repository holds something else.
    #[error("{id} is {found}: expected {expected}")]
    Kind {
        /// The model.
        id: String,
        /// What it is.
        found: String,
        /// What was wanted.
        expected: &'static str,
    },

    /// Several files could be meant.
    #[error("{id} has several files of weights: name one, as {id}:{}; it has {}", files[0], files.join(", "))]
    Ambiguous {
        /// The model.
        id: String,
        /// All of them, at least two.
        files: Vec<String>,
    },

    /// The endpoint answers what a hub would not.
    #[error("{url} does not answer as a hub does: {reason}; check HF_ENDPOINT, or your proxy")]
    Answer {
        /// What was asked for.
        url: String,
        /// What is wrong with the answer.
        reason: String,
    },

    /// The server says that it cannot answer.
    #[error("{url} answered with status {status}: try again later")]
    Status {
        /// What was asked for.
        url: String,
        /// The status.
        status: u16,
    },

    /// No connection, or a broken one. What has arrived is kept, and the next attempt goes on there.
    #[error(
        "the connection with {url} failed: check the network, then start the same command again"
    )]
    Network {
        /// What was asked for.
        url: String,
        /// What the network said.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },

    /// The caller asked to stop. What has arrived is kept.
    #[error("stopped; what has arrived is kept, and the same command goes on from there")]
    Stopped,

    /// A file of certificates is none.
    #[error("SSL_CERT_FILE is {}, which holds no certificates: give a PEM file", path.display())]
    Certificates {
        /// The file.
        path: PathBuf,
    },

    /// The cache could not be read or written.
    #[error(transparent)]
    Io(#[from] IoError),
}

impl Classified for HubError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Stopped => ErrorKind::Stopped,
            Self::BadId { .. } | Self::Setting { .. } | Self::Token => ErrorKind::Usage,
            Self::Network { .. } | Self::Status { .. } | Self::Answer { .. } => ErrorKind::Other,
            Self::Io(error) => error.kind(),
            // A text that is neither a folder nor an id was meant as a folder, which is not there.
            Self::NoFolder { source, .. } => match source.kind() {
                ErrorKind::Usage => ErrorKind::Input,
                kind => kind,
            },
            _ => ErrorKind::Input,
        }
    }
}

fn way_in(token: bool, url: &str) -> String {
    if token {
        format!("your token does not open it; accept its licence at {url}, or use another token")
    } else {
        format!(
            "check the spelling, or set HF_TOKEN or run `hf auth login`, and accept its licence at \
             {url}"
        )
    }
}

impl HubError {
    /// Whether another time, or another place, might do: nothing is wrong with what was asked for.
    pub fn is_network(&self) -> bool {
        match self {
            Self::NoFolder { source, .. } => source.is_network(),
            Self::Network { .. } | Self::Status { .. } | Self::Answer { .. } => true,
            _ => false,
        }
    }
}
