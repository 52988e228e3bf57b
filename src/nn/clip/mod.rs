//! CLIP (Radford et al. 2021, <https://arxiv.org/abs/2103.00020>): text and image tower.
//!
//! - [`config`]: `config.json` as Transformers writes it; [`open_clip`]: as `open_clip` does.
//! - [`form`]: which of the two libraries a folder is read by.
//! - [`towers`]: the two towers; [`model`]: both with their projections, or one alone.
//!
//! Not here: the tokenizer ([`super::tokenizer`]).
//!
//! May import: `io`.

#[cfg(feature = "torch")]
pub(in crate::nn) mod block;
#[cfg(feature = "torch")]
pub mod config;
pub mod form;
#[cfg(feature = "torch")]
pub mod model;
#[cfg(feature = "torch")]
pub mod open_clip;
#[cfg(feature = "torch")]
pub mod towers;
