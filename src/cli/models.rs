//! From what the user names as a model, a folder or a hub id, to where it lies.

use std::path::{Path, PathBuf};

use tch::Kind;

use super::exit::UsageError;
use super::stop::Stop;
use super::ui::{Stage, Ui};
use crate::hub::{self, Env, HubError, Progress, Want, Watch};

/// The folder (of a LoRA: the file) that a setting or flag means; a hub id is fetched unless the
/// cache has it.
///
/// # Errors
///
/// [`HubError`].
pub(super) fn locate(
    given: &Path,
    want: Want,
    ui: &mut Ui,
    stop: &Stop,
) -> Result<PathBuf, HubError> {
    if given.exists() {
        return Ok(given.to_path_buf());
    }
    watched(ui, stop, |env, watch| hub::resolve(given, want, env, watch))
}

/// Adapters as the user writes them, `FILE[:SCALE]` or `ID[:SCALE]`, with their scales (1 if none).
///
/// # Errors
///
/// [`UsageError`] for what is no scale, [`HubError`].
pub(super) fn adapters(
    given: &[String],
    ui: &mut Ui,
    stop: &Stop,
) -> anyhow::Result<Vec<(PathBuf, f64)>> {
    // All are read before any is fetched.
    let all: Vec<(&str, f64)> = given.iter().map(|g| scaled(g)).collect::<Result<_, _>>()?;
    all.into_iter()
        .map(|(name, scale)| Ok((locate(Path::new(name), Want::Lora, ui, stop)?, scale)))
        .collect()
}

/// A name and the number after its last colon; an id may have another colon, before a file.
fn scaled(text: &str) -> Result<(&str, f64), UsageError> {
    let Some((name, scale)) = text.rsplit_once(':').filter(|_| !Path::new(text).exists()) else {
        return Ok((text, 1.0));
    };
    match scale.parse::<f64>() {
        Ok(number) if number.is_finite() => Ok((name, number)),
        _ if scale.ends_with(".safetensors") => Ok((text, 1.0)),
        _ => Err(UsageError(format!(
            "adapter {text}: {scale:?} is no scale: expected FILE[:SCALE], as in style.safetensors:0.8"
        ))),
    }
}

/// A pipeline for this element type, with its safety checker or without.
pub(super) fn pipeline(kind: Kind, safety: bool) -> Want {
    Want::Pipeline {
        half: kind != Kind::Float,
        safety,
    }
}

/// Does something with the hub, with progress on the terminal.
pub(super) fn watched<T>(
    ui: &mut Ui,
    stop: &Stop,
    work: impl FnOnce(&Env, &mut dyn Watch) -> Result<T, HubError>,
) -> Result<T, HubError> {
    let env = Env::from_process()?;
    let mut shown = Shown {
        progress: env.progress,
        stage: None,
        ui,
        stop,
    };
    let result = work(&env, &mut shown);
    let Shown { stage, ui, .. } = shown;
    match stage {
        Some(stage) if result.is_ok() => drop(stage.end(ui)),
        Some(stage) => stage.abandon(),
        None => {}
    }
    result
}

/// A fetch as the terminal shows it.
struct Shown<'a> {
    progress: bool,
    stage: Option<Stage>,
    ui: &'a mut Ui,
    stop: &'a Stop,
}

impl Watch for Shown<'_> {
    fn progress(&mut self, at: Progress<'_>) {
        if !self.progress {
            return;
        }
        let stage = self.stage.get_or_insert_with(|| {
            let mut stage = self.ui.bytes("fetching", at.total);
            // Those of an earlier attempt took no time now.
            stage.resume_from(at.done as usize);
            stage
        });
        stage.set(at.done as usize, at.file);
    }

    fn warn(&mut self, text: &str) {
        self.ui.warn(text);
    }

    fn stopped(&self) -> bool {
        self.stop.asked()
    }
}
