//! Candidate captions and how they score against a failure direction.
//!
//! - [`Grammar`]: a `.toml` file of slots and templates; [`list`]: a text file, a caption a line.
//! - [`mod@score`]: both scores, label-contradicting captions dropped, hard and easy marked.
//! - [`table`] writes `captions.parquet`.
//!
//! May import: `io`, `dataset`, `embed`, `direction`.

mod error;
pub mod grammar;
pub mod list;
pub mod score;
pub mod table;

pub use self::error::CaptionError;
pub use self::grammar::Grammar;
pub use self::score::{CaptionScore, Kind, Space, score};
