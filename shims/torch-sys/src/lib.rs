//! `torch-sys` 0.24 under the version number that `diffusers` 0.3.1 asks for; see `shims/tch`.
pub use real::*;
