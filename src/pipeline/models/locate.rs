//! From what the user names as a model, a folder or a hub id, to where it lies.

use std::path::{Path, PathBuf};

use crate::generate::recipe::AdapterRecord;
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

/// Adapters as a user wrote them, with the scales of a recipe in place of those written: which files they are is
/// told by their hashes when a picture is made.
///
/// # Errors
///
/// Of kind usage for what is no scale; of kind input where there are not as many.
pub fn rescaled(given: &[String], recipe: &[AdapterRecord]) -> Result<Vec<String>, Error> {
    if given.len() != recipe.len() {
        return Err(Error::input(format!(
            "the image was made with {} adapters, and {} are named: give each with --lora, in the order in \
             which the run had them",
            recipe.len(),
            given.len()
        )));
    }
    given
        .iter()
        .zip(recipe)
        .map(|(given, record)| {
            let (name, _) = scaled(given)?;
            Ok(format!("{name}:{}", record.scale))
        })
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::ErrorKind;

    #[test]
    fn scales_are_those_of_the_recipe() {
        let record = |scale| AdapterRecord {
            name: "style.safetensors".to_owned(),
            sha256: "ab".repeat(32),
            scale,
        };
        let given = ["a/style.safetensors:0.8", "who/what"].map(str::to_owned);
        let third = 1.0 / 3.0;
        assert_eq!(
            rescaled(&given, &[record(third), record(-2.0)]).unwrap(),
            ["a/style.safetensors:0.3333333333333333", "who/what:-2"]
        );
        assert_eq!(scaled("a:0.3333333333333333").unwrap(), ("a", third));
        let error = rescaled(&given, &[record(1.0)]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Input);
        assert!(error.to_string().contains("1 adapters"), "{error}");
    }
}
