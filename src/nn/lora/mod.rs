//! Low-rank adapters (Hu et al. 2021, section 4.1), merged into weights while these are loaded.
//!
//! ```text
//! W' = W + Σ scale · (alpha / rank) · up @ down      one term for each adapter, in float32
//! ```
//!
//! An [`Adapter`] is one `.safetensors` file, whose format its keys tell:
//!
//! | written by | UNet | text encoders | parts |
//! | --- | --- | --- | --- |
//! | PEFT, Diffusers | `unet.` or none | `text_encoder.`, `text_encoder_2.` | `lora_A`, `lora_B` |
//! | older Diffusers | the same, `.processor.` | the same | `lora.down`, `to_q_lora.down`, `lora_linear_layer.down` |
//! | kohya-ss, `LyCORIS` (`LoCon`) | `lora_unet_` | `lora_te_` or `lora_te1_`, `lora_te2_` | `lora_down`, `lora_up` |
//!
//! kohya writes underscores for dots, so its names cannot be taken apart: they are looked up among
//! the names that the checkpoint has, written the same way. UNet blocks may have their names in the
//! first Stable Diffusion code (`input_blocks_4_1_…`), as kohya's have for SDXL. Every adapter must
//! find all its weights ([`patched`]), and the model must have all components that it changes
//! ([`check`]).
//!
//! `alpha` is the adapter's own entry, or what `lora_adapter_metadata` in the header says, or the
//! rank. It counts for the one weight that it stands beside, as kohya-ss means it. (Diffusers 0.42
//! takes the commonest alpha of a file for attention layers and text encoders of which some have
//! another.)
//!
//! Source: diffusers 0.42 `loaders/lora_pipeline.py`, `loaders/lora_conversion_utils.py`,
//! `utils/state_dict_utils.py`, `utils/peft_utils.py`; peft 0.21 `tuners/lora/layer.py`.

mod config;
mod error;
mod file;
mod keys;
mod merge;
mod names;

use std::fmt::{self, Display};

pub use self::error::{LoraError, Misfit};
pub use self::file::Adapter;
pub use self::merge::{check, patch, patched};

/// A network that adapters change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Component {
    /// The noise predictor.
    Unet,
    /// The text encoder, or the first of two.
    TextEncoder,
    /// The second text encoder of SDXL.
    TextEncoder2,
}

impl Display for Component {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unet => "unet",
            Self::TextEncoder => "text_encoder",
            Self::TextEncoder2 => "text_encoder_2",
        })
    }
}
