//! The analysed model's side: the user's TorchScript, and a small convolutional classifier with its
//! training.
//!
//! The world's failing classifier, the world's judge and the examples' CIFAR-10 classifier are all
//! a [`Cnn`]; any other network is a [`Script`]. May import: `io`, `dataset`, `nn`.

mod augment;
mod cnn;
mod script;
mod train;

pub use self::augment::Augment;
pub use self::cnn::{ClassifierError, Cnn, CnnConfig, Predictions};
pub use self::script::{Outputs, Script};
pub use self::train::{TrainOptions, TrainingSet, train};
