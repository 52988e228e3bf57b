//! Tests that run the `hardlight` command, and what they need of the library beside it.
//!
//! They share a process: none sets an environment variable, a folder or a number of threads for all.

#![cfg(feature = "torch")]
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]

#[path = "../common/mod.rs"]
mod common;

mod bad_images;
mod cache;
mod captions;
mod classifier;
mod cli;
mod data;
mod decide;
mod doctor;
#[cfg(unix)]
mod duplicates;
mod embed;
mod embeddings;
mod evaluate;
mod export;
mod generate;
mod generate_from_image;
mod hub;
mod library;
mod manual;
mod pool;
mod readers;
mod report;
#[cfg(unix)]
mod resume;
mod run;
mod score;
mod scores;
mod space;
mod start;

/// Not a test: the process from which the others' commands are forked ([`common::preloaded`]).
#[cfg(unix)]
#[test]
#[ignore = "run by the tests themselves"]
fn serve() {
    common::preloaded::serve();
}
