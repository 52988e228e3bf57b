//! Training a [`Cnn`]: a fixed number of steps, so that arms with more data get no more training.

use std::sync::{Mutex, PoisonError};

use image::RgbImage;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use tch::{Device, Kind, Tensor};

use super::augment::Augment;
use super::cnn::{ClassifierError, Cnn, CnnConfig, normalise, pack};
use crate::nn::params::Params;
use crate::nn::train::{AdamW, one_cycle};

static INITIALISING: Mutex<()> = Mutex::new(());

/// How to train.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TrainOptions {
    /// Optimiser steps.
    pub steps: usize,
    /// Images a step.
    pub batch: usize,
    /// Peak learning rate.
    pub lr: f64,
    /// Weight decay.
    pub decay: f64,
    /// Seed of the initial weights and of the order of images.
    pub seed: u64,
    /// How images are changed each time.
    pub augment: Augment,
}

impl Default for TrainOptions {
    fn default() -> Self {
        Self {
            steps: 300,
            batch: 64,
            lr: 2e-3,
            decay: 1e-2,
            seed: 0,
            augment: Augment::NONE,
        }
    }
}

/// Images and labels packed for training.
#[derive(Debug, Clone, Default)]
pub struct TrainingSet {
    bytes: Vec<u8>,
    /// One number a question, image by image.
    labels: Vec<i64>,
    questions: usize,
    side: u32,
}

impl TrainingSet {
    /// An empty set of square images of this side, px.
    pub fn new(side: u32) -> Self {
        Self::with_questions(side, 1)
    }

    /// An empty set for a network that answers several questions of an image.
    pub fn with_questions(side: u32, questions: usize) -> Self {
        Self {
            bytes: Vec::new(),
            labels: Vec::new(),
            questions,
            side,
        }
    }

    /// Adds images of one size with their class indices; image by image one for each question.
    ///
    /// # Errors
    ///
    /// [`ClassifierError::Size`].
    pub fn extend(&mut self, images: &[RgbImage], labels: &[usize]) -> Result<(), ClassifierError> {
        let bytes = pack(images, self.side, self.len())?;
        self.bytes.extend(bytes);
        self.labels.extend(labels.iter().map(|&l| l as i64));
        Ok(())
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.labels.len() / self.questions.max(1)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    fn batch(
        &self,
        indices: &[usize],
        augment: &Augment,
        rng: &mut ChaCha8Rng,
    ) -> (Tensor, Tensor) {
        let size = (self.side * self.side * 3) as usize;
        let mut bytes = Vec::with_capacity(indices.len() * size);
        let width = self.questions;
        let mut labels = Vec::with_capacity(indices.len() * width);
        for &i in indices {
            let start = bytes.len();
            bytes.extend_from_slice(&self.bytes[i * size..(i + 1) * size]);
            augment.apply(&mut bytes[start..], self.side as usize, rng);
            labels.extend_from_slice(&self.labels[i * width..(i + 1) * width]);
        }
        (
            normalise(&bytes, indices.len(), self.side),
            Tensor::from_slice(&labels).view([-1, width as i64]),
        )
    }
}

/// Trains a classifier and returns it with its parameters; `progress` hears every step's loss.
///
/// The same set, options and device give the same weights.
pub fn train(
    config: &CnnConfig,
    set: &TrainingSet,
    options: &TrainOptions,
    device: Device,
    mut progress: impl FnMut(usize, f64),
) -> (Cnn, Params) {
    let TrainOptions {
        steps,
        batch,
        lr,
        decay,
        seed,
        augment,
    } = *options;
    let (params, cnn) = {
        // libtorch has one generator for the whole process: trainings side by side take turns.
        let _turn = INITIALISING.lock().unwrap_or_else(PoisonError::into_inner);
        tch::manual_seed(seed as i64);
        let params = Params::fresh(device);
        let cnn = Cnn::new(&params.root(), config);
        (params, cnn)
    };
    let mut optimiser = AdamW::new(&params, decay);
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut order: Vec<usize> = Vec::new();
    for step in 0..steps {
        let mut indices = Vec::with_capacity(batch);
        while indices.len() < batch && !set.is_empty() {
            if order.is_empty() {
                order = (0..set.len()).collect();
                order.shuffle(&mut rng);
            }
            indices.extend(order.pop());
        }
        if indices.is_empty() {
            break;
        }
        let (pixels, labels) = set.batch(&indices, &augment, &mut rng);
        let (_, logits) = cnn.forward(&pixels.to_device(device));
        let labels = labels.to_device(device).to_kind(Kind::Int64);
        let answers = logits.split_with_sizes(config.widths(), -1);
        let losses: Vec<Tensor> = (0..)
            .zip(&answers)
            .map(|(question, logits)| logits.cross_entropy_for_logits(&labels.select(1, question)))
            .collect();
        let loss = Tensor::stack(&losses, 0).sum(Kind::Float);
        optimiser.step(&loss, one_cycle(step, steps, lr));
        progress(step, loss.double_value(&[]));
    }
    (cnn, params)
}
