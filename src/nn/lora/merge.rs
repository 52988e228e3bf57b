//! Adapters as a patch of a checkpoint's weights.

use std::collections::BTreeMap;
use std::path::Path;
use std::rc::Rc;

use tch::{Kind, TchError, Tensor};

use super::file::Layer;
use super::names::Names;
use super::{Adapter, Component, LoraError, Misfit};
use crate::nn::params::{Checkpoint, Params, ParamsError, Patch};

/// Refuses adapters that change a network which the model does not have.
///
/// # Errors
///
/// [`LoraError::NoComponent`] for the first.
pub fn check(adapters: &[Adapter], present: &[Component]) -> Result<(), LoraError> {
    for adapter in adapters {
        for component in adapter.components() {
            if !present.contains(&component) {
                let own = |layer: &&Layer| layer.component == component;
                return Err(LoraError::NoComponent {
                    path: adapter.path().to_path_buf(),
                    component,
                    keys: stems(adapter.layers.iter().filter(own)),
                });
            }
        }
    }
    Ok(())
}

/// A network's parameters with all that the adapters change in it; fresh parameters stay.
///
/// # Errors
///
/// As [`patch`].
pub fn patched(
    params: Params,
    component: Component,
    adapters: &[Adapter],
) -> Result<Params, LoraError> {
    let patch = params.with_checkpoint(|file| {
        let tensors = file.tensors().map(|(name, _, shape)| (name, shape));
        patch(adapters, component, file.path(), tensors)
    });
    Ok(match patch.transpose()?.flatten() {
        Some(patch) => params.patched(patch),
        None => params,
    })
}

/// What the adapters change in one network, whose weights have these names and shapes; `None` if
/// nothing. `weights` is where they come from, for messages.
///
/// # Errors
///
/// - [`LoraError::Unmatched`] with all layers of an adapter that the network does not have.
/// - [`LoraError::Shape`] and [`LoraError::Twice`] for the first layer of another shape or change
///   of a weight that the same adapter changes already.
/// - [`LoraError::Metadata`] if the header gives a layer another rank than it has.
pub fn patch<'a>(
    adapters: &[Adapter],
    component: Component,
    weights: &Path,
    tensors: impl IntoIterator<Item = (&'a str, Vec<i64>)>,
) -> Result<Option<Rc<dyn Patch>>, LoraError> {
    let names = Names::new(component, tensors);
    let mut merged = Merged::default();
    for adapter in adapters {
        merged.add(adapter, component, weights, &names)?;
    }
    Ok((!merged.changes.is_empty()).then(|| Rc::new(merged) as Rc<dyn Patch>))
}

fn stems<'a>(layers: impl Iterator<Item = &'a Layer>) -> Vec<String> {
    layers.map(|layer| layer.stem.clone()).collect()
}

/// The changes of every weight.
#[derive(Default)]
struct Merged {
    changes: BTreeMap<String, Vec<Change>>,
}

/// One adapter's change of one weight.
struct Change {
    file: Rc<Checkpoint>,
    down: String,
    up: String,
    factor: f64,
}

impl Merged {
    fn add(
        &mut self,
        adapter: &Adapter,
        component: Component,
        weights: &Path,
        names: &Names,
    ) -> Result<(), LoraError> {
        let path = || adapter.path().to_path_buf();
        let mut seen: BTreeMap<&str, &Layer> = BTreeMap::new();
        let mut unmatched = Vec::new();
        for layer in adapter.layers.iter().filter(|l| l.component == component) {
            let Some((weight, shape)) = names.find(&layer.name) else {
                unmatched.push(layer);
                continue;
            };
            if let Some(first) = seen.insert(weight, layer) {
                return Err(LoraError::Twice {
                    path: path(),
                    first: first.down.clone(),
                    second: layer.down.clone(),
                    weight: weight.to_owned(),
                });
            }
            let of = |key: &str| adapter.file.shape(key).unwrap_or_default();
            let (down, up) = (of(&layer.down), of(&layer.up));
            if !fits(&down, &up, shape) {
                return Err(LoraError::Shape {
                    path: path(),
                    misfit: Box::new(Misfit {
                        key: layer.stem.clone(),
                        down,
                        up,
                        weight: weight.to_owned(),
                        shape: shape.to_vec(),
                    }),
                });
            }
            let change = Change {
                file: Rc::clone(&adapter.file),
                down: layer.down.clone(),
                up: layer.up.clone(),
                factor: adapter.scale * ratio(adapter, layer, weight)?,
            };
            self.changes
                .entry(weight.to_owned())
                .or_default()
                .push(change);
        }
        if !unmatched.is_empty() {
            return Err(LoraError::Unmatched {
                path: path(),
                weights: weights.to_path_buf(),
                component,
                keys: stems(unmatched.into_iter()),
            });
        }
        Ok(())
    }
}

/// What a layer's product is multiplied with, before the adapter's scale.
fn ratio(adapter: &Adapter, layer: &Layer, weight: &str) -> Result<f64, LoraError> {
    match (adapter.configs.get(&layer.component), layer.alpha) {
        (Some(config), _) => config
            .factor(weight.strip_suffix(".weight").unwrap_or(weight), layer.rank)
            .map_err(|reason| LoraError::Metadata {
                path: adapter.path().to_path_buf(),
                reason,
            }),
        (None, Some(alpha)) => Ok(alpha / layer.rank as f64),
        (None, None) => Ok(1.0),
    }
}

/// Whether `up @ down` has the shape of the weight. A convolution of one pixel is a linear layer.
fn fits(down: &[i64], up: &[i64], weight: &[i64]) -> bool {
    let flat = |shape: &[i64]| match shape {
        &[outputs, inputs, 1, 1] => vec![outputs, inputs],
        other => other.to_vec(),
    };
    let (down, up, weight) = (flat(down), flat(up), flat(weight));
    weight.len() > 1 && up == [weight[0], down[0]] && down[1..] == weight[1..]
}

impl Patch for Merged {
    fn targets(&self) -> Vec<String> {
        self.changes.keys().cloned().collect()
    }

    fn apply(&self, name: &str, weight: &Tensor) -> Result<Tensor, ParamsError> {
        let mut changed = weight.shallow_clone();
        for change in self.changes.get(name).into_iter().flatten() {
            let read = |key: &str| change.file.take(key, Kind::Float, weight.device());
            // Both were there when the file was opened.
            if let (Some(down), Some(up)) = (read(&change.down)?, read(&change.up)?) {
                changed = add(&changed, &down, &up, change.factor).map_err(|source| {
                    ParamsError::Torch {
                        name: name.to_owned(),
                        source,
                    }
                })?;
            }
        }
        Ok(changed)
    }
}

/// `weight + factor · up @ down`, whose shapes fit.
fn add(weight: &Tensor, down: &Tensor, up: &Tensor, factor: f64) -> Result<Tensor, TchError> {
    let matrix = |tensor: &Tensor| tensor.f_reshape([tensor.size()[0], -1]);
    let product = matrix(up)?.f_matmul(&matrix(down)?)?;
    weight.f_add(&product.f_mul_scalar(factor)?.f_reshape(weight.size())?)
}
