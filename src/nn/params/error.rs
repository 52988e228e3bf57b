//! Why parameters could not be read, did not fit, or could not be written.

use std::path::PathBuf;

use super::Mismatch;
use super::mismatch::shortened;
use crate::io::{self, Classified, ErrorKind};

/// Why parameters could not be read, did not fit, or could not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ParamsError {
    /// The checkpoint cannot be opened.
    #[error("could not open {}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },

    /// The content is a pickle or a zip of pickles, which can run code when it is read.
    #[error(
        "{} is a PyTorch pickle, not .safetensors, and reading one can run code: convert it with \
         `safetensors.torch.save_file` in Python, or fetch the model's .safetensors",
        path.display()
    )]
    Pickle {
        /// The file.
        path: PathBuf,
    },

    /// The header or an offset is wrong.
    #[error("{} is not a sound .safetensors file: is the download complete?", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What the format's reader said.
        #[source]
        source: safetensors::SafeTensorError,
    },

    /// The index of a sharded checkpoint is wrong.
    #[error("{} is not a sound index of shards: {reason}", path.display())]
    Index {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },

    /// Two shards hold a tensor of the same name.
    #[error("{} and {} both hold tensor {name}", first.display(), second.display())]
    Twice {
        /// The first shard.
        first: PathBuf,
        /// The second.
        second: PathBuf,
        /// The tensor.
        name: String,
    },

    /// A folder holds no weights that can be read.
    #[error(
        "{} has no {file}{found}: only .safetensors weights are read; save the model with \
         `safe_serialization=True`",
        dir.display()
    )]
    NoWeights {
        /// The folder.
        dir: PathBuf,
        /// The file expected.
        file: String,
        /// What is there instead.
        found: String,
    },

    /// An adapter changes weights that the network does not have.
    #[error(
        "{}: the adapter changes what this network does not have, is it made for another model? {}",
        path.display(),
        shortened(names)
    )]
    Adapter {
        /// The checkpoint.
        path: PathBuf,
        /// The weights that it would change.
        names: Vec<String>,
    },

    /// A tensor has an element type that no network here uses.
    #[error("{}: tensor {name} has element type {dtype}: expected F32, F16, BF16 or F64", path.display())]
    Dtype {
        /// The file.
        path: PathBuf,
        /// The tensor.
        name: String,
        /// Its element type.
        dtype: String,
    },

    /// Names or shapes do not fit the network that the config describes.
    #[error(
        "{}: the tensors do not fit the config, take both from the same model\n{report}",
        path.display()
    )]
    Mismatch {
        /// The file.
        path: PathBuf,
        /// Every missing, unused and wrong-shaped tensor.
        report: Mismatch,
    },

    /// libtorch refused, usually for want of memory.
    #[error("libtorch could not hold tensor {name}")]
    Torch {
        /// The tensor.
        name: String,
        /// What libtorch said.
        #[source]
        source: tch::TchError,
    },

    /// The file could not be written.
    #[error(transparent)]
    Io(#[from] io::IoError),

    /// The format's writer refused.
    #[error("could not lay out {}", path.display())]
    Layout {
        /// The file.
        path: PathBuf,
        /// What the format's writer said.
        #[source]
        source: safetensors::SafeTensorError,
    },
}

impl Classified for ParamsError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Torch { source, .. } => source.kind(),
            Self::Io(error) => error.kind(),
            _ => ErrorKind::Input,
        }
    }
}
