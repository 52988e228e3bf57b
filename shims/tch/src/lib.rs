//! `tch` 0.24 under the version number that `diffusers` 0.3.1 asks for.
//!
//! Two crates with `links = "tch"` cannot stand in one build, so `diffusers` gets this re-export
//! through `[patch.crates-io]` instead of the real `tch` 0.13. It holds no code of its own.
pub use real::*;
