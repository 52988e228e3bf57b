//! Finds where an image classifier fails, and makes the training images that mend it.
//!
//! ```text
//! dataset ─▶ embed ─▶ direction ─▶ caption ─▶ generate ─▶ filter ─▶ run ─▶ manifest ─▶ preview
//!              │ nn                              │ diffusion  │ image_file   pipeline, cli: on top of all
//! ```
//!
//! A classifier's right and wrong validation images of a class are separated by a linear SVM in CLIP
//! space ([`direction`]); captions are scored against that direction ([`caption`]); Stable Diffusion
//! draws from the hardest ([`diffusion`], [`generate`]); the pictures are judged ([`filter`]) and
//! noted ([`run`]); what is kept goes into an augmented training table ([`manifest`]) and onto
//! contact sheets ([`preview`]). Models come from folders or from the Hugging Face hub ([`hub`]). [`world`]
//! is a drawn data set with a planted failure, on which all of it can be watched. [`pipeline`] runs all
//! of it.
//!
//! Every room is a folder; imports point left or down in the picture, and `tests/library/layering/` holds
//! them to it. Without the feature `torch` (on by default) the models and the command line are left
//! out, and everything else builds without libtorch.
//!
//! The method: Jain, Lawrence, Moitra, Madry, "Distilling Model Failures as Directions in Latent
//! Space", ICLR 2023 (<https://arxiv.org/abs/2206.14754>).

pub mod caption;
#[cfg(feature = "torch")]
pub mod classifier;
#[cfg(feature = "torch")]
pub mod cli;
pub mod dataset;
pub mod diffusion;
pub mod direction;
pub mod embed;
pub mod filter;
pub mod generate;
pub mod hub;
pub mod image_file;
pub mod io;
pub mod manifest;
pub mod nn;
pub mod pipeline;
pub mod preview;
pub mod report;
pub mod run;
pub mod world;
