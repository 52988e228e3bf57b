//! An exponential moving average of weights.

use std::collections::BTreeMap;

use tch::Tensor;

use crate::nn::params::Params;

/// An exponential moving average of weights, for sampling.
#[derive(Debug)]
pub struct Average {
    pub(super) weights: BTreeMap<String, Tensor>,
    decay: f64,
}

impl Average {
    /// Starts at the present weights.
    pub fn new(params: &Params, decay: f64) -> Self {
        let copy = |t: &Tensor| t.detach().copy();
        let weights = params
            .named()
            .iter()
            .map(|(k, w)| (k.clone(), copy(w)))
            .collect();
        Self { weights, decay }
    }

    /// Moves towards the present weights, faster in the beginning.
    pub fn update(&mut self, params: &Params, step: usize) {
        let decay = self.decay.min((1.0 + step as f64) / (10.0 + step as f64));
        tch::no_grad(|| {
            for (name, weight) in params.named() {
                if let Some(average) = self.weights.get_mut(&name) {
                    let _ = average.lerp_(&weight.detach(), 1.0 - decay);
                }
            }
        });
    }

    /// The averaged tensors by name.
    pub fn named(&self) -> &BTreeMap<String, Tensor> {
        &self.weights
    }
}
