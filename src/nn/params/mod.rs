//! Where a network's parameters come from, and what is wrong when they do not fit.
//!
//! A network asks its [`Scope`] for tensors by name and shape while it is built. Behind the scope
//! stands either a checkpoint ([`Params::open`]) or a fresh store for training ([`Params::fresh`]).
//! With a checkpoint nothing fails at the first odd tensor: [`Params::finish`] reports all that are
//! missing, unused or of another shape, so that one look tells what kind of checkpoint it is.

mod checkpoint;
mod error;
mod files;
mod loading;
mod mismatch;
mod scope;
pub mod weights;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::rc::Rc;

use tch::{Device, Kind, Tensor, nn};

pub use self::checkpoint::Checkpoint;
pub use self::error::ParamsError;
pub use self::files::{load_all, save};
use self::loading::Loading;
pub use self::loading::Patch;
pub use self::mismatch::Mismatch;
pub(super) use self::mismatch::shortened;
pub use self::scope::{Init, Scope};

/// What stands behind a [`Scope`].
enum Source {
    Checkpoint(Box<Loading>),
    Fresh(nn::VarStore),
}

/// The parameters of one network.
pub struct Params {
    source: Rc<RefCell<Source>>,
    device: Device,
}

impl fmt::Debug for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Params")
            .field("device", &self.device)
            .finish_non_exhaustive()
    }
}

impl Params {
    /// Opens a `.safetensors` checkpoint, or the `.json` index of a sharded one; tensors are
    /// converted to `kind` on `device` as they are asked for.
    ///
    /// # Errors
    ///
    /// As [`Checkpoint::open`].
    pub fn open(path: &Path, kind: Kind, device: Device) -> Result<Self, ParamsError> {
        Self::read(path, kind, device, false)
    }

    /// As [`Self::open`], but no tensor is read: a network built on it is of zeros that hold no
    /// memory, and serves to learn from [`Self::finish`] what does not fit.
    ///
    /// # Errors
    ///
    /// As [`Checkpoint::open`].
    pub fn inspect(path: &Path) -> Result<Self, ParamsError> {
        Self::read(path, Kind::Float, Device::Cpu, true)
    }

    fn read(path: &Path, kind: Kind, device: Device, inspect: bool) -> Result<Self, ParamsError> {
        let loading = Loading::new(Checkpoint::open(path)?, kind, inspect);
        Ok(Self {
            source: Rc::new(RefCell::new(Source::Checkpoint(Box::new(loading)))),
            device,
        })
    }

    /// The same checkpoint with changes; fresh parameters have nothing to change.
    #[must_use]
    pub fn patched(self, patch: Rc<dyn Patch>) -> Self {
        if let Source::Checkpoint(loading) = &mut *self.source.borrow_mut() {
            loading.targets = patch.targets().into_iter().collect();
            loading.patch = Some(patch);
        }
        self
    }

    /// A store of fresh, trainable float32 parameters; seed libtorch first (`tch::manual_seed`).
    pub fn fresh(device: Device) -> Self {
        let source = Source::Fresh(nn::VarStore::new(device));
        Self {
            source: Rc::new(RefCell::new(source)),
            device,
        }
    }

    /// The scope at the root of the network's names.
    pub fn root(&self) -> Scope {
        Scope {
            source: Rc::clone(&self.source),
            device: self.device,
            prefix: String::new(),
        }
    }

    /// Says what did not fit, once the network has been built.
    ///
    /// # Errors
    ///
    /// [`ParamsError::Mismatch`] with every disagreement; [`ParamsError::Dtype`] or
    /// [`ParamsError::Torch`] for the first tensor that could not be taken at all;
    /// [`ParamsError::Adapter`] if a patch changes weights that were not asked for.
    pub fn finish(self) -> Result<(), ParamsError> {
        self.finish_besides(&[]).map(|_| ())
    }

    /// As [`Self::finish`], but tensors whose names begin with one of `spare` may be left over; gives their names.
    ///
    /// # Errors
    ///
    /// As [`Self::finish`].
    pub fn finish_besides(self, spare: &[&str]) -> Result<Vec<String>, ParamsError> {
        match &mut *self.source.borrow_mut() {
            Source::Checkpoint(loading) => loading.finish(spare),
            Source::Fresh(_) => Ok(Vec::new()),
        }
    }

    /// The trainable store behind fresh parameters, for an optimiser; `None` for a checkpoint.
    pub fn with_store<T>(&self, f: impl FnOnce(&mut nn::VarStore) -> T) -> Option<T> {
        match &mut *self.source.borrow_mut() {
            Source::Fresh(store) => Some(f(store)),
            Source::Checkpoint(_) => None,
        }
    }

    /// The checkpoint behind the parameters; `None` for fresh ones.
    pub fn with_checkpoint<T>(&self, f: impl FnOnce(&Checkpoint) -> T) -> Option<T> {
        match &*self.source.borrow() {
            Source::Checkpoint(loading) => Some(f(&loading.file)),
            Source::Fresh(_) => None,
        }
    }

    /// The named tensors of fresh parameters, sorted by name.
    pub fn named(&self) -> BTreeMap<String, Tensor> {
        self.with_store(|store| store.variables().into_iter().collect())
            .unwrap_or_default()
    }
}
