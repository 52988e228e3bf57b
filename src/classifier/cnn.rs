//! A small convolutional classifier, in a folder of `config.json` and `model.safetensors`.

use std::path::{Path, PathBuf};

use image::RgbImage;
use ndarray::Array2;
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, TchError, Tensor};

use crate::io::{self, Classified, ErrorKind};
use crate::nn::layers::{Conv2d, Linear};
use crate::nn::params::{self, Params, ParamsError, Scope};

/// Why a classifier could not be read, written or run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClassifierError {
    /// A file could not be read or written.
    #[error(transparent)]
    Io(#[from] io::IoError),

    /// The weights do not fit.
    #[error(transparent)]
    Params(#[from] ParamsError),

    /// `config.json` is not a classifier's.
    #[error("{} does not describe a classifier", path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// What the JSON reader said.
        #[source]
        source: serde_json::Error,
    },

    /// An image has another size than the classifier takes.
    #[error("image {index} is {width} x {height} px: this classifier takes {side} x {side}")]
    Size {
        /// Position among the images given.
        index: usize,
        /// Its width, px.
        width: u32,
        /// Its height, px.
        height: u32,
        /// The side the classifier takes, px.
        side: u32,
    },

    /// The config asks for a network without layers or classes.
    #[error("{} lists no {what}", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
        /// What is missing.
        what: &'static str,
    },

    /// A file that is no TorchScript.
    #[error(
        "{} is {found}, no TorchScript. With the model in Python, in evaluation mode:\n  \
         model.load_state_dict(torch.load(\"weights.pt\"))\n  \
         torch.jit.trace(model.eval(), torch.zeros(1, 3, 224, 224)).save(\"model.pt\")",
        path.display()
    )]
    NotAScript {
        /// The file.
        path: PathBuf,
        /// What it is, with its article.
        found: &'static str,
    },

    /// libtorch refused a TorchScript, or the module failed.
    #[error("the classifier {} {doing}", path.display())]
    Torch {
        /// The file.
        path: PathBuf,
        /// What was tried.
        doing: String,
        /// What libtorch said, shortened.
        #[source]
        source: TchError,
    },

    /// A module whose answer for an image does not follow from that image.
    #[error(
        "the classifier {} gives one image different logits {when} (logit {logit}: {one} and {other}): it was traced in \
         training mode, where features are dropped by chance and an image is normalised by those beside it. In \
         Python:\n  torch.jit.trace(model.eval(), example).save(\"model.pt\")",
        path.display()
    )]
    Unsteady {
        /// The file.
        path: PathBuf,
        /// Which logit, from 0.
        logit: usize,
        /// Its first value.
        one: f32,
        /// Its second value.
        other: f32,
        /// How the image was shown.
        when: &'static str,
    },

    /// A module whose output differs in width from batch to batch.
    #[error("the classifier gave {before} numbers an image, then {now}")]
    Width {
        /// On the first batch.
        before: usize,
        /// On a later one.
        now: usize,
    },

    /// A module that returns something else than logits.
    #[error(
        "the classifier {} returned {found} for a batch of {batch}: expected logits [{batch}, classes], \
         or (logits, features) with features [{batch}, width]; when tracing, keep the size of the \
         batch free",
        path.display()
    )]
    Returned {
        /// The file.
        path: PathBuf,
        /// Images given.
        batch: usize,
        /// What came back.
        found: String,
    },
}

impl Classified for ClassifierError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Io(error) => error.kind(),
            Self::Params(error) => error.kind(),
            Self::Torch { source, .. } => source.kind(),
            _ => ErrorKind::Input,
        }
    }
}

/// `config.json` of a [`Cnn`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CnnConfig {
    /// Always `hardlight-cnn`.
    pub model_type: String,
    /// Side of the square image, px.
    pub image_size: u32,
    /// Channels after each stride-2 convolution.
    pub channels: Vec<i64>,
    /// Width of the penultimate layer.
    pub features: i64,
    /// Class names in the order of the logits.
    pub classes: Vec<String>,
    /// Of a network that answers several questions at once: how many of `classes` belong to each, in
    /// their order. Empty: one question.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub questions: Vec<usize>,
}

impl CnnConfig {
    /// Three convolutions and 64 features.
    pub fn small(image_size: u32, classes: &[&str]) -> Self {
        Self {
            model_type: "hardlight-cnn".to_owned(),
            image_size,
            channels: vec![16, 32, 64],
            features: 64,
            classes: classes.iter().map(|&c| c.to_owned()).collect(),
            questions: Vec::new(),
        }
    }

    /// Widths of the parts of the logits that each answer a question.
    pub(super) fn widths(&self) -> Vec<i64> {
        if self.questions.is_empty() {
            vec![self.classes.len() as i64]
        } else {
            self.questions.iter().map(|&n| n as i64).collect()
        }
    }
}

/// What a classifier says of some images.
#[derive(Debug, Clone, PartialEq)]
pub struct Predictions {
    /// Softmax over the classes of each question, `[n, classes]`.
    pub probabilities: Array2<f32>,
    /// The penultimate layer, `[n, features]`.
    pub features: Array2<f32>,
}

impl Predictions {
    /// The most probable class of every image (the first of equals).
    pub fn classes(&self) -> Vec<usize> {
        let best = |row: ndarray::ArrayView1<'_, f32>| {
            row.iter()
                .enumerate()
                .fold((0, f32::NEG_INFINITY), |best, (i, &p)| {
                    if p > best.1 { (i, p) } else { best }
                })
        };
        self.probabilities
            .outer_iter()
            .map(|row| best(row).0)
            .collect()
    }

    /// The most probable answer to one of several questions, for every image: a position among the classes
    /// `first..first + count`.
    pub fn answers(&self, first: usize, count: usize) -> Vec<usize> {
        let part = self
            .probabilities
            .slice(ndarray::s![.., first..first + count]);
        part.outer_iter()
            .map(|row| {
                let best = row.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
                best.map_or(0, |(i, _)| i)
            })
            .collect()
    }
}

/// Stride-2 convolutions, pooling to 2 × 2, one hidden layer, logits.
#[derive(Debug)]
pub struct Cnn {
    convs: Vec<Conv2d>,
    hidden: Linear,
    logits: Linear,
    config: CnnConfig,
    device: Device,
}

impl Cnn {
    /// Takes all parameters.
    pub fn new(scope: &Scope, config: &CnnConfig) -> Self {
        let mut inputs = 3;
        let mut convs = Vec::new();
        for (i, &channels) in config.channels.iter().enumerate() {
            let scope = scope.at(format_args!("convs.{i}"));
            convs.push(Conv2d::new(&scope, inputs, channels, 3, 2, 1));
            inputs = channels;
        }
        let classes = config.classes.len() as i64;
        Self {
            convs,
            hidden: Linear::new(&scope.at("hidden"), inputs * 4, config.features, true),
            logits: Linear::new(&scope.at("logits"), config.features, classes, true),
            config: config.clone(),
            device: scope.device(),
        }
    }

    /// Reads a classifier's folder.
    ///
    /// # Errors
    ///
    /// [`ClassifierError`], naming the file.
    pub fn read(dir: &Path, device: Device) -> Result<Self, ClassifierError> {
        let path = dir.join("config.json");
        let config: CnnConfig =
            serde_json::from_str(&io::read_to_string(&path)?).map_err(|source| {
                ClassifierError::Config {
                    path: path.clone(),
                    source,
                }
            })?;
        let widths: usize = config.questions.iter().sum();
        for (what, empty) in [
            ("channels", config.channels.is_empty()),
            ("classes", config.classes.is_empty()),
            (
                "questions for all of its classes",
                widths != 0 && widths != config.classes.len(),
            ),
        ] {
            if empty {
                return Err(ClassifierError::Empty { path, what });
            }
        }
        let params = Params::open(&dir.join("model.safetensors"), Kind::Float, device)?;
        let cnn = Self::new(&params.root(), &config);
        params.finish()?;
        Ok(cnn)
    }

    /// Writes a classifier's folder, weights in `kind`.
    ///
    /// # Errors
    ///
    /// [`ClassifierError::Io`].
    pub fn write(
        dir: &Path,
        config: &CnnConfig,
        params: &Params,
        kind: Kind,
    ) -> Result<(), ClassifierError> {
        io::create_dir_all(dir)?;
        let path = dir.join("config.json");
        let json =
            serde_json::to_string_pretty(config).map_err(|source| ClassifierError::Config {
                path: path.clone(),
                source,
            })?;
        io::write_atomic(&path, json.as_bytes())?;
        params::save(&dir.join("model.safetensors"), &params.named(), kind)?;
        Ok(())
    }

    /// The config it was built from.
    pub fn config(&self) -> &CnnConfig {
        &self.config
    }

    /// Features and logits.
    ///
    /// # Shapes
    ///
    /// `pixels` `[n, 3, side, side]` in −1…1; results `[n, features]` and `[n, classes]`.
    pub(super) fn forward(&self, pixels: &Tensor) -> (Tensor, Tensor) {
        let mut xs = pixels.shallow_clone();
        for conv in &self.convs {
            xs = conv.forward(&xs).relu();
        }
        let features = self
            .hidden
            .forward(&xs.adaptive_avg_pool2d([2, 2]).flatten(1, -1))
            .relu();
        let logits = self.logits.forward(&features);
        (features, logits)
    }

    /// Classifies images of the size the network was trained on.
    ///
    /// # Errors
    ///
    /// [`ClassifierError::Size`] at the first image of another size.
    pub fn predict(&self, images: &[RgbImage]) -> Result<Predictions, ClassifierError> {
        let side = self.config.image_size;
        let (classes, width) = (self.config.classes.len(), self.config.features as usize);
        let mut probabilities = Array2::zeros((images.len(), classes));
        let mut features = Array2::zeros((images.len(), width));
        for (batch, chunk) in images.chunks(256).enumerate() {
            let bytes = pack(chunk, side, batch * 256)?;
            let pixels = normalise(&bytes, chunk.len(), side).to_device(self.device);
            let (f, l) = tch::no_grad(|| self.forward(&pixels));
            let parts = l.split_with_sizes(self.config.widths(), -1);
            let parts: Vec<Tensor> = parts.iter().map(|p| p.softmax(-1, Kind::Float)).collect();
            let p = Tensor::cat(&parts, -1);
            for (table, tensor) in [(&mut features, f), (&mut probabilities, p)] {
                let columns = table.ncols();
                let mut flat = vec![0_f32; chunk.len() * columns];
                let tensor = tensor.to_device(Device::Cpu).contiguous();
                tensor.copy_data(&mut flat, chunk.len() * columns);
                for (i, row) in flat.chunks(columns).enumerate() {
                    let mut target = table.row_mut(batch * 256 + i);
                    target
                        .iter_mut()
                        .zip(row)
                        .for_each(|(to, &from)| *to = from);
                }
            }
        }
        Ok(Predictions {
            probabilities,
            features,
        })
    }
}

/// Bytes of images of one size, `[n, h, w, 3]`.
pub(super) fn pack(
    images: &[RgbImage],
    side: u32,
    first: usize,
) -> Result<Vec<u8>, ClassifierError> {
    let mut bytes = Vec::with_capacity(images.len() * (side * side * 3) as usize);
    for (i, image) in images.iter().enumerate() {
        let (width, height) = image.dimensions();
        if (width, height) != (side, side) {
            return Err(ClassifierError::Size {
                index: first + i,
                width,
                height,
                side,
            });
        }
        bytes.extend_from_slice(image.as_raw());
    }
    Ok(bytes)
}

/// `[n, side, side, 3]` bytes to `[n, 3, side, side]` in −1…1.
pub(super) fn normalise(bytes: &[u8], n: usize, side: u32) -> Tensor {
    let side = i64::from(side);
    let raw = Tensor::from_data_size(bytes, &[n as i64, side, side, 3], Kind::Uint8);
    // Channels stay innermost in memory, which convolutions on a CPU like better.
    raw.permute([0, 3, 1, 2]).to_kind(Kind::Float) / 127.5 - 1.0
}
