//! interim
pub use crate::run::png::*;
