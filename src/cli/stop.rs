//! Ctrl-C and SIGTERM: the first asks to stop cleanly, a second ends the process at once.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use signal_hook::iterator::Signals;

use super::exit::ExitStatus;
use super::ui;

/// Each signal with the exit code it calls for.
const SIGNALS: [(i32, i32); 2] = [(SIGINT, 130), (SIGTERM, 143)];

/// Whether a signal came, and which.
#[derive(Debug, Clone)]
pub(super) struct Stop {
    signal: Arc<AtomicUsize>,
}

impl Stop {
    /// Starts listening; what the first signal asks for is said at once, by a thread of its own,
    /// unless `quiet`.
    pub(super) fn install(quiet: bool) -> io::Result<Self> {
        let again = Arc::new(AtomicBool::new(false));
        let signal = Arc::new(AtomicUsize::new(0));
        for (number, code) in SIGNALS {
            // Order matters: this one looks before the next one sets.
            flag::register_conditional_shutdown(number, code, Arc::clone(&again))?;
            flag::register(number, Arc::clone(&again))?;
            flag::register_usize(number, Arc::clone(&signal), number as usize)?;
        }
        if !quiet {
            let mut signals = Signals::new(SIGNALS.map(|(number, _)| number))?;
            thread::spawn(move || {
                if signals.forever().next().is_some() {
                    ui::aside("stopping after this step (Ctrl-C again stops at once)");
                }
            });
        }
        Ok(Self { signal })
    }

    /// For a command without steps to stop after: the first signal ends it, and none is ever asked.
    pub(super) fn at_once() -> io::Result<Self> {
        let always = Arc::new(AtomicBool::new(true));
        for (number, code) in SIGNALS {
            flag::register_conditional_shutdown(number, code, Arc::clone(&always))?;
        }
        let signal = Arc::new(AtomicUsize::new(0));
        Ok(Self { signal })
    }

    /// Whether to stop.
    pub(super) fn asked(&self) -> bool {
        self.signal.load(Ordering::Relaxed) != 0
    }

    /// The question as the stages of the pipeline put it.
    pub(super) fn check(&self) -> impl Fn() -> bool + Sync + '_ {
        || self.asked()
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
