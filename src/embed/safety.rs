//! The safety checker in a pipeline's folder: its network behind the folder's own preprocessing.

use std::path::Path;

use image::RgbImage;
use serde_json::Value;
use tch::{Device, Kind, Tensor};

use super::EmbedError;
use super::preprocess::Preprocess;
use crate::io;
use crate::nn::params::weights;
use crate::nn::safety_checker::SafetyChecker;

/// Says which pictures the model's authors would not show.
#[derive(Debug)]
pub struct Safety {
    checker: SafetyChecker,
    preprocess: Preprocess,
    fingerprint: String,
}

impl Safety {
    /// Opens `safety_checker/` and `feature_extractor/` of a pipeline's folder; none if its
    /// `model_index.json` names no safety checker.
    ///
    /// # Errors
    ///
    /// [`EmbedError`], naming the file; [`EmbedError::NoSafety`] if it is named and not there.
    pub fn open(dir: &Path, device: Device, kind: Kind) -> Result<Option<Self>, EmbedError> {
        let folder = dir.join("safety_checker");
        let path = dir.join("model_index.json");
        let index: Value = serde_json::from_str(&io::read_to_string(&path)?)
            .map_err(|source| EmbedError::Config { path, source })?;
        if index["safety_checker"][1].is_null() {
            return Ok(None);
        }
        if !folder.is_dir() {
            return Err(EmbedError::NoSafety { dir: folder });
        }
        let preprocess = Preprocess::from_dir(&dir.join("feature_extractor"))?;
        let checker = SafetyChecker::open(&folder, kind, device)?;
        let (height, width) = preprocess.output_size();
        if [height as i64, width as i64] != [checker.side(); 2] {
            return Err(EmbedError::ImageSize {
                path: folder.join("config.json"),
                height,
                width,
                channels: 3,
                side: checker.side(),
            });
        }
        let found = weights::find(&folder, "model", None, kind)?;
        let mut files = vec![
            "safety_checker/config.json".to_owned(),
            "feature_extractor/preprocessor_config.json".to_owned(),
        ];
        for file in weights::files(&found)? {
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            files.push(format!("safety_checker/{name}"));
        }
        let files: Vec<&str> = files.iter().map(String::as_str).collect();
        Ok(Some(Self {
            checker,
            preprocess,
            fingerprint: io::fingerprint(dir, &files)?,
        }))
    }

    /// A hash of the network and its preprocessing.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// Which pictures come too near to a concept; each is looked at alone.
    ///
    /// # Errors
    ///
    /// [`EmbedError::Safety`].
    pub fn flags(&self, images: &[RgbImage]) -> Result<Vec<bool>, EmbedError> {
        let _guard = tch::no_grad_guard();
        let side = self.checker.side();
        images
            .iter()
            .map(|image| {
                let pixels: Vec<f32> = self.preprocess.apply(image).into_iter().collect();
                let pixels = Tensor::f_from_slice(&pixels)?.f_view([1, 3, side, side])?;
                let flags = self.checker.flags(&pixels)?;
                Ok(flags.first().copied().unwrap_or(false))
            })
            .collect()
    }
}
