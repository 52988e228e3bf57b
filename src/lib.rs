//! x
#[cfg(feature = "torch")]
pub mod classifier;
pub mod dataset;
pub mod diffusion;
pub mod io;
pub mod nn;
pub mod world;
