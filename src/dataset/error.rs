//! The one error of this room.

use std::path::PathBuf;

use super::{Contradiction, Layout, Split, UnknownSplit};
use crate::io::{Classified, ErrorKind, IoError};

/// Why a data set could not be read, or is not fit to work with.
///
/// `place` says where: a file with its line or row, or the number of an example.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DatasetError {
    /// A file could not be read.
    #[error("could not read the data set")]
    Io(#[from] IoError),

    /// The folder of the data set is not there.
    #[error("there is no folder {}: check the path of the data set", .path.display())]
    MissingFolder {
        /// The path.
        path: PathBuf,
    },

    /// The path of the data set leads to something else.
    #[error("{} is not a folder: give the folder that holds train, val, test", .path.display())]
    NotAFolder {
        /// The path.
        path: PathBuf,
    },

    /// A folder could not be listed.
    #[error("could not list {}", .path.display())]
    List {
        /// The folder.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },

    /// A name is not text.
    #[error("{} has a name that is not UTF-8: rename it", .path.display())]
    NameNotUtf8 {
        /// The file or folder.
        path: PathBuf,
    },

    /// No folder is named after a split.
    #[error(
        "{} has no folder named train, val, test or pool; it has {}{}",
        .root.display(), list(.found),
        .below.as_ref().map_or_else(String::new, |below| format!(": give {}", below.display()))
    )]
    NoSplits {
        /// The folder of the data set.
        root: PathBuf,
        /// A folder in it that has them.
        below: Option<PathBuf>,
        /// Its folders, sorted.
        found: Vec<String>,
    },

    /// Two folders mean the same split.
    #[error("{} has both {first} and {second}, which are the same split: keep one", .root.display())]
    AmbiguousSplit {
        /// The folder of the data set.
        root: PathBuf,
        /// The first folder's name.
        first: String,
        /// The second folder's name.
        second: String,
    },

    /// An image lies beside the class folders.
    #[error("{} is in no class folder: move it to SPLIT/CLASS/", .path.display())]
    NoClassFolder {
        /// The image.
        path: PathBuf,
    },

    /// A split without classes.
    #[error("{} has no class folders: expected SPLIT/CLASS/*", .path.display())]
    EmptySplit {
        /// The folder of the split.
        path: PathBuf,
    },

    /// A class without images.
    #[error(
        "class folder {} has no images{}: fill it or remove it",
        .path.display(), .found.as_ref().map_or_else(String::new, |found| format!(", but {found}"))
    )]
    EmptyClass {
        /// The folder of the class.
        path: PathBuf,
        /// What it has most of instead.
        found: Option<String>,
    },

    /// No examples at all.
    #[error("{} has no examples", .path.display())]
    NoExamples {
        /// The folder or table.
        path: PathBuf,
    },

    /// Files are there, in a form that is not read.
    #[error("{} has no examples that are read, but {found}: {remedy}", .path.display())]
    OtherForm {
        /// The folder.
        path: PathBuf,
        /// What is there.
        found: String,
        /// What makes it what is read.
        remedy: &'static str,
    },

    /// Python's own files, which run code when they are opened.
    #[error(
        "{} holds the Python version, whose pickles are not opened: download the binary version, {archive}",
        .path.display()
    )]
    Pickles {
        /// The folder.
        path: PathBuf,
        /// What to download.
        archive: String,
    },

    /// Two statements that cannot both be true, or one that may mean two things.
    #[error(transparent)]
    Contradiction(#[from] Box<Contradiction>),

    /// A table in a format that is not read.
    #[error("{} is no known table: expected a name ending in .csv, .tsv, .jsonl, .ndjson, .json or .parquet \
         (predictions: or .npy, .safetensors); what is packed (.gz, .zip) must be unpacked", .path.display())]
    UnknownTable {
        /// The table.
        path: PathBuf,
    },

    /// A CSV file that does not parse.
    #[error("{place}: malformed CSV")]
    Csv {
        /// The file, with the line where it is known.
        place: String,
        /// What the parser said.
        #[source]
        source: csv::Error,
    },

    /// A row of a CSV with more or fewer cells than the header.
    #[error("{place}: malformed CSV: {found} cells, and the header has {expected}")]
    CellCount {
        /// The file and line.
        place: String,
        /// How many cells there are.
        found: usize,
        /// How many there should be.
        expected: usize,
    },

    /// Text in an encoding that is not read.
    #[error(
        "{place}{}: is not UTF-8; in the encoding of Western European Windows it would begin {seen:?}: save the file as \
         UTF-8 (iconv -f WINDOWS-1252 -t UTF-8, or the encoding that it has)",
        .column.as_ref().map_or_else(String::new, |column| format!(", column {column:?}"))
    )]
    NotUtf8 {
        /// The file and line.
        place: String,
        /// The column, where there are columns.
        column: Option<String>,
        /// What is there, read so.
        seen: String,
    },

    /// A file in an encoding that is recognised and not read.
    #[error("{} is UTF-32: save it as UTF-8 (iconv -f UTF-32 -t UTF-8)", .path.display())]
    Encoding {
        /// The file.
        path: PathBuf,
    },

    /// A Parquet file whose columns are packed in a way that is not read.
    #[error("{}: compressed with {codec}, which is not read: write it with zstd or snappy", .path.display())]
    Codec {
        /// The file.
        path: PathBuf,
        /// The name of the codec.
        codec: &'static str,
    },

    /// A published data set without one of its files.
    #[error(
        "{} has no {}: is it the folder of {layout}?",
        .root.display(), .names.join(" or ")
    )]
    MissingFile {
        /// The folder of the data set.
        root: PathBuf,
        /// Its name.
        layout: Layout,
        /// Where the file may lie below the folder.
        names: Vec<String>,
    },

    /// A data set of many labels, and none is chosen.
    #[error("{layout} needs a label to analyse, --label NAME, one of {}", list(.known))]
    NeedsLabel {
        /// The data set.
        layout: Layout,
        /// What may be chosen.
        known: Vec<String>,
    },

    /// A chosen label or group that the data set does not have.
    #[error("{layout} has no {option} {name:?}; there are {}", list(.known))]
    UnknownChoice {
        /// The data set.
        layout: Layout,
        /// "label" or "group".
        option: &'static str,
        /// What was asked for.
        name: String,
        /// What may be chosen.
        known: Vec<String>,
    },

    /// A choice that the data set does not leave.
    #[error("{layout} leaves no choice of {option}: leave out {value}")]
    NoChoice {
        /// The data set.
        layout: Layout,
        /// "label", "group" or "classes".
        option: &'static str,
        /// What was asked for.
        value: String,
    },

    /// Another number of class names than the data set has classes.
    #[error("{found} class names for {layout}, which has {expected} classes")]
    ClassCount {
        /// The data set.
        layout: Layout,
        /// How many names there are.
        found: usize,
        /// How many there should be.
        expected: usize,
    },

    /// A line of a published list that is no such line.
    #[error("{place}: expected {expected}")]
    BadLine {
        /// The line.
        place: String,
        /// What it should hold.
        expected: String,
    },

    /// Something that the files of a published data set do not agree on.
    #[error("{place}: {name:?} {reason}")]
    Disagreement {
        /// The file or line.
        place: String,
        /// The image.
        name: String,
        /// What is wrong.
        reason: &'static str,
    },

    /// A sample of a shard without a part that it needs.
    #[error("{place}: {name:?} {lacks}; {hint}")]
    Incomplete {
        /// The shard and member.
        place: String,
        /// The sample's key.
        name: String,
        /// What it lacks.
        lacks: &'static str,
        /// What it has.
        hint: String,
    },

    /// A Parquet file that does not decode.
    #[error("{}: malformed Parquet", .path.display())]
    Parquet {
        /// The file.
        path: PathBuf,
        /// What the decoder said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },

    /// An image that is not in the file that should hold it.
    #[error("{} has no image {name:?}: {reason}", .path.display())]
    NoMember {
        /// The file.
        path: PathBuf,
        /// The image's name or row.
        name: String,
        /// Why not.
        reason: &'static str,
    },

    /// A Parquet table of more rows than any real one.
    #[error("{} announces {rows} rows, the limit is {limit}", .path.display())]
    TooManyRows {
        /// The file.
        path: PathBuf,
        /// How many it announces.
        rows: u64,
        /// How many are read.
        limit: u64,
    },

    /// A column of another type than its cells should have.
    #[error("{}, column {column:?}: is of type {found}, expected {expected}", .path.display())]
    BadColumn {
        /// The file.
        path: PathBuf,
        /// The column.
        column: String,
        /// Its type.
        found: String,
        /// What it should hold.
        expected: &'static str,
    },

    /// A column with both numbers and text.
    #[error(
        "{place}, column {column:?}: {} here and {} at {first}: write all rows alike",
        kind(*.number), kind(!*.number)
    )]
    MixedTypes {
        /// The row that differs.
        place: String,
        /// The column.
        column: &'static str,
        /// Whether that row has a number.
        number: bool,
        /// The first row with a value.
        first: String,
    },

    /// A column every row needs is not there.
    #[error("{place}: no column {column:?}; there are {}", list(.found))]
    MissingColumn {
        /// The file or row.
        place: String,
        /// The column.
        column: String,
        /// The columns there are.
        found: Vec<String>,
    },

    /// Two columns of one name.
    #[error("{place}: column {column:?} is there twice")]
    DuplicateColumn {
        /// The file or row.
        place: String,
        /// The column.
        column: String,
    },

    /// A cell that must hold something is empty.
    #[error("{place}, column {column:?}: empty")]
    EmptyCell {
        /// The row.
        place: String,
        /// The column.
        column: String,
    },

    /// A cell holds something else than it should.
    #[error("{place}, column {column:?}: {value:?} is not {expected}")]
    BadCell {
        /// The row.
        place: String,
        /// The column.
        column: String,
        /// What it holds, shortened.
        value: String,
        /// What it should hold.
        expected: &'static str,
    },

    /// The split of a row is not one.
    #[error("{place}, column \"split\"")]
    BadSplit {
        /// The row.
        place: String,
        /// The name it holds.
        #[source]
        source: UnknownSplit,
    },

    /// A class that is not one of the known.
    #[error(
        "{place}, column {column:?}: unknown class {name:?}; the classes are {}{}",
        list(.known), more_classes(.column)
    )]
    UnknownClass {
        /// The row.
        place: String,
        /// The column.
        column: String,
        /// The name it holds.
        name: String,
        /// The known classes.
        known: Vec<String>,
    },

    /// A class name that cannot be read.
    #[error("{}class {name:?} {reason}: rename it", .first.as_deref().unwrap_or_default())]
    BadClassName {
        /// Where it is first, with a colon and space; none where that has no place.
        first: Option<String>,
        /// The name.
        name: String,
        /// Why not.
        reason: &'static str,
    },

    /// Two classes are the same on some file systems.
    #[error("classes {first:?} and {second:?} differ only in case or Unicode form: rename one")]
    ClashingClasses {
        /// The first.
        first: String,
        /// The second.
        second: String,
    },

    /// A label or prediction beyond the classes.
    #[error("{place}: {what} {index} is beyond the {classes} classes")]
    ClassOutOfRange {
        /// The row or example.
        place: String,
        /// "label" or "prediction".
        what: &'static str,
        /// The index.
        index: usize,
        /// How many classes there are.
        classes: usize,
    },

    /// A path that does not stay below the root.
    #[error("{place}: path {path:?} {reason}; it must be relative to the root, with /")]
    BadPath {
        /// The row or example.
        place: String,
        /// The path.
        path: String,
        /// What is wrong.
        reason: &'static str,
    },

    /// An id that cannot be used.
    #[error("{place}: id {id:?} {reason}")]
    BadId {
        /// The row or example.
        place: String,
        /// The id.
        id: String,
        /// What is wrong.
        reason: &'static str,
    },

    /// Two examples of one id.
    #[error(
        "{second}: id {second_id:?} is the same as {first_id:?} at {first} \
         (Unicode form does not count)"
    )]
    DuplicateId {
        /// Where it is first.
        first: String,
        /// The id there.
        first_id: String,
        /// Where it is again.
        second: String,
        /// The id there.
        second_id: String,
    },

    /// A confidence or probability that is none.
    #[error(
        "{place}: {what} {value} is not between 0 and 1: give softmax outputs, or call the column logits"
    )]
    NotAProbability {
        /// The row or example.
        place: String,
        /// "confidence" or "probability of CLASS".
        what: String,
        /// The value.
        value: f32,
    },

    /// Probabilities for more or fewer classes than there are.
    #[error("{place}: {found} probabilities for {classes} classes")]
    ProbabilityCount {
        /// The row or example.
        place: String,
        /// How many there are.
        found: usize,
        /// How many classes there are.
        classes: usize,
    },

    /// Probabilities that do not add up.
    #[error("{place}: the probabilities add up to {sum}, not 1: give softmax outputs")]
    ProbabilitySum {
        /// The row or example.
        place: String,
        /// What they add up to.
        sum: f32,
    },

    /// A prediction for an example that is not in the data set.
    #[error(
        "{place}: no example has {key} {value:?}: {}",
        .near.as_ref().map_or_else(
            || "remove the row, or is the file for other data?".to_owned(),
            |near| format!("is it {near:?}? Other rows are found as they are, so write it like them")
        )
    )]
    UnknownExample {
        /// The row.
        place: String,
        /// "id" or "path".
        key: &'static str,
        /// What the row holds.
        value: String,
        /// An example whose key ends so.
        near: Option<String>,
    },

    /// A path that several examples share cannot be a key.
    #[error("{place}: several examples have path {path:?}: join by id")]
    SharedPath {
        /// The row.
        place: String,
        /// The path.
        path: String,
    },

    /// Two predictions for one example.
    #[error("{second}: a second prediction for {id:?}, the first is at {first}")]
    DuplicatePrediction {
        /// The first row.
        first: String,
        /// The second row.
        second: String,
        /// The example.
        id: String,
    },

    /// A split that is worked on has examples and no prediction.
    #[error("none of the {examples} examples of split {split} has a prediction after {}", .path.display())]
    NoPredictions {
        /// The split.
        split: Split,
        /// Its examples.
        examples: usize,
        /// The file of predictions.
        path: PathBuf,
    },

    /// Scores are for two classes.
    #[error("scores are for 2 classes, the data has {classes}: give predictions")]
    ScoresOfClasses {
        /// How many classes there are.
        classes: usize,
    },

    /// A threshold, and no scores.
    #[error(
        "a score threshold is given, but no example has a score: a table's score counts where it has \
         no prediction"
    )]
    NoScores,

    /// F1 cannot be measured.
    #[error(
        "none of the {scored} examples of val with a score is of class {class:?}, so no threshold has \
         an F1: give the threshold as a number"
    )]
    NoPositives {
        /// Class 1.
        class: String,
        /// Examples of val with a score.
        scored: usize,
    },
}

impl From<Contradiction> for DatasetError {
    fn from(error: Contradiction) -> Self {
        Self::Contradiction(Box::new(error))
    }
}

impl Classified for DatasetError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Io(error) => error.kind(),
            _ => ErrorKind::Input,
        }
    }
}

fn kind(number: bool) -> &'static str {
    if number { "a number" } else { "text" }
}

/// What helps where a prediction is of a class that the data has no example of.
fn more_classes(column: &str) -> &'static str {
    if column.starts_with("prediction") || column.starts_with("probability_") {
        ". If the classifier has more classes than the data, list all of its in data.classes, in its order"
    } else {
        ""
    }
}

/// Names for a message: the first few, and how many more.
fn list(names: &[String]) -> String {
    const SHOWN: usize = 40;
    if names.is_empty() {
        return "none".to_owned();
    }
    let text = names[..names.len().min(SHOWN)].join(", ");
    match names.len().checked_sub(SHOWN) {
        None | Some(0) => text,
        Some(more) => format!("{text} and {more} more"),
    }
}
