//! Candidate captions, how they score against a failure direction, and what real images say of them.
//!
//! - [`Grammar`]: a `.toml` file of slots and templates; [`list`]: a text file, a caption a line;
//!   [`wordnet`]: nouns below a synset.
//! - [`mod@score`]: both scores; label-contradicting and near-equal captions dropped, hard and easy marked.
//! - [`survey`]: the errors of the images nearest to every caption, against chance; [`check`]: the accuracy on those nearest to one.
//! - [`table`] writes `captions.parquet` and `report/captions.csv`.
//!
//! May import: `io`, `dataset`, `embed`, `direction`.

pub mod check;
mod error;
pub mod grammar;
pub mod list;
mod location;
mod merge;
mod rows;
pub mod score;
pub mod survey;
pub mod table;
pub mod wordnet;

pub use self::check::{Accuracy, CaptionVerdict, Checked};
pub use self::error::{CaptionError, Fault};
pub use self::grammar::Grammar;
pub use self::location::Location;
pub use self::score::{CaptionKind, CaptionScore, References, Space, score};
