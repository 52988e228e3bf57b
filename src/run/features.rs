//! The analysed classifier: its predictions, and its penultimate layer as a space without CLIP.

use std::path::Path;

use image::RgbImage;
use ndarray::{Array2, Array4, Axis, s};
use rayon::prelude::*;

use crate::classifier::{ClassifierError, Cnn, Outputs, Script};
use crate::embed::preprocess::Preprocess;
use crate::embed::resize::{Filter, Kernel, resize};
use crate::embed::{EmbedError, ImageEncoder};
use crate::io::{self, Classified as _, ErrorKind};

/// The user's classifier, as an [`ImageEncoder`] of its features.
#[derive(Debug)]
pub struct Analysed {
    network: Network,
    fingerprint: String,
}

#[derive(Debug)]
enum Network {
    Cnn(Cnn),
    Script {
        script: Script,
        preprocess: Preprocess,
        batch: usize,
        /// Logits an image.
        logits: usize,
        /// Width of the features; none if the module returns none.
        features: Option<usize>,
    },
}

impl Analysed {
    /// A `hardlight-cnn` and the folder it was read from.
    ///
    /// # Errors
    ///
    /// [`ClassifierError::Io`].
    pub fn cnn(cnn: Cnn, dir: &Path) -> Result<Self, ClassifierError> {
        let fingerprint = io::fingerprint(dir, &["config.json", "model.safetensors"])?;
        let network = Network::Cnn(cnn);
        Ok(Self {
            network,
            fingerprint,
        })
    }

    /// A TorchScript that takes images as `preprocess` makes them, `batch` at once.
    ///
    /// It is run on a few made-up images, so that a module that does not fit, or whose answers are of chance, is
    /// refused before any work.
    ///
    /// # Errors
    ///
    /// Those of [`Script::run`] and [`Script::check_steady`].
    pub fn script(
        script: Script,
        preprocess: Preprocess,
        batch: usize,
    ) -> Result<Self, ClassifierError> {
        let (height, width) = preprocess.output_size();
        let black = RgbImage::new(width as u32, height as u32);
        let said = script.run(pixels(&[black], &preprocess).view())?;
        script.check_steady((height, width), batch)?;
        let key = format!("{} {preprocess:?}", script.sha256());
        Ok(Self {
            fingerprint: io::sha256_hex(key.as_bytes())[..16].to_owned(),
            network: Network::Script {
                script,
                preprocess,
                batch,
                logits: said.logits.ncols(),
                features: said.features.map(|features| features.ncols()),
            },
        })
    }

    /// The network, where it is a `hardlight-cnn`.
    pub fn as_cnn(&self) -> Option<&Cnn> {
        match &self.network {
            Network::Cnn(cnn) => Some(cnn),
            Network::Script { .. } => None,
        }
    }

    /// Outputs an image.
    pub fn outputs(&self) -> usize {
        match &self.network {
            Network::Cnn(cnn) => cnn.config().classes.len(),
            Network::Script { logits, .. } => *logits,
        }
    }

    /// Whether it gives features.
    pub fn has_features(&self) -> bool {
        match &self.network {
            Network::Cnn(_) => true,
            Network::Script { features, .. } => features.is_some(),
        }
    }

    fn run(&self, images: &[RgbImage]) -> Result<Outputs, ClassifierError> {
        match &self.network {
            Network::Cnn(cnn) => {
                let said = cnn.predict(&fitted(images, cnn.config().image_size))?;
                Ok(Outputs {
                    // Softmax takes them back to what they were.
                    logits: said.probabilities.mapv(|p| p.max(f32::MIN_POSITIVE).ln()),
                    features: Some(said.features),
                })
            }
            Network::Script {
                script,
                preprocess,
                batch,
                logits,
                features,
            } => {
                let mut all = Outputs {
                    logits: Array2::zeros((images.len(), *logits)),
                    features: features.map(|width| Array2::zeros((images.len(), width))),
                };
                for (chunk, start) in images.chunks(*batch).zip((0..).step_by(*batch)) {
                    let said = script.run(pixels(chunk, preprocess).view())?;
                    let end = start + chunk.len();
                    fill(&mut all.logits, start..end, &said.logits)?;
                    if let (Some(to), Some(from)) = (&mut all.features, &said.features) {
                        fill(to, start..end, from)?;
                    }
                }
                Ok(all)
            }
        }
    }
}

/// Puts a batch's rows into their place.
fn fill(
    to: &mut Array2<f32>,
    rows: std::ops::Range<usize>,
    from: &Array2<f32>,
) -> Result<(), ClassifierError> {
    if from.ncols() != to.ncols() {
        return Err(ClassifierError::Width {
            before: to.ncols(),
            now: from.ncols(),
        });
    }
    to.slice_mut(s![rows, ..]).assign(from);
    Ok(())
}

/// Images as a network takes them, `[n, 3, h, w]`.
fn pixels(images: &[RgbImage], preprocess: &Preprocess) -> Array4<f32> {
    let (height, width) = preprocess.output_size();
    let mut all = Array4::zeros((images.len(), 3, height, width));
    let mut rows: Vec<_> = all.axis_iter_mut(Axis(0)).collect();
    rows.par_iter_mut()
        .zip(images)
        .for_each(|(row, image)| row.assign(&preprocess.apply(image)));
    drop(rows);
    all
}

/// Images at the size a `hardlight-cnn` takes.
pub fn fitted(images: &[RgbImage], side: u32) -> Vec<RgbImage> {
    images
        .iter()
        .map(|image| {
            if image.dimensions() == (side, side) {
                image.clone()
            } else {
                resize(image, side, side, Filter::Bicubic, Kernel::Pil)
            }
        })
        .collect()
}

impl ImageEncoder for Analysed {
    fn encode_images(&self, images: &[RgbImage]) -> Result<Array2<f32>, EmbedError> {
        let said = self.run(images).map_err(failed)?;
        said.features.ok_or_else(|| EmbedError::Features {
            kind: ErrorKind::Input,
            source: "it returns logits alone".into(),
        })
    }

    fn dim(&self) -> usize {
        match &self.network {
            Network::Cnn(cnn) => cnn.config().features as usize,
            Network::Script { features, .. } => features.unwrap_or(0),
        }
    }

    fn fingerprint(&self) -> &str {
        &self.fingerprint
    }
}

/// The classifier as an [`ImageEncoder`] of its logits, so that they are kept as embeddings are.
#[derive(Debug)]
pub struct Logits<'a> {
    classifier: &'a Analysed,
    fingerprint: String,
}

impl<'a> Logits<'a> {
    /// Those of this classifier.
    pub fn new(classifier: &'a Analysed) -> Self {
        Self {
            fingerprint: format!("logits {}", classifier.fingerprint),
            classifier,
        }
    }
}

impl ImageEncoder for Logits<'_> {
    fn encode_images(&self, images: &[RgbImage]) -> Result<Array2<f32>, EmbedError> {
        Ok(self.classifier.run(images).map_err(failed)?.logits)
    }

    fn dim(&self) -> usize {
        self.classifier.outputs()
    }

    fn fingerprint(&self) -> &str {
        &self.fingerprint
    }
}

fn failed(error: ClassifierError) -> EmbedError {
    EmbedError::Features {
        kind: error.kind(),
        source: Box::new(error),
    }
}
