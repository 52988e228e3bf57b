//! The analysed model's side: a small convolutional classifier, and how it is trained.
//!
//! The world's failing classifier, the world's judge and the examples' CIFAR-10 classifier are all
//! a [`Cnn`]. May import: `io`, `dataset`, `nn`.

mod cnn;
mod train;

pub use self::cnn::{ClassifierError, Cnn, CnnConfig, Predictions};
pub use self::train::{TrainOptions, TrainingSet, train};
