//! All terminal text: results to stdout; progress, warnings and errors to stderr and the log.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "this is where printing lives"
)]

mod pace;

use std::fmt::Display;
use std::fs::{File, OpenOptions};
use std::io::{BufWriter, IsTerminal as _, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

use indicatif::{DecimalBytes, ProgressBar, ProgressStyle};

use crate::io::IoError;
use crate::pipeline::Error;
use crate::pipeline::reporter::{BYTES, Reporter, StageInfo};

/// A line of progress at most this often, where there is no terminal to redraw.
const PLAIN_EVERY: Duration = Duration::from_secs(5);

/// The bar of a stage.
const BAR: &str = "{prefix:>22} [{bar:30}] {pos}/{len} {msg}";

/// The bar of a stage that counts bytes.
const BYTES_BAR: &str = "{prefix:>22} [{bar:30}] {decimal_bytes}/{decimal_total_bytes} {msg}";

/// Terminal and log.
#[derive(Debug)]
pub(super) struct Ui {
    quiet: bool,
    terminal: bool,
    started: Instant,
    log: Option<File>,
    /// The stage that is open.
    stage: Option<Stage>,
}

impl Ui {
    pub(super) fn new(quiet: bool) -> Self {
        let terminal = std::io::stderr().is_terminal();
        Self {
            quiet,
            terminal,
            started: Instant::now(),
            log: None,
            stage: None,
        }
    }

    /// A line for the log alone.
    pub(super) fn note(&mut self, text: impl Display) {
        let seconds = self.started.elapsed().as_secs_f64();
        if let Some(log) = &mut self.log {
            // A full disk is reported by whoever writes results; the log must not hide that.
            let _ = writeln!(log, "[{seconds:9.2} s] {text}");
        }
    }

    /// A line of the result.
    pub(super) fn say(&mut self, text: impl Display) {
        self.note(&text);
        // A closed pipe is the reader's way of saying enough.
        let _ = writeln!(std::io::stdout(), "{text}");
    }

    /// Lines of data, not for the log; ends early where the reader has had enough.
    pub(super) fn lines(lines: impl IntoIterator<Item = String>) -> bool {
        let mut out = BufWriter::new(std::io::stdout().lock());
        let written = lines
            .into_iter()
            .try_for_each(|line| writeln!(out, "{line}"));
        written.and_then(|()| out.flush()).is_ok()
    }

    /// What is going on.
    pub(super) fn info(&mut self, text: impl Display) {
        self.note(&text);
        if !self.quiet {
            eprintln!("{text}");
        }
    }

    /// Something the user should know.
    pub(super) fn warn(&mut self, text: impl Display) {
        self.note(format_args!("warning: {text}"));
        eprintln!("warning: {text}");
    }

    /// What went wrong, with its causes.
    pub(super) fn error(&mut self, error: &Error) {
        self.note(format_args!("error: {error:#}"));
        eprintln!("error: {error}");
        for cause in error.chain().skip(1) {
            eprintln!("  because: {}", without_stack(&cause.to_string()));
        }
    }
}

impl Reporter for Ui {
    fn note(&mut self, text: &dyn Display) {
        Self::note(self, text);
    }

    fn info(&mut self, text: &dyn Display) {
        Self::info(self, text);
    }

    fn warn(&mut self, text: &dyn Display) {
        Self::warn(self, text);
    }

    fn begin(&mut self, stage: &StageInfo<'_>) {
        let StageInfo { name, total, unit } = *stage;
        self.note(format_args!("{name}: {total} {unit}"));
        let drawn = self.terminal && !self.quiet;
        self.stage = Some(Stage::new(stage, drawn, self.quiet));
    }

    fn resumed_from(&mut self, done: usize) {
        if let Some(stage) = &mut self.stage {
            stage.resumed_from(done);
        }
    }

    fn progress(&mut self, done: usize, message: &str) {
        if let Some(stage) = &mut self.stage {
            stage.set(done, message);
        }
    }

    fn end(&mut self) {
        if let Some(stage) = self.stage.take() {
            let seconds = stage.started.elapsed().as_secs_f64();
            stage.clear();
            Self::info(self, format_args!("{}: done in {seconds:.1} s", stage.name));
        }
    }

    fn abandon(&mut self) {
        if let Some(stage) = self.stage.take() {
            stage.clear();
        }
    }

    fn log_to(&mut self, path: &Path) -> Result<(), IoError> {
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(path)
            .map_err(|source| IoError::Write {
                path: path.to_owned(),
                source,
            })?;
        self.log = Some(file);
        Self::note(
            self,
            format_args!("hardlight {} starts", env!("CARGO_PKG_VERSION")),
        );
        Ok(())
    }
}

/// A line from beside the work, over what a bar has drawn; the bar draws itself again.
pub(super) fn aside(text: &str) {
    let mut stderr = std::io::stderr();
    let clear = if stderr.is_terminal() {
        "\r\x1b[2K"
    } else {
        ""
    };
    // In one piece, so that no other line comes between.
    let _ = stderr.write_all(format!("{clear}{text}\n").as_bytes());
}

/// libtorch's message without the C++ frames below it, which the log keeps.
fn without_stack(text: &str) -> &str {
    let end = text.find("\nException raised from").unwrap_or(text.len());
    text[..end].trim_end()
}

/// Progress of one stage.
#[derive(Debug)]
struct Stage {
    name: String,
    unit: &'static str,
    total: usize,
    started: Instant,
    said: Instant,
    /// What was done already when work began, so that a resumed run shows its true rate.
    first: Option<usize>,
    bar: Option<ProgressBar>,
    quiet: bool,
}

impl Stage {
    /// A stage, with a bar if it is to be `drawn`.
    fn new(stage: &StageInfo<'_>, drawn: bool, quiet: bool) -> Self {
        let StageInfo { name, total, unit } = *stage;
        let bar = drawn.then(|| {
            let bar = ProgressBar::new(total as u64);
            let template = if unit == BYTES { BYTES_BAR } else { BAR };
            if let Ok(style) = ProgressStyle::with_template(template) {
                bar.set_style(style.progress_chars("=> "));
            }
            bar.set_prefix(name.to_owned());
            bar.enable_steady_tick(Duration::from_millis(500));
            bar
        });
        Self {
            name: name.to_owned(),
            unit,
            total,
            started: Instant::now(),
            said: Instant::now(),
            first: None,
            bar,
            quiet,
        }
    }

    /// Tells how much is done.
    fn set(&mut self, done: usize, message: &str) {
        let first = *self.first.get_or_insert(0);
        let pace = || {
            let (fresh, left) = (done.saturating_sub(first), self.total.saturating_sub(done));
            pace::pace(fresh, left, self.started.elapsed(), self.unit == BYTES)
        };
        if let Some(bar) = &self.bar {
            bar.set_position(done as u64);
            bar.set_message(format!("{} {message}", pace()).trim().to_owned());
        } else if !self.quiet && self.said.elapsed() >= PLAIN_EVERY {
            self.said = Instant::now();
            let (name, unit, total) = (&self.name, self.unit, self.total);
            let amount = if unit == BYTES {
                let [done, total] = [done, total].map(|bytes| DecimalBytes(bytes as u64));
                format!("{done}/{total}")
            } else {
                format!("{done}/{total} {unit}")
            };
            let parts = [amount, pace(), message.to_owned()];
            let said: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
            eprintln!("{name}: {}", said.join(", "));
        }
    }

    /// Says that `done` were done before this process.
    fn resumed_from(&mut self, done: usize) {
        self.first = Some(done);
        if let Some(bar) = &self.bar {
            bar.set_position(done as u64);
        }
    }

    /// Takes the bar off the terminal.
    fn clear(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
