//! Tests that call the library in this process.
//!
//! One crate for all of them: every test crate links libtorch, which takes longer than most tests.

#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]

#[cfg(feature = "torch")]
#[path = "../common/mod.rs"]
mod common;

#[cfg(feature = "torch")]
mod cuda;
#[cfg(feature = "torch")]
mod image_starts;
#[cfg(feature = "torch")]
mod images;
#[cfg(feature = "torch")]
mod judge;
mod layering;
#[cfg(feature = "torch")]
mod layouts;
#[cfg(feature = "torch")]
mod models;
#[cfg(feature = "torch")]
mod pipelines;
#[cfg(feature = "torch")]
mod schedulers;
mod statistics;
mod svm;
