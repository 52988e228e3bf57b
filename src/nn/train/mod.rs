//! What training a small network needs, and running one does not.
//!
//! - [`AdamW`] with [`one_cycle`] and [`Average`]: optimiser, learning rate, moving average.
//! - [`bpe`]: a small vocabulary for CLIP's tokenizer.
//!
//! The classifier of the drawn world and `examples/train_world` train with these.

#[cfg(feature = "torch")]
mod adamw;
#[cfg(feature = "torch")]
mod average;
pub mod bpe;
#[cfg(feature = "torch")]
mod schedule;

#[cfg(feature = "torch")]
pub use self::adamw::AdamW;
#[cfg(feature = "torch")]
pub use self::average::Average;
#[cfg(feature = "torch")]
pub use self::schedule::one_cycle;
