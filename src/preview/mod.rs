//! Contact sheets: what a failure mode looks like, what was kept, what was rejected and why.
//!
//! ```text
//! Sheet { sections { cells } } ──render──▶ RgbImage ──write──▶ mode.png ─┐
//!                                                                        ├─▶ page::html
//!                                     title, sentence ───────────────────┘
//! ```
//!
//! [`thumbnail`] makes the small pictures of `report.html`. [`collect`] fills the sheets of a run from its files. The same sheet gives the same bytes. Reads, never
//! decides: which images are shown, and what is said of them, was settled before.

pub mod collect;
mod error;
pub mod page;
mod sheet;
mod text;
pub mod thumbnail;
mod tile;

pub use error::PreviewError;
pub use sheet::{Section, Sheet, SheetOptions, render, write};
pub use tile::{Mark, Tile};
