//! From what the user names as a model, a folder or a hub id, to where it lies.

use std::path::{Path, PathBuf};

use crate::hub::{self, Env, HubError, Progress, Want, Watch};
use crate::pipeline::context::{Context, StopCheck};
use crate::pipeline::error::Error;
use crate::pipeline::reporter::{BYTES, Reporter, StageInfo};

/// The folder (of a LoRA: the file) that a setting or flag means; a hub id is fetched unless the
/// cache has it.
///
/// # Errors
///
/// [`HubError`].
pub fn locate(context: &mut Context<'_>, given: &Path, want: Want) -> Result<PathBuf, HubError> {
    if given.exists() {
        return Ok(given.to_path_buf());
    }
    watched(context, |env, watch| hub::resolve(given, want, env, watch))
}

/// Adapters as the user writes them, `FILE[:SCALE]` or `ID[:SCALE]`, with their scales (1 if none).
///
/// # Errors
///
/// [`Error`] of kind usage for what is no scale, [`HubError`].
pub fn adapters(context: &mut Context<'_>, given: &[String]) -> Result<Vec<(PathBuf, f64)>, Error> {
    // All are read before any is fetched.
    let all: Vec<(&str, f64)> = given.iter().map(|g| scaled(g)).collect::<Result<_, _>>()?;
    all.into_iter()
        .map(|(name, scale)| Ok((locate(context, Path::new(name), Want::Lora)?, scale)))
        .collect()
}

/// A name and the number after its last colon; an id may have another colon, before a file.
fn scaled(text: &str) -> Result<(&str, f64), Error> {
    let Some((name, scale)) = text.rsplit_once(':').filter(|_| !Path::new(text).exists()) else {
        return Ok((text, 1.0));
    };
    match scale.parse::<f64>() {
        Ok(number) if number.is_finite() => Ok((name, number)),
        _ if scale.ends_with(".safetensors") => Ok((text, 1.0)),
        _ => Err(Error::usage(format!(
            "adapter {text}: {scale:?} is no scale: expected FILE[:SCALE], as in style.safetensors:0.8"
        ))),
    }
}

/// Does something with the hub, and tells of its progress.
///
/// # Errors
///
/// [`HubError`].
pub fn watched<T>(
    context: &mut Context<'_>,
    work: impl FnOnce(&Env, &mut dyn Watch) -> Result<T, HubError>,
) -> Result<T, HubError> {
    let env = Env::from_process()?;
    let mut told = Told {
        progress: env.progress,
        began: false,
        reporter: context.reporter,
        stop: context.stop,
    };
    let result = work(&env, &mut told);
    let Told {
        began, reporter, ..
    } = told;
    if began && result.is_ok() {
        reporter.end();
    } else if began {
        reporter.abandon();
    }
    result
}

/// A fetch as a reporter hears of it.
struct Told<'a> {
    progress: bool,
    began: bool,
    reporter: &'a mut dyn Reporter,
    stop: StopCheck<'a>,
}

impl Watch for Told<'_> {
    fn progress(&mut self, at: Progress<'_>) {
        if !self.progress {
            return;
        }
        if !self.began {
            self.began = true;
            self.reporter.begin(&StageInfo {
                name: "fetching",
                total: at.total as usize,
                unit: BYTES,
            });
            // Those of an earlier attempt took no time now.
            self.reporter.resumed_from(at.done as usize);
        }
        self.reporter.progress(at.done as usize, at.file);
    }

    fn warn(&mut self, text: &str) {
        self.reporter.warn(&text);
    }

    fn stopped(&self) -> bool {
        (self.stop)()
    }
}
