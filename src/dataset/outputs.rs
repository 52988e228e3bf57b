//! What a row says of the analysed model: prediction, confidence, probabilities or a score; and the
//! group and the unit.

use std::collections::HashMap;

use super::records::{Location, PROBABILITY_PREFIX, RawProbabilities, Row};
use super::{DatasetError, Example, checks};

/// Class names and their indices.
pub(super) struct Classes<'a> {
    names: &'a [String],
    indices: HashMap<&'a str, usize>,
}

impl<'a> Classes<'a> {
    pub(super) fn new(names: &'a [String]) -> Self {
        let indices = names.iter().enumerate();
        Self {
            names,
            indices: indices
                .map(|(index, name)| (name.as_str(), index))
                .collect(),
        }
    }

    /// The index of a class named in a column.
    pub(super) fn index(
        &self,
        name: &str,
        column: &str,
        place: Location<'_>,
    ) -> Result<usize, DatasetError> {
        let known = self.indices.get(name).copied();
        known.ok_or_else(|| DatasetError::UnknownClass {
            place: place.to_string(),
            column: column.to_owned(),
            name: name.to_owned(),
            known: self.names.to_vec(),
        })
    }
}

/// Distinct texts in order of appearance.
#[derive(Debug, Default)]
pub(super) struct Distinct {
    texts: Vec<String>,
    indices: HashMap<String, usize>,
}

impl Distinct {
    /// The index of a text, which is added if it is new.
    pub(super) fn index(&mut self, text: &str) -> usize {
        if let Some(&index) = self.indices.get(text) {
            return index;
        }
        let index = self.texts.len();
        self.texts.push(text.to_owned());
        self.indices.insert(text.to_owned(), index);
        index
    }

    /// The texts by index.
    pub(super) fn texts(&self) -> &[String] {
        &self.texts
    }
}

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
    prediction: Option<String>,
    confidence: Option<f32>,
    probabilities: Option<RawProbabilities>,
    score: Option<f32>,
    tags: Tags,
}

impl Outputs {
    /// Reads the cells; confidence and probabilities ask for a prediction beside them. A prediction
    /// goes before a score, which is passed over then.
    pub(super) fn read(row: &Row<'_>) -> Result<Self, DatasetError> {
        let prediction = row.text("prediction")?;
        let score = match prediction {
            None => row.finite("score")?,
            Some(_) => None,
        };
        let outputs = Self {
            prediction,
            score,
            confidence: row.number("confidence")?,
            probabilities: row.probabilities()?,
            tags: Tags {
                group: row.text("group")?,
                unit: row.text("unit")?,
            },
        };
        let more = outputs.confidence.is_some() || outputs.probabilities.is_some();
        if more && outputs.prediction.is_none() {
            return Err(row.absent("prediction"));
        }
        Ok(outputs)
    }

    /// Whether there is a prediction, or a score that one follows from.
    pub(super) fn say_something(&self) -> bool {
        self.prediction.is_some() || self.score.is_some()
    }

    /// The tags, if the row says nothing of the model; else itself.
    pub(super) fn only_tags(self) -> Result<Tags, Self> {
        // Confidence and probabilities have a prediction beside them.
        if self.say_something() {
            return Err(self);
        }
        Ok(self.tags)
    }

    /// Checks the outputs against the classes and puts them into an example.
    ///
    /// What the row does not say is emptied, but for the tags, which are no model output.
    pub(super) fn put(
        self,
        example: &mut Example,
        classes: &Classes<'_>,
        place: Location<'_>,
    ) -> Result<(), DatasetError> {
        let Self {
            prediction,
            confidence,
            probabilities,
            score,
            tags,
        } = self;
        let here = || place.to_string();
        example.prediction = prediction
            .map(|name| classes.index(&name, "prediction", place))
            .transpose()?;
        if let Some(value) = confidence {
            checks::confidence(value, here)?;
        }
        example.confidence = confidence;
        example.score = score;
        example.probabilities = match probabilities {
            None => None,
            Some(RawProbabilities::List(values)) => Some(values),
            Some(RawProbabilities::ByClass(pairs)) => Some(in_order(pairs, classes, place)?),
        };
        if let Some(values) = &example.probabilities {
            checks::probabilities(values, classes.names, here)?;
        }
        tags.put(example);
        Ok(())
    }
}

/// Probabilities by class name, put into class order; each class must be there.
fn in_order(
    pairs: Vec<(String, f32)>,
    classes: &Classes<'_>,
    place: Location<'_>,
) -> Result<Vec<f32>, DatasetError> {
    let mut values = vec![None; classes.names.len()];
    for (name, value) in &pairs {
        let column = format!("{PROBABILITY_PREFIX}{name}");
        values[classes.index(name, &column, place)?] = Some(*value);
    }
    let missing = values.iter().position(Option::is_none);
    if let Some(class) = missing {
        return Err(DatasetError::MissingColumn {
            place: place.to_string(),
            column: format!("{PROBABILITY_PREFIX}{}", classes.names[class]),
            found: pairs.into_iter().map(|(name, _)| name).collect(),
        });
    }
    Ok(values.into_iter().flatten().collect())
}
