//! From the kind of an error to an exit code.

use crate::io::ErrorKind;

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

impl From<ExitStatus> for u8 {
    fn from(status: ExitStatus) -> Self {
        match status {
            ExitStatus::Success => 0,
            ExitStatus::Failure => 1,
            ExitStatus::Usage => 2,
            ExitStatus::BadInput => 3,
            ExitStatus::Incomplete => 4,
            ExitStatus::DeviceLost => 5,
            ExitStatus::Disk => 6,
            ExitStatus::Stopped | ExitStatus::Interrupted => 130,
            ExitStatus::Terminated => 143,
        }
    }
}

impl From<ErrorKind> for ExitStatus {
    fn from(kind: ErrorKind) -> Self {
        match kind {
            ErrorKind::Usage => Self::Usage,
            ErrorKind::Input => Self::BadInput,
            ErrorKind::Incomplete => Self::Incomplete,
            ErrorKind::Device => Self::DeviceLost,
            ErrorKind::Disk => Self::Disk,
            ErrorKind::Stopped => Self::Stopped,
            ErrorKind::Other => Self::Failure,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::HubError;
    use crate::io::{Classified, IoError};
    use crate::nn::params::ParamsError;
    use crate::pipeline::{Error, WithContext as _};
    use crate::run::ledger::LedgerError;

    fn code(error: impl Into<Error>) -> u8 {
        ExitStatus::from(error.into().kind()).into()
    }

    fn write(kind: std::io::ErrorKind) -> IoError {
        IoError::Write {
            path: "run/ledger.jsonl".into(),
            source: kind.into(),
        }
    }

    #[test]
    fn every_kind_has_its_exit_code() {
        for (kind, expected) in [
            (ErrorKind::Other, 1),
            (ErrorKind::Usage, 2),
            (ErrorKind::Input, 3),
            (ErrorKind::Incomplete, 4),
            (ErrorKind::Device, 5),
            (ErrorKind::Disk, 6),
            (ErrorKind::Stopped, 130),
        ] {
            assert_eq!(u8::from(ExitStatus::from(kind)), expected, "{kind:?}");
        }
    }

    #[test]
    fn a_cause_deep_inside_decides() {
        let full = LedgerError::Io(write(std::io::ErrorKind::StorageFull));
        let sampling = crate::run::sampling::SamplingError::from(full);
        assert_eq!(code(sampling), u8::from(ExitStatus::Disk));

        let lost = tch::TchError::Torch("CUDA error: unspecified launch failure".to_owned());
        let params = ParamsError::Torch {
            name: "conv.weight".to_owned(),
            source: lost,
        };
        let embed = crate::embed::EmbedError::from(params);
        let cache = crate::run::cache::CacheError::from(embed);
        let told = Err::<(), _>(cache).context("could not embed val");
        assert_eq!(code(told.unwrap_err()), u8::from(ExitStatus::DeviceLost));
    }

    #[test]
    fn a_wrong_path_is_no_bad_disk_and_a_silent_network_no_bad_input() {
        let missing = write(std::io::ErrorKind::NotFound);
        assert_eq!(code(missing), u8::from(ExitStatus::BadInput));
        let down = || HubError::Network {
            url: "https://hub".to_owned(),
            source: "refused".into(),
        };
        assert_eq!(down().kind(), ErrorKind::Other);
        let folder = |source| HubError::NoFolder {
            path: "org/clip".into(),
            source: Box::new(source),
        };
        assert_eq!(code(folder(down())), u8::from(ExitStatus::Failure));
        assert_eq!(
            code(folder(HubError::Stopped)),
            u8::from(ExitStatus::Stopped)
        );
        let bad = HubError::BadId {
            text: "a/b/c".to_owned(),
            reason: "it has two slashes",
        };
        assert_eq!(bad.kind(), ErrorKind::Usage);
        assert_eq!(code(folder(bad)), u8::from(ExitStatus::BadInput));
    }
}
