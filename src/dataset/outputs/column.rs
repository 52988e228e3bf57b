//! The outputs of a file's rows: how its predictions are to be read, checked against each other, and put into
//! examples.

use std::path::Path;

use super::Outputs;
use crate::dataset::classes::{Classes, Reading};
use crate::dataset::missing::Missing;
use crate::dataset::records::{ClassCell, Location, PROBABILITY_PREFIX, RawProbabilities};
use crate::dataset::{Contradiction, DatasetError, Example, Remarks, checks};

/// How far a confidence may be from the probability of its class: tables round the one, or the other.
const CONFIDENCE_TOLERANCE: f32 = 0.02;

/// The outputs of the rows of a file, which are read alike.
pub(in crate::dataset) struct Column<'a, 'c> {
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
    pub(in crate::dataset) fn new<'r>(
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
        let reading = if let Some(reading) = forced {
            reading
        } else {
            let cells = rows.filter_map(|(line, outputs)| {
                Some((outputs.prediction.as_ref()?, Location { path, line }))
            });
            classes.reading("prediction", cells)?
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
    pub(in crate::dataset) fn put(
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
    pub(in crate::dataset) fn say(self, remarks: &mut Remarks) -> usize {
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
