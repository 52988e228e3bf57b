//! Stable Diffusion on libtorch: model folder, networks, schedulers, sampling.
//!
//! - [`config`]: the JSON of a Diffusers pipeline folder, checked.
//! - [`unet`]: `UNet2DConditionModel`; [`vae`]: `AutoencoderKL`; [`resnet`] and [`transformer`]: the
//!   blocks they share.
//! - [`schedulers`]: one file each, behind one trait.
//! - [`pipeline`]: a folder opened, captions encoded, images sampled.
//! - [`record`]: what a pipeline says of itself for the record of an image.
//! - [`noise`]: noise keyed by seed and step, so that an image never depends on its batch.
//!
//! Without the feature `torch` the records alone are built.
//!
//! Knows nothing of classes or directions. May import: `io`, `nn`.

#[cfg(feature = "torch")]
pub mod config;
#[cfg(feature = "torch")]
pub mod noise;
#[cfg(feature = "torch")]
pub mod pipeline;
pub mod record;
#[cfg(feature = "torch")]
pub mod resnet;
#[cfg(feature = "torch")]
pub mod schedulers;
#[cfg(feature = "torch")]
pub mod transformer;
#[cfg(feature = "torch")]
pub mod unet;
#[cfg(feature = "torch")]
pub mod vae;
