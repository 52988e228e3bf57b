//! What a row says of the analysed model: prediction, confidence, probabilities or a score; and the
//! group and the unit.

use std::path::Path;

use super::classes::{Classes, Reading};
use super::missing::{Missing, is_missing};
use super::records::{ClassCell, Location, PROBABILITY_PREFIX, RawProbabilities, Row, Written};
use super::{Contradiction, DatasetError, Example, Remarks, checks};

/// How far a confidence may be from the probability of its class: tables round the one, or the other.
const CONFIDENCE_TOLERANCE: f32 = 0.02;

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
    pub(super) fn only_tags(self) -> Result<Tags, Self> {
        if self.say_something() {
            return Err(self);
        }
        Ok(self.tags)
    }
}

/// The outputs of the rows of a file, which are read alike.
pub(super) struct Column<'a, 'c> {
    path: &'a Path,
    classes: &'a Classes<'c>,
    reading: Reading,
    tally: Tally,
}

/// What was read of how many rows.
#[derive(Default)]
struct Tally {
    missing: Missing,
    by_index: bool,
    listed: bool,
    argmax: usize,
    softmax: usize,
    unsure: Option<(usize, String)>,
}

impl<'a, 'c> Column<'a, 'c> {
    /// Finds how the predictions of a file are to be read: its rows, each with its line; `told` is what other
    /// columns say of it.
    pub(super) fn new<'r>(
        path: &'a Path,
        classes: &'a Classes<'c>,
        rows: impl Iterator<Item = (usize, &'r Outputs)> + Clone,
        told: Option<Reading>,
    ) -> Result<Self, DatasetError>
    where
        'a: 'r,
    {
        let forced = rows
            .clone()
            .find_map(|(_, outputs)| outputs.reading)
            .or(told);
        let reading = match forced {
            Some(reading) => reading,
            None => {
                let cells = rows.filter_map(|(line, outputs)| {
                    Some((outputs.prediction.as_ref()?, Location { path, line }))
                });
                classes.reading("prediction", cells)?
            }
        };
        Ok(Self {
            path,
            classes,
            reading,
            tally: Tally::default(),
        })
    }

    /// Checks the outputs of a row against the classes and each other, and puts them into an example; whether
    /// there was any.
    ///
    /// What the row does not say is emptied, but for the tags, which are no model output.
    pub(super) fn put(
        &mut self,
        outputs: Outputs,
        example: &mut Example,
        line: usize,
    ) -> Result<bool, DatasetError> {
        let path = self.path;
        let place = Location { path, line };
        let here = || place.to_string();
        let probabilities = match outputs.probabilities {
            Some(raw) => Some(self.in_order(raw, outputs.logits, place)?),
            None => None,
        };
        let said = match &outputs.prediction {
            Some(cell) if self.classes.is_missing(cell) => {
                self.tally.missing.add(place, &cell.text);
                outputs.tags.put(example);
                return Ok(false);
            }
            Some(cell) => Some(self.class(cell, place)?),
            None => None,
        };
        if let (Some(said), Some(index)) = (said, &outputs.index) {
            self.same(said, index, place)?;
        }
        if let Some(value) = outputs.confidence {
            checks::confidence(value, here)?;
        }
        if let Some(values) = &probabilities {
            checks::probabilities(values, self.classes.names, here)?;
            if let Some(said) = said {
                self.agrees(said, outputs.confidence, values, place)?;
            }
        }
        let likely = probabilities.as_deref().map(largest);
        if said.is_none() && likely.is_some() {
            self.tally.argmax += 1;
        }
        let prediction = said.or(likely);
        let of_prediction = prediction.and_then(|class| Some(probabilities.as_ref()?[class]));
        example.prediction = prediction;
        example.confidence = outputs.confidence.or(of_prediction);
        example.score = outputs.score;
        example.probabilities = probabilities;
        if let Some(value) = outputs.confidence {
            self.doubt_below_chance(value, place);
        }
        outputs.tags.put(example);
        Ok(true)
    }

    /// The class of a prediction.
    fn class(&mut self, cell: &ClassCell, place: Location<'_>) -> Result<usize, DatasetError> {
        self.tally.by_index |= self.reading == Reading::Indices;
        let class = self.classes.class(cell, self.reading);
        class.ok_or_else(|| self.classes.unknown(&cell.text, "prediction", place))
    }

    /// Checks that an index is that of the class which is named beside it.
    fn same(
        &self,
        said: usize,
        index: &ClassCell,
        place: Location<'_>,
    ) -> Result<(), DatasetError> {
        match self.classes.class(index, Reading::Indices) {
            Some(second) if second == said => Ok(()),
            Some(second) => Err(Contradiction::TwoClasses {
                place: place.to_string(),
                first_column: "prediction",
                first: self.classes.names[said].clone(),
                second_column: "prediction_index",
                second: self.classes.names[second].clone(),
            }
            .into()),
            None => Err(self.classes.unknown(&index.text, "prediction_index", place)),
        }
    }

    /// Checks a prediction and its confidence against the probabilities.
    fn agrees(
        &self,
        said: usize,
        confidence: Option<f32>,
        values: &[f32],
        place: Location<'_>,
    ) -> Result<(), DatasetError> {
        let names = self.classes.names;
        let likely = largest(values);
        // Rounding makes equals, and never turns an order around.
        if values[said] < values[likely] {
            return Err(Contradiction::Probabilities {
                place: place.to_string(),
                said: names[said].clone(),
                of_said: values[said],
                likely: names[likely].clone(),
                most: values[likely],
                order: self.classes.order(),
            }
            .into());
        }
        match confidence {
            Some(confidence) if (confidence - values[said]).abs() > CONFIDENCE_TOLERANCE => {
                Err(Contradiction::Confidence {
                    place: place.to_string(),
                    said: names[said].clone(),
                    confidence,
                    probability: values[said],
                    order: self.classes.order(),
                }
                .into())
            }
            _ => Ok(()),
        }
    }

    /// Notes a confidence that the largest of so many probabilities cannot be.
    fn doubt_below_chance(&mut self, confidence: f32, place: Location<'_>) {
        if confidence + CONFIDENCE_TOLERANCE < 1.0 / self.classes.names.len() as f32 {
            let first = || (0, format!("{place}: {confidence}"));
            self.tally.unsure.get_or_insert_with(first).0 += 1;
        }
    }

    /// Probabilities put into class order; each class must be there.
    fn in_order(
        &mut self,
        raw: RawProbabilities,
        logits: bool,
        place: Location<'_>,
    ) -> Result<Vec<f32>, DatasetError> {
        let mut values = match raw {
            RawProbabilities::List(values) => {
                self.tally.listed = true;
                values
            }
            RawProbabilities::ByClass(pairs) => by_class(pairs, self.classes, place)?,
        };
        if logits {
            if let Some(value) = values.iter().find(|value| !value.is_finite()) {
                return Err(DatasetError::BadCell {
                    place: place.to_string(),
                    column: "logits".to_owned(),
                    value: value.to_string(),
                    expected: "finite numbers",
                });
            }
            softmax(&mut values);
            self.tally.softmax += 1;
        }
        Ok(values)
    }

    /// Says how the file was read. How many rows had no prediction comes back.
    pub(super) fn say(self, remarks: &mut Remarks) -> usize {
        let (file, order) = (self.path.display(), self.classes.order());
        let Tally {
            missing,
            by_index,
            listed,
            argmax,
            softmax,
            unsure,
        } = self.tally;
        if by_index {
            remarks.take(format!(
                "{file}: predictions are indices in the order of the classes: {order}"
            ));
        }
        if listed {
            remarks.take(format!(
                "{file}: lists are in the order of the classes: {order}"
            ));
        }
        if softmax > 0 {
            remarks.take(format!(
                "{file}: probabilities are the softmax of the logits"
            ));
        }
        if argmax > 0 {
            remarks.take(format!(
                "{file}: where there is no prediction, it is the most probable class ({argmax} rows)"
            ));
        }
        if let Some((count, first)) = unsure {
            remarks.doubt(format!(
                "{count} confidences are below 1/{}, which the largest of as many probabilities cannot be, the \
                 first: {first}. Are they the scores of one class?",
                self.classes.names.len()
            ));
        }
        missing.say("prediction", remarks);
        missing.count()
    }
}

/// The first of the largest.
fn largest(values: &[f32]) -> usize {
    let mut best = 0;
    for (index, value) in values.iter().enumerate() {
        if *value > values[best] {
            best = index;
        }
    }
    best
}

/// `exp(v) / Σ exp(v)`.
fn softmax(values: &mut [f32]) {
    let most = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let exp = values.iter().map(|&value| f64::from(value - most).exp());
    let exp: Vec<f64> = exp.collect();
    let sum: f64 = exp.iter().sum();
    for (value, exp) in values.iter_mut().zip(exp) {
        *value = (exp / sum) as f32;
    }
}

/// Numbers by class, by name or by index, put into class order; each class must be there.
fn by_class(
    pairs: Vec<(ClassCell, f32)>,
    classes: &Classes<'_>,
    place: Location<'_>,
) -> Result<Vec<f32>, DatasetError> {
    let keys = pairs.iter().map(|(key, _)| (key, place));
    let reading = classes.reading(PROBABILITY_PREFIX, keys)?;
    let mut values = vec![None; classes.names.len()];
    for (key, value) in &pairs {
        let column = format!("{PROBABILITY_PREFIX}{}", key.text);
        let class = classes.class(key, reading);
        let class = class.ok_or_else(|| classes.unknown(&key.text, &column, place))?;
        values[class] = Some(*value);
    }
    let missing = values.iter().position(Option::is_none);
    if let Some(class) = missing {
        return Err(DatasetError::MissingColumn {
            place: place.to_string(),
            column: format!("{PROBABILITY_PREFIX}{}", classes.names[class]),
            found: pairs.into_iter().map(|(key, _)| key.text).collect(),
        });
    }
    Ok(values.into_iter().flatten().collect())
}
