//! x
pub mod config;
pub mod noise;
pub mod resnet;
pub mod schedulers;
pub mod transformer;
pub mod unet;
pub mod vae;
