//! Stable Diffusion on libtorch: model folder, networks, schedulers, sampling.
//!
//! - [`config`]: the JSON of a Diffusers pipeline folder, checked.
//! - [`unet`]: `UNet2DConditionModel`; [`vae`]: `AutoencoderKL`; [`resnet`] and [`transformer`]: the
//!   blocks they share.
//! - [`schedulers`]: one file each, behind one trait.
//! - [`pipeline`]: a folder opened, captions encoded, images sampled.
//! - [`noise`]: noise keyed by seed and step, so that an image never depends on its batch.
//!
//! Knows nothing of classes or directions. May import: `io`, `nn`.

pub mod config;
pub mod noise;
pub mod pipeline;
pub mod resnet;
pub mod schedulers;
pub mod transformer;
pub mod unet;
pub mod vae;
