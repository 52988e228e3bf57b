//! Ctrl-C and SIGTERM: the first asks to stop cleanly, a second ends the process at once.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use super::exit::ExitStatus;

/// Whether a signal came, and which.
#[derive(Debug, Clone)]
pub(super) struct Stop {
    signal: Arc<AtomicUsize>,
}

impl Stop {
    /// Starts listening.
    pub(super) fn install() -> io::Result<Self> {
        let again = Arc::new(AtomicBool::new(false));
        let signal = Arc::new(AtomicUsize::new(0));
        for (number, code) in [(SIGINT, 130), (SIGTERM, 143)] {
            // Order matters: this one looks before the next one sets.
            flag::register_conditional_shutdown(number, code, Arc::clone(&again))?;
            flag::register(number, Arc::clone(&again))?;
            flag::register_usize(number, Arc::clone(&signal), number as usize)?;
        }
        Ok(Self { signal })
    }

    /// Whether to stop.
    pub(super) fn asked(&self) -> bool {
        self.signal.load(Ordering::Relaxed) != 0
    }

    /// The exit status that the signal calls for.
    pub(super) fn status(&self) -> ExitStatus {
        if self.signal.load(Ordering::Relaxed) == SIGTERM as usize {
            ExitStatus::Terminated
        } else {
            ExitStatus::Interrupted
        }
    }
}
