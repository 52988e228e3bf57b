//! The drawn world: portraits of 64 × 64 px whose every attribute is known.
//!
//! It is the stand-in for photographs that needs no network, no accelerator and no licence. The label
//! is the **age**, the hidden group is the **gender**, and a training split may tie the two together
//! (old men and young women in the majority), which is the failure the rest of the crate finds and mends.
//!
//! A face goes through three steps, each usable alone and none with a state:
//!
//! 1. [`face`]: a description is drawn at random, from a seed of its own;
//! 2. [`draw`]: the description becomes pixels;
//! 3. [`caption`]: the description becomes a sentence.
//!
//! [`splits`] puts them together into data sets with exact group counts, [`folder`] writes these, and [`preset`]
//! says what each world's classifier fails on.

pub mod caption;
pub mod draw;
pub mod face;
pub mod folder;
#[cfg(feature = "torch")]
pub mod judge;
pub mod preset;
#[cfg(feature = "torch")]
pub mod retrain;
pub mod splits;
pub mod stand_in;

mod error;

pub use error::WorldError;
