//! What can be wrong with captions.

use std::path::PathBuf;

use super::location::Location;
use super::wordnet::WordNetError;
use crate::direction::WhitenError;
use crate::io::{Classified, ErrorKind, IoError};

/// Why captions could not be made or scored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CaptionError {
    /// A file could not be read or written.
    #[error(transparent)]
    Io(#[from] IoError),

    /// The grammar is not TOML, or has a key or value that is not known.
    #[error("{place}: not a grammar; prompts/README.md shows what one looks like")]
    Parse {
        /// Where.
        place: Location,
        /// What the TOML reader said.
        #[source]
        source: Box<toml::de::Error>,
    },

    /// The grammar is TOML, and does not make sense.
    #[error("{place}: {fault}")]
    Grammar {
        /// Where.
        place: Location,
        /// What is wrong.
        fault: Fault,
    },

    /// Nouns could not be had from WordNet.
    #[error("{place}: nouns could not be had from WordNet")]
    Nouns {
        /// Where they are asked for.
        place: Location,
        /// Why.
        #[source]
        source: Box<WordNetError>,
    },

    /// WordNet could not be opened.
    #[error(transparent)]
    WordNet(#[from] WordNetError),

    /// A class has no captions.
    #[error("{origin} has no captions for class {class:?}: its exclude pairs leave none")]
    Empty {
        /// The file.
        origin: String,
        /// The class.
        class: String,
    },

    /// A caption's embedding cannot be whitened.
    #[error("caption {caption:?} has no place in the space of the images")]
    Whiten {
        /// The caption.
        caption: String,
        /// Why.
        #[source]
        source: WhitenError,
    },

    /// A table has other columns.
    #[error(
        "{} has other columns than this version writes: let `hardlight captions` or `run` finish on the \
         folder again", path.display()
    )]
    Columns {
        /// The file.
        path: PathBuf,
    },

    /// The table could not be encoded.
    #[error("could not write {}", path.display())]
    Encode {
        /// The file.
        path: PathBuf,
        /// What the encoder said.
        #[source]
        source: parquet::errors::ParquetError,
    },

    /// The text table could not be encoded.
    #[error("could not write {}", path.display())]
    Csv {
        /// The file.
        path: PathBuf,
        /// What the encoder said.
        #[source]
        source: csv::Error,
    },
}

impl Classified for CaptionError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Io(error) => error.kind(),
            Self::Nouns { source, .. } => source.kind(),
            Self::WordNet(error) => error.kind(),
            Self::Whiten { source, .. } => source.kind(),
            Self::Encode { .. } | Self::Csv { .. } => ErrorKind::Other,
            _ => ErrorKind::Input,
        }
    }
}

/// What does not make sense in a grammar.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// A template names a slot that is not there.
    #[error(
        "{{{slot}}} is no slot{}: {{class}} and the keys of [slots] are, {known:?}",
        for_class.as_ref().map(|class| format!(" of {class}")).unwrap_or_default()
    )]
    Slot {
        /// The slot it names.
        slot: String,
        /// The class or group that lacks it, where others have it.
        for_class: Option<String>,
        /// The slots there are.
        known: Vec<String>,
    },

    /// A brace is not closed, or not opened.
    #[error("a brace is not paired in template {template:?}: slots are written {{slot}}")]
    Brace {
        /// The template.
        template: String,
    },

    /// There is no template.
    #[error("there are no templates: give at least one, such as \"a photo of a(n) {{class}}\"")]
    NoTemplates,

    /// A template or reference of nothing.
    #[error("this text is empty")]
    EmptyText,

    /// A slot without values.
    #[error("slot {slot} has no values: give some (\"\" leaves it out), or remove it")]
    EmptySlot {
        /// The slot.
        slot: String,
    },

    /// A slot that is defined and never used has this name.
    #[error("a slot cannot be called class: that is the class's noun")]
    SlotClass,

    /// A phrase without a word in it.
    #[error("this holds no word, so no caption says it")]
    EmptyPhrase,

    /// Both halves of a pair are equal.
    #[error("both say {phrase:?}, so every caption that says it is left out")]
    SamePhrase {
        /// The phrase.
        phrase: String,
    },

    /// A class is of a group that is not there.
    #[error("there is no group {name:?}: there are {known:?}")]
    Group {
        /// The name.
        name: String,
        /// The groups there are.
        known: Vec<String>,
    },

    /// Two classes answer to the same name.
    #[error("class {class:?} has the name {name:?} already")]
    Name {
        /// The name.
        name: String,
        /// Who has it.
        class: String,
    },

    /// A class would have more captions than anyone scores.
    #[error(
        "{count} captions for class {class:?}, at most {most} are allowed: give slots fewer values"
    )]
    TooMany {
        /// The class; empty for one that the grammar does not name.
        class: String,
        /// Captions it would have.
        count: u128,
        /// What is allowed.
        most: u128,
    },

    /// Nothing is left of a class's captions.
    #[error("class {class:?} has no captions: every one is excluded")]
    Nothing {
        /// The class; empty for one that the grammar does not name.
        class: String,
    },

    /// Nouns are asked of WordNet, which is not there.
    #[error("nouns of {synset} come from WordNet: give its folder of data.noun (--wordnet DIR)")]
    NoWordNet {
        /// The synset.
        synset: String,
    },

    /// A line of a class table.
    #[error("expected id, group, a or -, noun and names (with ; between them), separated by tabs")]
    Row,
}

impl Classified for Fault {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Input
    }
}
