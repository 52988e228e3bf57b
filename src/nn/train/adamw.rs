//! `AdamW` whose state can be saved.
//!
//! `tch`'s optimisers keep their state to themselves, and a run that resumes without it does not
//! repeat an uninterrupted one; hence our own.

use std::collections::BTreeMap;
use std::path::Path;

use tch::{Kind, Tensor};

use super::Average;
use crate::nn::params::{self, Params, ParamsError};

/// Decoupled weight decay (Loshchilov and Hutter 2019, <https://arxiv.org/abs/1711.05101>,
/// algorithm 2), with the global gradient norm clipped.
#[derive(Debug)]
pub struct AdamW {
    weights: BTreeMap<String, Tensor>,
    first: BTreeMap<String, Tensor>,
    second: BTreeMap<String, Tensor>,
    steps: i32,
    decay: f64,
    clip: f64,
}

const BETA1: f64 = 0.9;
const BETA2: f64 = 0.99;

impl AdamW {
    /// An optimiser of all of `params`, which must be fresh ones; matrices decay, vectors do not.
    pub fn new(params: &Params, decay: f64) -> Self {
        let weights = params.named();
        let zeros = || {
            weights
                .iter()
                .map(|(k, w)| (k.clone(), w.detach().zeros_like()))
                .collect()
        };
        Self {
            first: zeros(),
            second: zeros(),
            weights,
            steps: 0,
            decay,
            clip: 1.0,
        }
    }

    /// One step down the gradient of `loss`.
    pub fn step(&mut self, loss: &Tensor, lr: f64) {
        for weight in self.weights.values() {
            let mut grad = weight.grad();
            if grad.defined() {
                let _ = grad.zero_();
            }
        }
        loss.backward();
        tch::no_grad(|| self.apply(lr));
    }

    fn apply(&mut self, lr: f64) {
        self.steps += 1;
        let grads: BTreeMap<&String, Tensor> = self
            .weights
            .iter()
            .map(|(name, weight)| (name, weight.grad()))
            .filter(|(_, grad)| grad.defined())
            .collect();
        let squares: Vec<Tensor> = grads
            .values()
            .map(|g| g.square().sum(Kind::Float))
            .collect();
        let norm = Tensor::stack(&squares, 0)
            .sum(Kind::Float)
            .sqrt()
            .double_value(&[]);
        let scale = if norm > self.clip {
            self.clip / norm
        } else {
            1.0
        };
        let correction1 = 1.0 - BETA1.powi(self.steps);
        let correction2 = 1.0 - BETA2.powi(self.steps);
        for (name, grad) in &grads {
            let (Some(m), Some(v), Some(weight)) = (
                self.first.get_mut(*name),
                self.second.get_mut(*name),
                self.weights.get(*name),
            ) else {
                continue;
            };
            let grad = grad * scale;
            let _ = m.lerp_(&grad, 1.0 - BETA1);
            let _ = v.lerp_(&grad.square(), 1.0 - BETA2);
            let step = (&*m / correction1) / ((&*v / correction2).sqrt() + 1e-8);
            let mut weight = weight.shallow_clone();
            if weight.dim() > 1 {
                let _ = weight.g_mul_scalar_(1.0 - lr * self.decay);
            }
            let _ = weight.g_sub_(&(step * lr));
        }
    }

    /// Writes weights and state to one file.
    ///
    /// # Errors
    ///
    /// As [`params::save`].
    pub fn save(&self, path: &Path, average: Option<&Average>) -> Result<(), ParamsError> {
        let mut all = BTreeMap::new();
        let groups = [
            ("weight", &self.weights),
            ("first", &self.first),
            ("second", &self.second),
        ];
        for (group, tensors) in groups {
            for (name, tensor) in tensors {
                all.insert(format!("{group}.{name}"), tensor.shallow_clone());
            }
        }
        for (name, tensor) in average.into_iter().flat_map(|a| &a.weights) {
            all.insert(format!("average.{name}"), tensor.shallow_clone());
        }
        all.insert("steps".to_owned(), Tensor::from(f64::from(self.steps)));
        params::save(path, &all, Kind::Float)
    }

    /// Takes up what [`AdamW::save`] wrote; returns the number of steps done.
    ///
    /// # Errors
    ///
    /// As [`params::load_all`].
    pub fn resume(
        &mut self,
        path: &Path,
        average: Option<&mut Average>,
    ) -> Result<i32, ParamsError> {
        let all = params::load_all(path)?;
        let copy = |group: &str, into: &mut BTreeMap<String, Tensor>| {
            for (name, tensor) in into.iter_mut() {
                if let Some(saved) = all.get(&format!("{group}.{name}")) {
                    tch::no_grad(|| tensor.copy_(saved));
                }
            }
        };
        copy("weight", &mut self.weights);
        copy("first", &mut self.first);
        copy("second", &mut self.second);
        if let Some(average) = average {
            copy("average", &mut average.weights);
        }
        self.steps = all.get("steps").map_or(0, |t| t.double_value(&[]) as i32);
        Ok(self.steps)
    }
}
