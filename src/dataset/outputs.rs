//! What a row says of the analysed model: prediction, confidence, probabilities or a score; and the
//! group and the unit.

mod column;

use super::classes::Reading;
use super::missing::is_missing;
use super::records::{ClassCell, RawProbabilities, Row, Written};
use super::{DatasetError, Example};

pub(super) use self::column::Column;

/// What a row says of the image itself.
#[derive(Debug, Default)]
pub(super) struct Tags {
    group: Option<String>,
    unit: Option<String>,
}

impl Tags {
    /// Puts them into an example; what the row does not say stays, for it is no model output.
    pub(super) fn put(self, example: &mut Example) {
        let Self { group, unit } = self;
        if group.is_some() {
            example.group = group;
        }
        if unit.is_some() {
            example.unit = unit;
        }
    }
}

/// The outputs of a row before the classes are known.
pub(super) struct Outputs {
    prediction: Option<ClassCell>,
    /// How the prediction is to be read, where its column says it.
    reading: Option<Reading>,
    /// An index beside a prediction by name.
    index: Option<ClassCell>,
    confidence: Option<f32>,
    probabilities: Option<RawProbabilities>,
    /// Whether those are logits, whose softmax are probabilities.
    logits: bool,
    score: Option<f32>,
    tags: Tags,
}

impl Outputs {
    /// Reads the cells; a confidence asks for a prediction or probabilities beside it. A prediction goes before
    /// a score, which is passed over then.
    pub(super) fn read(row: &Row<'_>) -> Result<Self, DatasetError> {
        let plain = row.class("prediction")?;
        let name = row.class("prediction_name")?;
        let mut index = row.class("prediction_index")?;
        let (prediction, reading) = match (name, plain) {
            (Some(name), _) => (Some(name), Some(Reading::Names)),
            (None, Some(plain)) => (Some(plain), None),
            (None, None) => (index.take(), Some(Reading::Indices)),
        };
        let reading = reading.filter(|_| prediction.is_some());
        let said = prediction
            .as_ref()
            .is_some_and(|cell| !is_missing(&cell.text));
        let (probabilities, logits) = match row.by_class("probabilities")? {
            Some(probabilities) => (Some(probabilities), false),
            None => (row.by_class("logits")?, true),
        };
        let score = match prediction {
            None if probabilities.is_none() => row.finite("score")?,
            _ => None,
        };
        let tag = |column| Ok::<_, DatasetError>(row.text(column)?.filter(|text| text != "NaN"));
        let outputs = Self {
            reading,
            index,
            score,
            confidence: row
                .number("confidence")?
                .filter(|value| said || !value.is_nan()),
            probabilities,
            logits,
            tags: Tags {
                group: tag("group")?,
                unit: tag("unit")?,
            },
            prediction,
        };
        let alone = outputs.prediction.is_none() && outputs.probabilities.is_none();
        if outputs.confidence.is_some() && alone {
            return Err(row.absent("prediction"));
        }
        Ok(outputs)
    }

    /// The prediction, where it is not said how it is to be read.
    pub(super) fn cell(&self) -> Option<&ClassCell> {
        let open = self.reading.is_none();
        self.prediction.as_ref().filter(|_| open)
    }

    /// Whether there is a prediction, or what one follows from.
    pub(super) fn say_something(&self) -> bool {
        self.prediction.is_some() || self.probabilities.is_some() || self.score.is_some()
    }

    /// Numbers a class in class order, and nothing else.
    pub(super) fn of_values(values: Vec<f32>, logits: bool) -> Self {
        Self {
            probabilities: Some(RawProbabilities::List(values)),
            logits,
            ..Self::empty()
        }
    }

    /// The index of the predicted class, and nothing else.
    pub(super) fn of_index(index: i64) -> Self {
        let cell = ClassCell {
            text: index.to_string(),
            written: Written::Number,
        };
        Self {
            prediction: Some(cell),
            reading: Some(Reading::Indices),
            ..Self::empty()
        }
    }

    /// The score of the second of two classes, and nothing else.
    pub(super) fn of_score(score: f32) -> Self {
        Self {
            score: Some(score),
            ..Self::empty()
        }
    }

    fn empty() -> Self {
        Self {
            prediction: None,
            reading: None,
            index: None,
            confidence: None,
            probabilities: None,
            logits: false,
            score: None,
            tags: Tags::default(),
        }
    }

    /// The tags, if the row says nothing of the model; else itself.
    pub(super) fn only_tags(self) -> Result<Tags, Box<Self>> {
        if self.say_something() {
            return Err(Box::new(self));
        }
        Ok(self.tags)
    }
}
