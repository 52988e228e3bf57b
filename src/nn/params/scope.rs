//! Where a network asks for its parameters, by name.

use std::cell::RefCell;
use std::fmt::Display;
use std::rc::Rc;

use tch::{Device, Tensor, nn};

use super::Source;

/// How a fresh parameter starts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Init {
    /// Every entry the same.
    Const(f64),
    /// Uniform in ±1/√`fan_in`, PyTorch's default for linear and convolution layers.
    FanIn(i64),
    /// Normal with this standard deviation.
    Normal(f64),
}

/// A place in the tree of names, such as `down_blocks.0.resnets.1`.
#[derive(Clone)]
pub struct Scope {
    pub(super) source: Rc<RefCell<Source>>,
    pub(super) device: Device,
    pub(super) prefix: String,
}

impl Scope {
    /// The scope one name further down; `name` may hold dots.
    #[must_use]
    pub fn at(&self, name: impl Display) -> Self {
        let prefix = if self.prefix.is_empty() {
            name.to_string()
        } else {
            format!("{}.{name}", self.prefix)
        };
        Self {
            source: Rc::clone(&self.source),
            device: self.device,
            prefix,
        }
    }

    /// The device parameters live on.
    pub fn device(&self) -> Device {
        self.device
    }

    /// The parameter `name` of this shape; `init` is for fresh ones.
    ///
    /// A checkpoint that lacks it gives zeros and an entry in the report of
    /// [`Params::finish`](super::Params::finish).
    pub fn param(&self, name: &str, shape: &[i64], init: Init) -> Tensor {
        let full = self.at(name).prefix;
        match &mut *self.source.borrow_mut() {
            Source::Fresh(store) => {
                let mut path = store.root();
                let mut parts: Vec<&str> = full.split('.').collect();
                let leaf = parts.pop().unwrap_or(name).to_owned();
                for part in parts {
                    path = path.sub(part);
                }
                let init = match init {
                    Init::Const(value) => nn::Init::Const(value),
                    Init::FanIn(fan) => {
                        let bound = 1.0 / (fan.max(1) as f64).sqrt();
                        nn::Init::Uniform {
                            lo: -bound,
                            up: bound,
                        }
                    }
                    Init::Normal(stdev) => nn::Init::Randn { mean: 0.0, stdev },
                };
                path.var(&leaf, shape, init)
            }
            Source::Checkpoint(loading) => loading.take(full, shape, self.device),
        }
    }

    /// Whether the checkpoint holds anything here or below; fresh stores hold whatever is asked for.
    pub fn has_any(&self) -> bool {
        match &*self.source.borrow() {
            Source::Fresh(_) => true,
            Source::Checkpoint(loading) => {
                let below = format!("{}.", self.prefix);
                let mut names = loading.file.tensors().map(|(name, _, _)| name);
                names.any(|name| name.starts_with(&below))
            }
        }
    }

    /// Whether the checkpoint holds `name` here; fresh stores hold whatever is asked for.
    pub fn has(&self, name: &str) -> bool {
        match &*self.source.borrow() {
            Source::Fresh(_) => true,
            Source::Checkpoint(loading) => loading.file.has(&self.at(name).prefix),
        }
    }
}
