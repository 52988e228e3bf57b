//! One adapter on disk, checked when it is opened.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::rc::Rc;

use tch::{Device, Kind};

use super::config::{self, Config};
use super::keys::{self, Role};
use super::{Component, LoraError, names};
use crate::nn::params::{Checkpoint, ParamsError};

/// The change of one weight.
#[derive(Debug)]
pub(super) struct Layer {
    pub(super) component: Component,
    /// Its name, with underscores for dots.
    pub(super) name: String,
    /// What its keys begin with.
    pub(super) stem: String,
    pub(super) down: String,
    pub(super) up: String,
    pub(super) rank: i64,
    pub(super) alpha: Option<f64>,
}

/// A LoRA: low-rank changes to weights of a UNet and its text encoders.
///
/// All its numbers are finite, and every pair of matrices has a rank; whether they fit a model is
/// seen only against its weights ([`super::patched`]).
#[derive(Debug)]
pub struct Adapter {
    pub(super) file: Rc<Checkpoint>,
    pub(super) scale: f64,
    pub(super) layers: Vec<Layer>,
    pub(super) configs: BTreeMap<Component, Config>,
}

/// The keys of one layer.
#[derive(Default)]
struct LayerKeys {
    down: Option<String>,
    up: Option<String>,
    alpha: Option<String>,
}

impl Adapter {
    /// Opens a `.safetensors` file; its changes count `scale` times, 1 as trained.
    ///
    /// # Errors
    ///
    /// - [`LoraError::Params`] for what is no `.safetensors`, or not of floats.
    /// - [`LoraError::Kind`] and [`LoraError::Unknown`] for keys that are not a LoRA's.
    /// - [`LoraError::Partner`], [`LoraError::Rank`], [`LoraError::Alpha`] and
    ///   [`LoraError::NotFinite`] for a change that cannot be computed.
    /// - [`LoraError::Metadata`] for what the header asks for and is not implemented.
    /// - [`LoraError::Scale`] if `scale` is not finite.
    pub fn open(path: &Path, scale: f64) -> Result<Self, LoraError> {
        if !scale.is_finite() {
            return Err(LoraError::Scale {
                path: path.to_path_buf(),
                scale,
            });
        }
        let file = Checkpoint::open(path)?;
        let parts = parts(&file)?;
        let bare = !parts.keys().any(|stem| keys::names_network(stem));
        let layers: Vec<Layer> = parts
            .into_iter()
            .map(|(stem, parts)| layer(&file, stem, parts))
            .collect::<Result<_, _>>()?;
        let layers = once(layers);
        let mut configs = BTreeMap::new();
        for component in components(&layers) {
            if let Some(config) = config::read(&file, component, bare)? {
                configs.insert(component, config);
            }
        }
        let both = layers
            .iter()
            .find(|layer| layer.alpha.is_some() && configs.contains_key(&layer.component));
        if let Some(layer) = both {
            return Err(LoraError::Metadata {
                path: path.to_path_buf(),
                reason: format!("{}.alpha says the same in another place", layer.stem),
            });
        }
        Ok(Self {
            file: Rc::new(file),
            scale,
            layers,
            configs,
        })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        self.file.path()
    }

    /// How much its changes count.
    pub fn scale(&self) -> f64 {
        self.scale
    }

    /// The networks that it changes.
    pub fn components(&self) -> BTreeSet<Component> {
        components(&self.layers)
    }
}

fn components(layers: &[Layer]) -> BTreeSet<Component> {
    layers.iter().map(|layer| layer.component).collect()
}

/// All keys, by what they begin with.
fn parts(file: &Checkpoint) -> Result<BTreeMap<String, LayerKeys>, LoraError> {
    let path = || file.path().to_path_buf();
    let mut parts: BTreeMap<String, LayerKeys> = BTreeMap::new();
    let mut unknown = Vec::new();
    for (key, _, _) in file.tensors() {
        if let Some(kind) = keys::foreign(key) {
            return Err(LoraError::Kind {
                path: path(),
                key: key.to_owned(),
                kind,
            });
        }
        let Some((stem, part)) = keys::split(key) else {
            unknown.push(key.to_owned());
            continue;
        };
        let own = parts.entry(stem.to_owned()).or_default();
        let place = match part {
            Role::Down => &mut own.down,
            Role::Up => &mut own.up,
            Role::Alpha => &mut own.alpha,
        };
        if let Some(first) = place.replace(key.to_owned()) {
            return Err(LoraError::Twice {
                path: path(),
                first,
                second: key.to_owned(),
                weight: stem.to_owned(),
            });
        }
    }
    if !unknown.is_empty() || parts.is_empty() {
        return Err(LoraError::Unknown {
            path: path(),
            keys: unknown,
        });
    }
    Ok(parts)
}

fn layer(file: &Checkpoint, stem: String, parts: LayerKeys) -> Result<Layer, LoraError> {
    let path = || file.path().to_path_buf();
    let lone = |key: String, missing| LoraError::Partner {
        path: path(),
        key,
        missing,
    };
    let (down, up) = match (parts.down, parts.up) {
        (Some(down), Some(up)) => (down, up),
        (Some(down), None) => return Err(lone(down, "up (or lora_B)")),
        (None, Some(up)) => return Err(lone(up, "down (or lora_A)")),
        (None, None) => {
            let alpha = parts.alpha.unwrap_or_default();
            return Err(lone(alpha, "down and up"));
        }
    };
    let shape = |key: &str| file.shape(key).unwrap_or_default();
    let shapes = (shape(&down), shape(&up));
    let rank = match (&*shapes.0, &*shapes.1) {
        (&[rank, _, ..], &[_, same, ..]) if rank == same && rank > 0 => rank,
        _ => {
            return Err(LoraError::Rank {
                path: path(),
                key: stem,
                down: shapes.0,
                up: shapes.1,
            });
        }
    };
    for key in [&down, &up] {
        check_finite(file, key)?;
    }
    let alpha = parts.alpha.map(|key| alpha(file, &key)).transpose()?;
    let (component, name) = keys::place(&stem);
    Ok(Layer {
        component,
        name,
        stem,
        down,
        up,
        rank,
        alpha,
    })
}

fn alpha(file: &Checkpoint, key: &str) -> Result<f64, LoraError> {
    let path = || file.path().to_path_buf();
    let Some(alpha) = file.number(key)? else {
        return Err(LoraError::Alpha {
            path: path(),
            key: key.to_owned(),
            shape: file.shape(key).unwrap_or_default(),
        });
    };
    if !alpha.is_finite() {
        return Err(LoraError::NotFinite {
            path: path(),
            key: key.to_owned(),
        });
    }
    Ok(alpha)
}

/// One tensor at a time: a whole adapter may take gigabytes.
fn check_finite(file: &Checkpoint, key: &str) -> Result<(), LoraError> {
    let tensor = file.take(key, Kind::Float, Device::Cpu)?;
    let finite = tensor.map_or(Ok(true), |tensor| {
        let all = tensor.f_isfinite()?.f_all()?;
        all.f_int64_value(&[]).map(|all| all == 1)
    });
    match finite {
        Ok(true) => Ok(()),
        Ok(false) => Err(LoraError::NotFinite {
            path: file.path().to_path_buf(),
            key: key.to_owned(),
        }),
        Err(source) => Err(LoraError::Params(ParamsError::Torch {
            name: key.to_owned(),
            source,
        })),
    }
}

/// Some files hold their UNet's blocks in two ways of naming; as Diffusers does, take its own alone.
fn once(mut layers: Vec<Layer>) -> Vec<Layer> {
    let unet = |layer: &&Layer| layer.component == Component::Unet;
    let diffusers = ["down_blocks_", "mid_block_", "up_blocks_"];
    if layers
        .iter()
        .filter(unet)
        .any(|layer| diffusers.iter().any(|d| layer.name.starts_with(d)))
    {
        layers.retain(|layer| layer.component != Component::Unet || !names::is_sgm(&layer.name));
    }
    layers
}
