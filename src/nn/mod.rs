//! Networks' building blocks and the loader that fills them from checkpoints.
//!
//! - [`params`]: where a network's parameters come from: a `.safetensors` checkpoint (every missing,
//!   unused and wrong-shaped tensor reported at once) or fresh ones for training.
//! - [`layers`]: linear, convolution and normalisation layers whose names are checkpoint keys.
//! - [`attention`]: the attention every tower and UNet here shares, through
//!   `scaled_dot_product_attention`.
//! - [`lora`]: low-rank adapters, merged into a checkpoint's weights while they are loaded.
//! - [`tokenizer`]: captions to token ids.
//! - [`clip`], [`siglip`]: text and image towers.
//! - [`safety_checker`]: the network that Stable Diffusion folders carry.
//! - [`threads`]: how libtorch's threads wait.
//! - [`train`]: what training a small network needs.
//!
//! May import: `io`.

#[cfg(feature = "torch")]
pub mod attention;
pub mod clip;
#[cfg(feature = "torch")]
pub mod layers;
#[cfg(feature = "torch")]
pub mod lora;
#[cfg(feature = "torch")]
pub mod params;
#[cfg(feature = "torch")]
pub mod safety_checker;
#[cfg(feature = "torch")]
pub mod siglip;
#[cfg(feature = "torch")]
pub mod threads;
pub mod tokenizer;
#[cfg(feature = "torch")]
mod torch_error;
pub mod train;
