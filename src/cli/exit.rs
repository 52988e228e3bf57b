//! From an error to an exit code.

use std::process::ExitCode;

use crate::caption::CaptionError;
use crate::classifier::ClassifierError;
use crate::dataset::DatasetError;
use crate::diffusion::pipeline::PipelineError;
use crate::diffusion::schedulers::SchedulerError;
use crate::direction::persist::PersistError;
use crate::direction::{DirectionError, WhitenError};
use crate::embed::EmbedError;
use crate::generate::GenerateError;
use crate::hub::HubError;
use crate::io::{Classified as _, ErrorKind, IoError};
use crate::manifest::ManifestError;
use crate::manifest::export::ExportError;
use crate::nn::lora::LoraError;
use crate::nn::params::ParamsError;
pub(super) use crate::pipeline::{InputError, UsageError};
use crate::preview::PreviewError;
use crate::run::cache::CacheError;
use crate::run::engine::EngineError;
use crate::run::folder::FolderError;
use crate::run::ledger::LedgerError;
use crate::run::ledger::table::TableError;
use crate::run::lock::LockError;
use crate::run::settings::SettingsError;
use crate::world::WorldError;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ExitStatus {
    Success,
    Failure,
    Usage,
    BadInput,
    Incomplete,
    DeviceLost,
    Disk,
    /// By a signal; [`super::stop::Stop`] knows which.
    Stopped,
    Interrupted,
    Terminated,
}

impl ExitStatus {
    /// That of a run from which all that was asked for came out, or not.
    pub(super) fn of_run(complete: bool) -> Self {
        if complete {
            Self::Success
        } else {
            Self::Incomplete
        }
    }
}

impl From<ExitStatus> for ExitCode {
    fn from(status: ExitStatus) -> Self {
        Self::from(match status {
            ExitStatus::Success => 0,
            ExitStatus::Failure => 1,
            ExitStatus::Usage => 2,
            ExitStatus::BadInput => 3,
            ExitStatus::Incomplete => 4,
            ExitStatus::DeviceLost => 5,
            ExitStatus::Disk => 6,
            ExitStatus::Stopped | ExitStatus::Interrupted => 130,
            ExitStatus::Terminated => 143,
        })
    }
}

/// The exit code of an error.
pub(super) fn of(error: &anyhow::Error) -> ExitStatus {
    if is_disk(error) {
        return ExitStatus::Disk;
    }
    if let Some(error) = error.downcast_ref::<HubError>() {
        return of_hub(error);
    }
    let usage = error.is::<UsageError>()
        || error.is::<SettingsError>()
        || error.is::<DirectionError>()
        || matches!(
            error.downcast_ref(),
            Some(
                PipelineError::Setting { .. }
                    | PipelineError::Scheduler(
                        SchedulerError::UnknownScheduler { .. }
                            | SchedulerError::ZeroSteps
                            | SchedulerError::TooManySteps { .. }
                            | SchedulerError::TooManyConsistencySteps { .. }
                            | SchedulerError::FewRungeKuttaSteps { .. }
                            | SchedulerError::LinspaceOneStep
                            | SchedulerError::Eta { .. }
                    )
                    | PipelineError::Lora(LoraError::Scale { .. })
            )
        );
    if usage {
        return ExitStatus::Usage;
    }
    if lost_device(error) {
        return ExitStatus::DeviceLost;
    }
    let bad_input = error.is::<InputError>()
        || error.is::<CaptionError>()
        || error.is::<ClassifierError>()
        || error.is::<DatasetError>()
        || error.is::<ParamsError>()
        || error.is::<PipelineError>()
        || error.is::<PersistError>()
        || error.is::<WhitenError>()
        || error.is::<EmbedError>()
        || error.is::<GenerateError>()
        || error.is::<IoError>()
        || error.is::<ManifestError>()
        || error.is::<ExportError>()
        || error.is::<PreviewError>()
        || error.is::<CacheError>()
        || error.is::<EngineError>()
        || error.is::<FolderError>()
        || error.is::<LedgerError>()
        || error.is::<LockError>()
        || error.is::<TableError>()
        || error.is::<WorldError>();
    if bad_input {
        ExitStatus::BadInput
    } else {
        ExitStatus::Failure
    }
}

/// A model that could not be had; a network that fails says nothing about what was asked for.
fn of_hub(error: &HubError) -> ExitStatus {
    match error {
        HubError::Stopped => ExitStatus::Stopped,
        HubError::BadId { .. } | HubError::Setting { .. } | HubError::Token => ExitStatus::Usage,
        error if error.is_network() => ExitStatus::Failure,
        _ => ExitStatus::BadInput,
    }
}

fn is_disk(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<HubError>()
        .is_some_and(|e| e.kind() == ErrorKind::Disk)
        || error
            .downcast_ref::<IoError>()
            .is_some_and(|e| e.kind() == ErrorKind::Disk)
        || error
            .downcast_ref::<FolderError>()
            .is_some_and(|e| e.kind() == ErrorKind::Disk)
        || error
            .downcast_ref::<LedgerError>()
            .is_some_and(|e| e.kind() == ErrorKind::Disk)
        || error
            .downcast_ref::<EngineError>()
            .is_some_and(|e| e.kind() == ErrorKind::Disk)
        || error
            .downcast_ref::<CacheError>()
            .is_some_and(|e| e.kind() == ErrorKind::Disk)
        || error
            .downcast_ref::<ManifestError>()
            .is_some_and(|e| e.kind() == ErrorKind::Disk)
        || matches!(error.downcast_ref(), Some(LockError::Io(io)) if io.kind() == ErrorKind::Disk)
        || error
            .downcast_ref::<ExportError>()
            .is_some_and(|e| e.kind() == ErrorKind::Disk)
        || matches!(error.downcast_ref(), Some(ParamsError::Io(io)) if io.kind() == ErrorKind::Disk)
        || matches!(error.downcast_ref(), Some(PersistError::Io(io)) if io.kind() == ErrorKind::Disk)
        || matches!(error.downcast_ref(), Some(PreviewError::Io(io)) if io.kind() == ErrorKind::Disk)
        || matches!(error.downcast_ref(), Some(TableError::Io(io)) if io.kind() == ErrorKind::Disk)
        || matches!(error.downcast_ref(), Some(WorldError::Io(io)) if io.kind() == ErrorKind::Disk)
}

/// CUDA says so in the text of whatever call met it first.
fn lost_device(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause.downcast_ref::<tch::TchError>().is_some_and(|torch| {
            let text = torch.to_string();
            text.contains("CUDA error") && !text.contains("out of memory")
        })
    })
}
