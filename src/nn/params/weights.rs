//! Which file of a model's folder holds its weights.
//!
//! ```text
//! STEM.safetensors                STEM.fp16.safetensors               one file
//! STEM.safetensors.index.json     STEM.safetensors.index.fp16.json    an index of shards
//! ```
//!
//! Source: diffusers 0.42 `pipelines/pipeline_loading_utils.py`, `utils/constants.py`.

use std::path::{Path, PathBuf};

use tch::Kind;

use super::ParamsError;

/// A checkpoint that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WeightsFile {
    /// The `.safetensors`, or the `.json` index of its shards.
    pub path: PathBuf,
    /// The variant (`fp16`), none for the plain file.
    pub variant: Option<String>,
}

/// Looks for the weights `stem` in `dir`: the variant asked for, or else the plain file.
///
/// With no variant asked for, half precision prefers `fp16` and float32 the plain file; each takes
/// the other where it is the only one.
///
/// # Errors
///
/// [`ParamsError::NoWeights`], which names the pickles or other variants that lie there instead.
pub fn find(
    dir: &Path,
    stem: &str,
    variant: Option<&str>,
    kind: Kind,
) -> Result<WeightsFile, ParamsError> {
    let preferred = match (variant, kind) {
        (Some(variant), _) => [Some(variant), None],
        (None, Kind::Half | Kind::BFloat16) => [Some("fp16"), None],
        (None, _) => [None, Some("fp16")],
    };
    for variant in preferred {
        let names = match variant {
            None => [
                format!("{stem}.safetensors"),
                format!("{stem}.safetensors.index.json"),
            ],
            Some(v) => [
                format!("{stem}.{v}.safetensors"),
                format!("{stem}.safetensors.index.{v}.json"),
            ],
        };
        for name in names {
            let path = dir.join(name);
            if path.is_file() {
                return Ok(WeightsFile {
                    path,
                    variant: variant.map(str::to_owned),
                });
            }
        }
    }
    let others = variants(dir, stem);
    Err(ParamsError::NoWeights {
        dir: dir.to_path_buf(),
        file: format!("{stem}.safetensors"),
        found: if others.is_empty() {
            pickles(dir)
        } else {
            format!(" (but of the variant {})", others.join(" and "))
        },
    })
}

/// The variants in which the weights `stem` lie in `dir`, sorted.
pub fn variants(dir: &Path, stem: &str) -> Vec<String> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut found: Vec<String> = names
        .filter_map(|name| {
            let rest = name.strip_prefix(stem)?.strip_prefix('.')?;
            let index = rest.strip_prefix("safetensors.index.");
            let variant = match index {
                Some(rest) => rest.strip_suffix(".json")?,
                None => rest.strip_suffix(".safetensors")?,
            };
            // A shard's name has its number and its index's variant.
            let plain = !variant.is_empty() && !variant.contains("-of-");
            plain.then(|| variant.to_owned())
        })
        .collect();
    found.sort();
    found.dedup();
    found
}

/// The files that `found` stands for, itself first: an index and the shards beside it.
///
/// # Errors
///
/// As [`super::Checkpoint::open`] for an index.
pub fn files(found: &WeightsFile) -> Result<Vec<PathBuf>, ParamsError> {
    let mut files = vec![found.path.clone()];
    if found.path.extension().is_some_and(|e| e == "json") {
        files.extend(super::checkpoint::indexed(&found.path)?);
    }
    Ok(files)
}

/// Names the pickles in a folder, for the message that refuses them.
fn pickles(dir: &Path) -> String {
    let mut names: Vec<String> = std::fs::read_dir(dir)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| {
            let extension = Path::new(name).extension().and_then(|e| e.to_str());
            matches!(extension, Some("bin" | "ckpt" | "pt" | "pth"))
        })
        .collect();
    names.sort();
    if names.is_empty() {
        String::new()
    } else {
        format!(
            " (but {}, a pickle, which can run code when it is read)",
            names.join(", ")
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variants_are_told_from_plain_files_shards_and_other_stems() {
        let folder = tempfile::tempdir().unwrap();
        for name in [
            "model.safetensors",
            "model.safetensors.index.json",
            "model-00001-of-00002.safetensors",
            "model.fp16-00001-of-00002.safetensors",
            "model.safetensors.index.fp16.json",
            "model.ema.safetensors",
            "model.fp16.bin",
            "other.bf16.safetensors",
        ] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        assert_eq!(variants(folder.path(), "model"), ["ema", "fp16"]);
        assert_eq!(variants(folder.path(), "others"), [""; 0]);
        let error = find(folder.path(), "other", Some("ema"), Kind::Float).unwrap_err();
        assert!(
            error.to_string().contains("(but of the variant bf16)"),
            "{error}"
        );
    }
}
