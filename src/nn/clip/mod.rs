//! CLIP (Radford et al. 2021, <https://arxiv.org/abs/2103.00020>): tokenizer, text and image tower.
//!
//! - [`tokenizer`]: captions to token ids; [`bpe`] trains a vocabulary for a small world.
//! - [`config`]: `config.json` as Transformers writes it.
//! - [`towers`]: the two towers; [`model`]: both with their projections, or one alone.
//!
//! May import: `io`.

#[cfg(feature = "torch")]
pub(in crate::nn) mod block;
pub mod bpe;
#[cfg(feature = "torch")]
pub mod config;
#[cfg(feature = "torch")]
pub mod model;
pub mod tokenizer;
#[cfg(feature = "torch")]
pub mod towers;
