//! Why a scheduler could not be built.

use crate::io::{Classified, ErrorKind};

/// Why a [`SchedulerConfig`](super::SchedulerConfig) was not understood or a scheduler not built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SchedulerError {
    /// The file is not JSON.
    #[error("{file} is not JSON: copy it again from the model's repository")]
    Json {
        /// Name of the file.
        file: String,
        /// Where it stopped making sense.
        source: serde_json::Error,
    },

    /// The file is JSON but not an object.
    #[error("{file} holds JSON that is not an object with a scheduler's settings")]
    NotAnObject {
        /// Name of the file.
        file: String,
    },

    /// The name asked for is none of ours.
    #[error("unknown scheduler `{name}`: known are {known}")]
    UnknownScheduler {
        /// The name asked for.
        name: String,
        /// Names that exist, separated by commas.
        known: String,
    },

    /// No name was given and the file does not say which class it belongs to.
    #[error("{file} has no `_class_name`: choose a scheduler by name, one of {known}")]
    MissingClass {
        /// Name of the file.
        file: String,
        /// Names that exist, separated by commas.
        known: String,
    },

    /// No name was given and the file's class is none of ours.
    #[error("{file}: `_class_name` is `{class}`, not built in: choose by name, one of {known}")]
    UnknownClass {
        /// Name of the file.
        file: String,
        /// The file's class.
        class: String,
        /// Names that exist, separated by commas.
        known: String,
    },

    /// A key that takes one of several words has another word.
    #[error("{file}: `{key}` is `{value}`: {class} here knows {known}")]
    UnknownValue {
        /// Name of the file.
        file: String,
        /// The key.
        key: &'static str,
        /// Its value.
        value: String,
        /// The Diffusers class that reads it.
        class: &'static str,
        /// Values that exist, separated by commas.
        known: String,
    },

    /// A value has the wrong type or range.
    #[error("{file}: `{key}` is {value}, expected {expected}")]
    BadValue {
        /// Name of the file.
        file: String,
        /// The key.
        key: &'static str,
        /// Its value as JSON.
        value: String,
        /// What it should have been.
        expected: &'static str,
    },

    /// A setting is valid in Diffusers but not implemented here.
    #[error(
        "{file}: `{key}` is {value}, which {class} has no code for here: set it to {instead}, or choose another scheduler by name"
    )]
    Unsupported {
        /// Name of the file.
        file: String,
        /// The key.
        key: &'static str,
        /// Its value as JSON.
        value: String,
        /// The Diffusers class that reads it.
        class: &'static str,
        /// What works.
        instead: &'static str,
    },

    /// Nothing was asked for.
    #[error("0 steps leave nothing but noise: ask for 1 or more")]
    ZeroSteps,

    /// More steps than timesteps.
    #[error("{steps} steps, but the model knows only {train} timesteps: ask for fewer")]
    TooManySteps {
        /// Steps asked for.
        steps: usize,
        /// `num_train_timesteps`.
        train: usize,
    },

    /// More steps than timesteps that a latent consistency model was distilled on.
    #[error(
        "{steps} steps, but a consistency model was distilled on {distilled} timesteps (`original_inference_steps`): ask for fewer"
    )]
    TooManyConsistencySteps {
        /// Steps asked for.
        steps: usize,
        /// `original_inference_steps`.
        distilled: usize,
    },

    /// `linspace` puts a single step at timestep 0.
    #[error(
        "1 step at `timestep_spacing` linspace starts at timestep 0, where no noise is left to remove: ask for 2 or more, or choose dpm++ or unipc"
    )]
    LinspaceOneStep,

    /// Runge-Kutta start-up needs four steps.
    #[error(
        "{steps} steps of pndm with Runge-Kutta start-up, which needs 4 or more: set `skip_prk_steps` to true"
    )]
    FewRungeKuttaSteps {
        /// Steps asked for.
        steps: usize,
    },

    /// Runge-Kutta start-up belongs to the first steps.
    #[error(
        "pndm with Runge-Kutta start-up begins with its first steps, so it cannot start from an image at a strength below 1: set `skip_prk_steps` to true, or choose another scheduler"
    )]
    LateRungeKutta,

    /// The schedule leaves the range the model was trained on.
    #[error(
        "{steps} steps at `steps_offset` {offset} start at timestep {timestep}, beyond the last one, {last}: ask for fewer steps"
    )]
    TimestepOutOfRange {
        /// Steps asked for.
        steps: usize,
        /// `steps_offset`.
        offset: usize,
        /// The timestep outside.
        timestep: f64,
        /// The last timestep that exists.
        last: usize,
    },

    /// Two steps have the same noise level, so a multistep solver would divide by zero.
    #[error("{steps} steps put two calls at the same noise level: ask for fewer")]
    Degenerate {
        /// Steps asked for.
        steps: usize,
    },

    /// A record is not of the settings that its scheduler reads.
    #[error(
        "the record of scheduler {name} was written by another version: missing [{missing}], unknown [{unknown}]"
    )]
    Record {
        /// The scheduler's name.
        name: String,
        /// Keys that the scheduler reads and the record lacks, separated by commas.
        missing: String,
        /// Keys of the record that the scheduler does not read, separated by commas.
        unknown: String,
    },

    /// `eta` is out of range or has no meaning.
    #[error("eta is {eta} for {name}: ddim takes 0 to 1, every other scheduler only 0")]
    Eta {
        /// The value.
        eta: f64,
        /// The scheduler's name.
        name: &'static str,
    },
}

impl Classified for SchedulerError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::UnknownScheduler { .. }
            | Self::ZeroSteps
            | Self::TooManySteps { .. }
            | Self::TooManyConsistencySteps { .. }
            | Self::FewRungeKuttaSteps { .. }
            | Self::LateRungeKutta
            | Self::LinspaceOneStep
            | Self::Eta { .. } => ErrorKind::Usage,
            _ => ErrorKind::Input,
        }
    }
}
