//! Where data says two things, or may mean two: neither is chosen, both are named.

use std::path::PathBuf;

/// Two readings of the same data, or two statements that cannot both be true.
///
/// `place` says where: a file with its line or row.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Contradiction {
    /// Several columns could be the one that is needed.
    #[error(
        "{place}: no column {column:?}, and {} could each be it: rename the one that is meant",
        .found.join(", ")
    )]
    Columns {
        /// The header, or the row.
        place: String,
        /// The column.
        column: String,
        /// Those that could be it.
        found: Vec<String>,
    },

    /// Two separators fit a header equally well.
    #[error(
        "{}: by its header cells may be separated by {first} or by {second}: write it with commas",
        .path.display()
    )]
    Separators {
        /// The file.
        path: PathBuf,
        /// One.
        first: &'static str,
        /// The other.
        second: &'static str,
    },

    /// A number that is a class's name, and another's index.
    #[error(
        "{place}, column {column:?}: {value} is the name of a class, and as an index, counted from 0, it is class \
         {indexed:?}: call the column prediction_name or prediction_index (probabilities: write a list in class order)"
    )]
    NameOrIndex {
        /// The first row where the two differ.
        place: String,
        /// The column.
        column: String,
        /// What it holds.
        value: String,
        /// The class of that index.
        indexed: String,
    },

    /// Names of classes that are partly the data's own.
    #[error(
        "data.classes has {} of the data's own classes and lacks {}: give all of them, in the classifier's \
         order, or other names for all of them, in the order {}",
        .known.join(", "), .lacking.join(", "), .own.join(", ")
    )]
    ClassNames {
        /// The data's own that are there.
        known: Vec<String>,
        /// Those that are not.
        lacking: Vec<String>,
        /// All of them.
        own: Vec<String>,
    },

    /// A prediction that is not the most probable class.
    #[error(
        "{place}: the prediction is {said:?}, but of the probabilities that of {likely:?} is the largest ({most}, \
         against {of_said}): are they in the order of the classes ({order})? Where the prediction follows from a \
         threshold, leave the probabilities out"
    )]
    Probabilities {
        /// The row.
        place: String,
        /// The predicted class.
        said: String,
        /// Its probability.
        of_said: f32,
        /// The most probable class.
        likely: String,
        /// Its probability.
        most: f32,
        /// The classes in order.
        order: String,
    },

    /// A confidence that is not the probability of the prediction.
    #[error(
        "{place}: the confidence is {confidence}, but the probability of the prediction {said:?} is {probability}: are \
         the probabilities in the order of the classes ({order})?"
    )]
    Confidence {
        /// The row.
        place: String,
        /// The predicted class.
        said: String,
        /// What the row calls its confidence.
        confidence: f32,
        /// Its probability among those of all classes.
        probability: f32,
        /// The classes in order.
        order: String,
    },

    /// Two columns name two classes.
    #[error(
        "{place}: {first_column} says class {first:?}, {second_column} says {second:?}: which is right?"
    )]
    TwoClasses {
        /// The row.
        place: String,
        /// One column.
        first_column: &'static str,
        /// Its class.
        first: String,
        /// The other column.
        second_column: &'static str,
        /// Its class.
        second: String,
    },

    /// A row that knows an example otherwise than the data does.
    #[error(
        "{place}: its {column} is {said:?}, but {id:?} has {column} {own:?} in the data: are its rows those of this \
         data, in this order?"
    )]
    OfExample {
        /// The row.
        place: String,
        /// "label" or "split".
        column: &'static str,
        /// What the row says.
        said: String,
        /// The example.
        id: String,
        /// What the data says.
        own: String,
    },

    /// A column against the folder that the image lies in.
    #[error(
        "{place}: its {column} is {said:?}, but its path {path:?} lies in {folder:?}: correct the one or the other, or \
         set data.check_paths = false where folders do not count"
    )]
    OfPath {
        /// The row.
        place: String,
        /// "label" or "split".
        column: &'static str,
        /// What the row says.
        said: String,
        /// The path.
        path: String,
        /// The folder that says otherwise.
        folder: String,
    },

    /// A name that names two splits.
    #[error(
        "{place}: {name:?} names two splits, {first} and {second}: rename it so that it names one"
    )]
    Splits {
        /// The folder of the data set.
        place: String,
        /// The file or folder.
        name: String,
        /// One split.
        first: String,
        /// The other.
        second: String,
    },

    /// A path that is the end of several examples' paths.
    #[error(
        "{place}: {kind} {value:?} may be {first:?} or {second:?}: write the path below the data's folder"
    )]
    PathEnds {
        /// The row.
        place: String,
        /// "id" or "path".
        kind: &'static str,
        /// What the row holds.
        value: String,
        /// One example.
        first: String,
        /// The other.
        second: String,
    },

    /// Rows without names that may stand for two sets of examples.
    #[error(
        "{} has {rows} rows, as many as {first} and as {second}: give a table with path, or the same rows as a \
         safetensors with ids in its metadata",
        .path.display()
    )]
    Rows {
        /// The file.
        path: PathBuf,
        /// How many rows it has.
        rows: usize,
        /// One reading.
        first: String,
        /// The other.
        second: String,
    },

    /// Orders of rows that differ between the data and the loader that users have.
    #[error(
        "{}: rows without names stand in the data's order, and torchvision's ImageFolder orders {first:?} and \
         {second:?} otherwise: give a table with path",
        .path.display()
    )]
    RowOrder {
        /// The file.
        path: PathBuf,
        /// An example.
        first: String,
        /// The one that follows it in the data and stands before it in torchvision.
        second: String,
    },

    /// Splits that have no class in common.
    #[error(
        "{first} has the classes {} and {second} has {}, none in common: is a folder or a column taken for the class \
         that is none?",
        .of_first, .of_second
    )]
    Disjoint {
        /// One split.
        first: String,
        /// The other.
        second: String,
        /// Its classes.
        of_first: String,
        /// The other's.
        of_second: String,
    },
}
