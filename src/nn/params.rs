//! Where a network's parameters come from, and what is wrong when they do not fit.
//!
//! A network asks its [`Scope`] for tensors by name and shape while it is built. Behind the scope
//! stands either a checkpoint ([`Params::open`]) or a fresh store for training ([`Params::fresh`]).
//! With a checkpoint nothing fails at the first odd tensor: [`Params::finish`] reports all that are
//! missing, unused or of another shape, so that one look tells what kind of checkpoint it is.

mod checkpoint;
mod files;
pub mod weights;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Display};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use tch::{Device, Kind, Tensor, nn};

pub use self::checkpoint::Checkpoint;
pub use self::files::{load_all, save};

use crate::io::{self, Classified, ErrorKind};

/// Why parameters could not be read, did not fit, or could not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ParamsError {
    /// The checkpoint cannot be opened.
    #[error("could not open {}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },

    /// The content is a pickle or a zip of pickles, which can run code when it is read.
    #[error(
        "{} is a PyTorch pickle, not .safetensors, and reading one can run code: convert it with \
         `safetensors.torch.save_file` in Python, or fetch the model's .safetensors",
        path.display()
    )]
    Pickle {
        /// The file.
        path: PathBuf,
    },

    /// The header or an offset is wrong.
    #[error("{} is not a sound .safetensors file: is the download complete?", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What the format's reader said.
        #[source]
        source: safetensors::SafeTensorError,
    },

    /// The index of a sharded checkpoint is wrong.
    #[error("{} is not a sound index of shards: {reason}", path.display())]
    Index {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },

    /// Two shards hold a tensor of the same name.
    #[error("{} and {} both hold tensor {name}", first.display(), second.display())]
    Twice {
        /// The first shard.
        first: PathBuf,
        /// The second.
        second: PathBuf,
        /// The tensor.
        name: String,
    },

    /// A folder holds no weights that can be read.
    #[error(
        "{} has no {file}{found}: only .safetensors weights are read; save the model with \
         `safe_serialization=True`",
        dir.display()
    )]
    NoWeights {
        /// The folder.
        dir: PathBuf,
        /// The file expected.
        file: String,
        /// What is there instead.
        found: String,
    },

    /// An adapter changes weights that the network does not have.
    #[error(
        "{}: the adapter changes what this network does not have, is it made for another model? {}",
        path.display(),
        shortened(names)
    )]
    Adapter {
        /// The checkpoint.
        path: PathBuf,
        /// The weights that it would change.
        names: Vec<String>,
    },

    /// A tensor has an element type that no network here uses.
    #[error("{}: tensor {name} has element type {dtype}: expected F32, F16, BF16 or F64", path.display())]
    Dtype {
        /// The file.
        path: PathBuf,
        /// The tensor.
        name: String,
        /// Its element type.
        dtype: String,
    },

    /// Names or shapes do not fit the network that the config describes.
    #[error(
        "{}: the tensors do not fit the config, take both from the same model\n{report}",
        path.display()
    )]
    Mismatch {
        /// The file.
        path: PathBuf,
        /// Every missing, unused and wrong-shaped tensor.
        report: Mismatch,
    },

    /// libtorch refused, usually for want of memory.
    #[error("libtorch could not hold tensor {name}")]
    Torch {
        /// The tensor.
        name: String,
        /// What libtorch said.
        #[source]
        source: tch::TchError,
    },

    /// The file could not be written.
    #[error(transparent)]
    Io(#[from] io::IoError),

    /// The format's writer refused.
    #[error("could not lay out {}", path.display())]
    Layout {
        /// The file.
        path: PathBuf,
        /// What the format's writer said.
        #[source]
        source: safetensors::SafeTensorError,
    },
}

impl Classified for ParamsError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Torch { source, .. } => source.kind(),
            Self::Io(error) => error.kind(),
            _ => ErrorKind::Input,
        }
    }
}

/// Every way in which a checkpoint and a config disagree.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// Names the network needs and the file lacks, with the shape needed.
    pub missing: Vec<(String, Vec<i64>)>,
    /// Names in the file that the network did not ask for, with their shape.
    pub unused: Vec<(String, Vec<i64>)>,
    /// Name, shape needed, shape found.
    pub wrong_shape: Vec<(String, Vec<i64>, Vec<i64>)>,
}

impl Mismatch {
    fn is_empty(&self) -> bool {
        self.missing.is_empty() && self.unused.is_empty() && self.wrong_shape.is_empty()
    }
}

impl Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines = Vec::new();
        let mut add = |all: Vec<String>, what: &str| {
            let more = all.len().saturating_sub(SHOWN);
            lines.extend(all.into_iter().take(SHOWN));
            if more > 0 {
                lines.push(format!("  … and {more} more {what}"));
            }
        };
        let named = |what: &str, list: &[(String, Vec<i64>)]| {
            list.iter()
                .map(|(name, shape)| format!("  {what:8} {name} {shape:?}"))
                .collect()
        };
        add(named("missing", &self.missing), "missing");
        add(named("unused", &self.unused), "unused");
        let shapes = self.wrong_shape.iter().map(|(name, want, got)| {
            format!("  shape    {name}: expected {want:?}, found {got:?}")
        });
        add(shapes.collect(), "of another shape");
        write!(f, "{}", lines.join("\n"))
    }
}

/// Lines of each kind that a message shows; the fields hold all.
const SHOWN: usize = 20;

/// The first names of a list that may be long.
pub(super) fn shortened(names: &[String]) -> String {
    let more = names.len().saturating_sub(SHOWN);
    let shown = names[..names.len() - more].join(", ");
    if more > 0 {
        format!("{shown} and {more} more")
    } else {
        shown
    }
}

/// Changes weights while they are loaded, as a `LoRA` does.
pub trait Patch {
    /// Full names of the weights that it changes.
    fn targets(&self) -> Vec<String>;

    /// The changed weight of this name, from the float32 weight in the checkpoint; called for
    /// targets only. The shape must stay.
    ///
    /// # Errors
    ///
    /// What stands in the way of reading or computing the change.
    fn apply(&self, name: &str, weight: &Tensor) -> Result<Tensor, ParamsError>;
}

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

enum Source {
    Checkpoint(Box<Loading>),
    Fresh(nn::VarStore),
}

/// A checkpoint while a network takes its tensors.
struct Loading {
    file: Checkpoint,
    kind: Kind,
    /// Whether tensors are looked at only: zeros stand for all of them.
    inspect: bool,
    patch: Option<Rc<dyn Patch>>,
    /// Names that the patch changes.
    targets: BTreeSet<String>,
    report: Mismatch,
    asked: BTreeSet<String>,
    failed: Option<ParamsError>,
}

impl Loading {
    /// The tensor `name`, or zeros and an entry in the report.
    fn take(&mut self, name: String, shape: &[i64], device: Device) -> Tensor {
        self.asked.insert(name.clone());
        let taken = match self.file.shape(&name) {
            Some(found) if found == shape => self.load(&name, device),
            Some(found) => {
                self.report.wrong_shape.push((name, shape.to_vec(), found));
                Ok(None)
            }
            None => {
                self.report.missing.push((name, shape.to_vec()));
                Ok(None)
            }
        };
        // One number, whatever shape a hostile config asks for; no network works with what
        // [`Params::finish`] refuses.
        let zeros = || {
            let zero = Tensor::zeros([0_i64; 0], (self.kind, device));
            zero.f_expand(shape, false).unwrap_or(zero)
        };
        match taken {
            Ok(tensor) => tensor.unwrap_or_else(zeros),
            Err(error) => {
                let zeros = zeros();
                self.failed.get_or_insert(error);
                zeros
            }
        }
    }

    fn load(&self, name: &str, device: Device) -> Result<Option<Tensor>, ParamsError> {
        if self.inspect {
            return self.file.kind(name).map(|_| None);
        }
        let Some(patch) = self.patch.as_ref().filter(|_| self.targets.contains(name)) else {
            return self.file.take(name, self.kind, device);
        };
        // Half precision would round the small change away.
        let Some(weight) = self.file.take(name, Kind::Float, device)? else {
            return Ok(None);
        };
        patch
            .apply(name, &weight)?
            .f_to_kind(self.kind)
            .map(Some)
            .map_err(|source| ParamsError::Torch {
                name: name.to_owned(),
                source,
            })
    }
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

/// Buffers that older checkpoints carry and that hold no learned value.
const IGNORED_SUFFIXES: [&str; 1] = ["embeddings.position_ids"];

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
        let loading = Loading {
            file: Checkpoint::open(path)?,
            kind,
            inspect,
            patch: None,
            targets: BTreeSet::new(),
            report: Mismatch::default(),
            asked: BTreeSet::new(),
            failed: None,
        };
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
        let mut source = self.source.borrow_mut();
        let Source::Checkpoint(loading) = &mut *source else {
            return Ok(());
        };
        if let Some(error) = loading.failed.take() {
            return Err(error);
        }
        let path = loading.file.path().to_path_buf();
        let mut report = std::mem::take(&mut loading.report);
        for (name, _, shape) in loading.file.tensors() {
            let ignored = IGNORED_SUFFIXES.iter().any(|s| name.ends_with(s));
            if !ignored && !loading.asked.contains(name) {
                report.unused.push((name.to_owned(), shape));
            }
        }
        if !report.is_empty() {
            return Err(ParamsError::Mismatch { path, report });
        }
        let names: Vec<String> = loading
            .targets
            .difference(&loading.asked)
            .cloned()
            .collect();
        if !names.is_empty() {
            return Err(ParamsError::Adapter { path, names });
        }
        Ok(())
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

/// A place in the tree of names, such as `down_blocks.0.resnets.1`.
#[derive(Clone)]
pub struct Scope {
    source: Rc<RefCell<Source>>,
    device: Device,
    prefix: String,
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
    /// A checkpoint that lacks it gives zeros and an entry in the report of [`Params::finish`].
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

    /// Whether the checkpoint holds `name` here; fresh stores hold whatever is asked for.
    pub fn has(&self, name: &str) -> bool {
        match &*self.source.borrow() {
            Source::Fresh(_) => true,
            Source::Checkpoint(loading) => loading.file.has(&self.at(name).prefix),
        }
    }
}
