//! hardlight against the Python libraries at full size; `make oracle` runs it (`tests/oracle/run.sh`).
//!
//! Every module holds one ignored test, `compare`, that reads the folder its Python script
//! (`tests/oracle/full/`) wrote and adds rows to the table.

#![cfg(feature = "torch")]
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "tests may panic, and show their rows"
)]

mod clip;
mod lora;
mod pipelines;
mod preprocess;
mod rows;
mod schedulers;
mod svm;
mod tokenizer;
mod unet;
mod vae;
