//! The stages of a run, one a file: each calls a room and writes what it found.

pub(super) mod candidates;
pub(super) mod captions;
mod classifier;
pub(super) mod detect;
mod doubts;
mod embed;
pub(super) mod generate;
pub(super) mod inputs;
mod judge;
pub(super) mod manifest;
pub(super) mod outputs;
pub(super) mod own;
pub(super) mod pool;
mod predict;
pub(super) mod proof;
mod report;
mod skipped;
pub(super) mod space;
mod study;
mod tables;
