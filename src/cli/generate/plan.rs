//! Which pictures a command means, and which of them are there.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::GenerateCommand;
use crate::diffusion::pipeline::{Pipeline, Sampling};
use crate::image_file::{self, DigitalSource, Marks, Parameters};
use crate::io;
use crate::pipeline::Error;
use crate::pipeline::device::name_of;
use crate::run::settings_diff;

/// Pictures of a folder, whose names have five digits.
const MOST: u64 = 100_000;

/// One picture to make.
pub(super) struct Wanted<'a> {
    pub(super) path: PathBuf,
    pub(super) prompt: usize,
    pub(super) seed: u64,
    pub(super) embedding: Option<&'a [f32]>,
    pub(super) marks: Marks,
}

impl Wanted<'_> {
    /// Whether the picture was made before; another one in its place is an error.
    pub(super) fn is_there(&self) -> Result<bool, Error> {
        if !self.path.exists() {
            return Ok(false);
        }
        let found: Option<Value> = image_file::read_marks(&io::read(&self.path)?);
        if found.as_ref() == Some(&self.marks.hardlight) {
            return Ok(true);
        }
        let text = format!(
            "{} is there and was not made by this command ({}): choose another --out",
            self.path.display(),
            found.map_or_else(
                || "it is no picture of generate's".to_owned(),
                |found| differing(&found, &self.marks.hardlight)
            )
        );
        Err(Error::usage(text))
    }
}

impl GenerateCommand {
    /// Refuses no pictures, and more than names have digits for.
    pub(super) fn check_count(&self, embeds: usize) -> Result<(), Error> {
        let groups = self.prompt.len() as u64 * embeds.max(1) as u64;
        let most = MOST / groups.max(1);
        let last = self.seed.checked_add(self.count.saturating_sub(1));
        if last.is_none() {
            let text = format!(
                "--seed {} is too large for {} pictures",
                self.seed, self.count
            );
            return Err(Error::usage(text));
        }
        if (1..=most).contains(&self.count) {
            return Ok(());
        }
        Err(Error::usage(format!(
            "--count is {}: expected 1 to {most}, so that at most {MOST} pictures go into a folder",
            self.count
        )))
    }

    /// The image embeddings, a row each.
    pub(super) fn embeds(&self) -> Result<Vec<Vec<f32>>, Error> {
        let Some(path) = &self.image_embeds else {
            return Ok(Vec::new());
        };
        let matrix = io::matrix::read(path)?;
        Ok(matrix.rows().into_iter().map(|row| row.to_vec()).collect())
    }

    /// Every picture of the command, in order.
    pub(super) fn wanted<'a>(
        &self,
        pipeline: &Pipeline,
        sampling: &Sampling,
        (scheduler, place): (&str, &str),
        embeds: &'a [Vec<f32>],
    ) -> Result<Vec<Wanted<'a>>, Error> {
        match (pipeline.embedding_width(), embeds.first()) {
            (Some(width), None) => {
                let text = format!(
                    "{} is conditioned on image embeddings of {width} numbers: give --image-embeds FILE",
                    self.model.display()
                );
                return Err(Error::usage(text));
            }
            (expected, Some(row)) if expected != Some(row.len()) => {
                let text = format!(
                    "the image embeddings have {} numbers, {} takes {}",
                    row.len(),
                    self.model.display(),
                    expected.map_or("none".to_owned(), |n| n.to_string())
                );
                return Err(Error::input(text));
            }
            _ => {}
        }
        let (width, height) = pipeline.size(sampling)?;
        let model = name_of(&self.model);
        let rows: Vec<Option<&[f32]>> = if embeds.is_empty() {
            vec![None]
        } else {
            embeds.iter().map(|row| Some(row.as_slice())).collect()
        };
        let mut wanted = Vec::new();
        for (prompt, caption) in self.prompt.iter().enumerate() {
            for &embedding in &rows {
                for k in 0..self.count {
                    let seed = self.seed + k;
                    let parameters = Parameters {
                        caption: caption.clone(),
                        negative_prompt: self.negative.clone(),
                        steps: u32::try_from(self.steps).unwrap_or(u32::MAX),
                        scheduler: scheduler.to_owned(),
                        guidance: self.guidance,
                        seed,
                        width,
                        height,
                        model: model.clone(),
                    };
                    let hardlight = json!({
                        "schema": 1,
                        "model_fingerprint": pipeline.fingerprint(),
                        "caption": caption,
                        "negative_prompt": self.negative,
                        "seed": seed,
                        "steps": self.steps,
                        "guidance": self.guidance,
                        "scheduler": scheduler,
                        "eta": self.eta,
                        "width": width,
                        "height": height,
                        "batch": self.batch,
                        "computed_in": place,
                        "safety_checker": !self.no_safety_checker,
                        "embedding": embedding.map(hash),
                        "noise_level": self.noise_level,
                    });
                    wanted.push(Wanted {
                        path: self.out.join(format!("{:05}.png", wanted.len())),
                        prompt,
                        seed,
                        embedding,
                        marks: Marks {
                            parameters,
                            hardlight,
                            source: DigitalSource::TrainedAlgorithmicMedia,
                        },
                    });
                }
            }
        }
        Ok(wanted)
    }
}

fn hash(row: &[f32]) -> String {
    let bytes: Vec<u8> = row.iter().flat_map(|x| x.to_le_bytes()).collect();
    io::sha256_hex(&bytes)
}

/// The keys in which a picture that is there differs from the one wanted.
fn differing(found: &Value, wanted: &Value) -> String {
    let changes: Vec<String> = settings_diff::diff(found, wanted)
        .iter()
        .map(ToString::to_string)
        .collect();
    changes.join(", ")
}
