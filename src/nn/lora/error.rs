//! What can be wrong with an adapter.

use std::fmt::{self, Display};
use std::path::PathBuf;

use super::Component;
use crate::io::{Classified, ErrorKind};
use crate::nn::params::{ParamsError, shortened};

/// Why an adapter could not be read, or not be merged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoraError {
    /// The file is no `.safetensors` or holds numbers of a kind that is not read.
    #[error(transparent)]
    Params(#[from] ParamsError),

    /// The scale is not finite.
    #[error("{}: the adapter's scale is {scale}: give a number, 1 for the adapter as trained", path.display())]
    Scale {
        /// The adapter.
        path: PathBuf,
        /// The scale.
        scale: f64,
    },

    /// The adapter is of a kind that is not merged here.
    #[error(
        "{}: {key} belongs to {kind}, which is not implemented: known are LoRA and LoCon of linear and \
         convolution weights (lora_A and lora_B, lora_down and lora_up, lora.down and lora.up)",
        path.display()
    )]
    Kind {
        /// The adapter.
        path: PathBuf,
        /// The first such key.
        key: String,
        /// What it belongs to.
        kind: &'static str,
    },

    /// Keys that are no part of a LoRA, or no keys at all.
    #[error(
        "{} is not a LoRA: expected only keys that end in lora_A.weight and lora_B.weight, \
         lora_down.weight and lora_up.weight, lora.down.weight and lora.up.weight, or alpha, found {}",
        path.display(),
        shortened(keys)
    )]
    Unknown {
        /// The file.
        path: PathBuf,
        /// The keys.
        keys: Vec<String>,
    },

    /// One of the two matrices is missing.
    #[error("{}: {key} has no {missing} beside it: is the file complete?", path.display())]
    Partner {
        /// The adapter.
        path: PathBuf,
        /// The key that is there.
        key: String,
        /// Which part is missing.
        missing: &'static str,
    },

    /// Two keys stand for the same weight.
    #[error("{}: {first} and {second} both change {weight}", path.display())]
    Twice {
        /// The adapter.
        path: PathBuf,
        /// The one key.
        first: String,
        /// The other.
        second: String,
        /// The weight.
        weight: String,
    },

    /// The two matrices do not multiply.
    #[error("{}: {key} has shapes {down:?} (down) and {up:?} (up): they have no rank in common", path.display())]
    Rank {
        /// The adapter.
        path: PathBuf,
        /// What both keys begin with.
        key: String,
        /// Shape of the first matrix.
        down: Vec<i64>,
        /// Shape of the second.
        up: Vec<i64>,
    },

    /// The change has another shape than the weight.
    #[error("{}: {misfit}: is it made for another model?", path.display())]
    Shape {
        /// The adapter.
        path: PathBuf,
        /// What does not fit what.
        misfit: Box<Misfit>,
    },

    /// A number is NaN or infinite.
    #[error("{}: {key} holds a number that is not finite: the adapter is broken, fetch it again", path.display())]
    NotFinite {
        /// The adapter.
        path: PathBuf,
        /// The tensor.
        key: String,
    },

    /// An alpha is not one number.
    #[error("{}: {key} has shape {shape:?}: expected one number", path.display())]
    Alpha {
        /// The adapter.
        path: PathBuf,
        /// The tensor.
        key: String,
        /// Its shape.
        shape: Vec<i64>,
    },

    /// The header's `lora_adapter_metadata` is wrong, or asks for what is not implemented.
    #[error("{}: lora_adapter_metadata: {reason}", path.display())]
    Metadata {
        /// The adapter.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },

    /// The checkpoint has no weights of these names.
    #[error(
        "{}: nothing in the {component} ({}) goes by these names: is the adapter made for another model? {}",
        path.display(),
        weights.display(),
        shortened(keys)
    )]
    Unmatched {
        /// The adapter.
        path: PathBuf,
        /// The checkpoint.
        weights: PathBuf,
        /// The network.
        component: Component,
        /// What the keys begin with.
        keys: Vec<String>,
    },

    /// The model has no such network.
    #[error(
        "{}: the adapter changes a {component}, which this model does not have: is it made for another \
         model? {}",
        path.display(),
        shortened(keys)
    )]
    NoComponent {
        /// The adapter.
        path: PathBuf,
        /// The network.
        component: Component,
        /// What the keys begin with.
        keys: Vec<String>,
    },
}

impl Classified for LoraError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Params(error) => error.kind(),
            Self::Scale { .. } => ErrorKind::Usage,
            _ => ErrorKind::Input,
        }
    }
}

/// A change of another shape than the weight.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misfit {
    /// What both keys begin with.
    pub key: String,
    /// Shape of the first matrix.
    pub down: Vec<i64>,
    /// Shape of the second.
    pub up: Vec<i64>,
    /// The weight.
    pub weight: String,
    /// Its shape.
    pub shape: Vec<i64>,
}

impl Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            key,
            down,
            up,
            weight,
            shape,
        } = self;
        write!(
            f,
            "{key} has shapes {down:?} (down) and {up:?} (up), which do not fit {weight} {shape:?}"
        )
    }
}
