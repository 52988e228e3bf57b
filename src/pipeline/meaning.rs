//! What a classifier's numbers mean for the data's classes.

use ndarray::ArrayView1;

use super::error::Error;
use super::models::Classifier;
use crate::dataset::{Dataset, ModelOutput};

/// What the logits of an image mean.
pub(super) enum Meaning {
    /// One a class; the class of each.
    Classes(Vec<usize>),
    /// One of them is for class 1 of two, the others for something else.
    Score(usize),
}

impl Meaning {
    /// Holds the classifier's outputs against the data's classes.
    pub(super) fn of(
        classifier: &dyn Classifier,
        dataset: &Dataset,
        output: Option<usize>,
    ) -> Result<Self, Error> {
        let (outputs, classes) = (classifier.outputs(), dataset.classes().len());
        if let Some(names) = classifier.classes() {
            let index = |name: &String| {
                dataset.class_index(name).ok_or_else(|| {
                    Error::input(format!(
                        "the classifier knows class {name:?}, the data does not: its classes are \
                         {:?}",
                        dataset.classes()
                    ))
                })
            };
            let classes = names.iter().map(index);
            return Ok(Self::Classes(classes.collect::<Result<_, _>>()?));
        }
        match output {
            Some(_) if classes != 2 => Err(Error::input(format!(
                "data.classifier_output chooses the score of class 1 of two, the data has {classes} \
                 classes"
            ))),
            Some(output) if output < outputs => Ok(Self::Score(output)),
            Some(output) => Err(Error::input(format!(
                "data.classifier_output is {output}, the classifier gives {outputs} logits, counted \
                 from 0"
            ))),
            None if outputs == 1 && classes == 2 => Ok(Self::Score(0)),
            None if outputs == classes => Ok(Self::Classes((0..classes).collect())),
            None => {
                let mut text = format!(
                    "the classifier gives {outputs} logits, the data has {classes} classes ({}): give \
                     data.classes in the order of the logits",
                    dataset.classes().join(", ")
                );
                if classes == 2 {
                    text.push_str(
                        ", or data.classifier_output for the logit that is the score of class 1",
                    );
                }
                Err(Error::input(text))
            }
        }
    }

    /// What an image's logits say; where `score`, the second class's probability too.
    pub(super) fn output(
        &self,
        logits: ArrayView1<'_, f32>,
        classes: usize,
        score: bool,
    ) -> ModelOutput {
        let mut output = ModelOutput::default();
        match self {
            Self::Score(at) => {
                let logit = f64::from(logits[*at]);
                output.score = Some((1.0 / (1.0 + (-logit).exp())) as f32);
            }
            Self::Classes(order) => {
                let p = softmax(logits);
                let best = (1..p.len()).fold(0, |best, i| if p[i] > p[best] { i } else { best });
                output.prediction = Some(order[best]);
                output.confidence = Some(p[best].clamp(0.0, 1.0));
                if order.len() == classes {
                    let mut all = vec![0.0; classes];
                    for (&class, p) in order.iter().zip(p) {
                        all[class] = p;
                    }
                    if score {
                        output.score = Some(all[1]);
                    }
                    output.probabilities = Some(all);
                }
            }
        }
        output
    }
}

/// Probabilities of logits.
fn softmax(logits: ArrayView1<'_, f32>) -> Vec<f32> {
    let highest = logits.fold(f32::NEG_INFINITY, |a, &b| a.max(b));
    let powers: Vec<f32> = logits.iter().map(|logit| (logit - highest).exp()).collect();
    let sum: f32 = powers.iter().sum();
    powers.into_iter().map(|p| p / sum).collect()
}

#[cfg(test)]
mod tests {
    use super::softmax;

    #[test]
    fn softmax_adds_up_and_bears_large_logits() {
        let p = |logits: [f32; 2]| softmax(ndarray::arr1(&logits).view());
        assert_eq!(p([0.0, 0.0]), [0.5, 0.5]);
        assert_eq!(p([1000.0, 0.0]), [1.0, 0.0]);
        assert!((p([2.0, 1.0])[0] - 0.731_058_6).abs() < 1e-6);
    }
}
