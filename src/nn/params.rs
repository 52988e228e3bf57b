//! Where a network's parameters come from, and what is wrong when they do not fit.
//!
//! A network asks its [`Scope`] for tensors by name and shape while it is built. Behind the scope
//! stands either a checkpoint ([`Params::open`]) or a fresh store for training ([`Params::fresh`]).
//! With a checkpoint nothing fails at the first odd tensor: [`Params::finish`] reports all that are
//! missing, unused or of another shape, so that one look tells what kind of checkpoint it is.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Display};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use memmap2::Mmap;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use tch::{Device, Kind, Tensor, nn};

use crate::io;

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
        for (name, shape) in &self.missing {
            lines.push(format!("  missing  {name} {shape:?}"));
        }
        for (name, shape) in &self.unused {
            lines.push(format!("  unused   {name} {shape:?}"));
        }
        for (name, want, got) in &self.wrong_shape {
            lines.push(format!(
                "  shape    {name}: expected {want:?}, found {got:?}"
            ));
        }
        write!(f, "{}", lines.join("\n"))
    }
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

#[allow(clippy::large_enum_variant, reason = "one a network")]
enum Source {
    Checkpoint {
        path: PathBuf,
        map: Mmap,
        kind: Kind,
        report: Mismatch,
        asked: BTreeSet<String>,
        failed: Option<ParamsError>,
    },
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

/// Buffers that older checkpoints carry and that hold no learned value.
const IGNORED_SUFFIXES: [&str; 1] = ["embeddings.position_ids"];

impl Params {
    /// Opens a `.safetensors` checkpoint; tensors are converted to `kind` on `device` as they are
    /// asked for.
    ///
    /// # Errors
    ///
    /// [`ParamsError::Open`], [`ParamsError::Pickle`] (told by content, whatever the name) and
    /// [`ParamsError::Format`].
    pub fn open(path: &Path, kind: Kind, device: Device) -> Result<Self, ParamsError> {
        let open = |source| ParamsError::Open {
            path: path.to_path_buf(),
            source,
        };
        let file = File::open(path).map_err(open)?;
        let map = map_file(&file).map_err(open)?;
        if is_pickle(&map) {
            return Err(ParamsError::Pickle {
                path: path.to_path_buf(),
            });
        }
        SafeTensors::deserialize(&map).map_err(|source| ParamsError::Format {
            path: path.to_path_buf(),
            source,
        })?;
        let source = Source::Checkpoint {
            path: path.to_path_buf(),
            map,
            kind,
            report: Mismatch::default(),
            asked: BTreeSet::new(),
            failed: None,
        };
        Ok(Self {
            source: Rc::new(RefCell::new(source)),
            device,
        })
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
    /// [`ParamsError::Torch`] for the first tensor that could not be taken at all.
    pub fn finish(self) -> Result<(), ParamsError> {
        let mut source = self.source.borrow_mut();
        let Source::Checkpoint {
            path,
            map,
            report,
            asked,
            failed,
            ..
        } = &mut *source
        else {
            return Ok(());
        };
        if let Some(error) = failed.take() {
            return Err(error);
        }
        let file = SafeTensors::deserialize(map).map_err(|source| ParamsError::Format {
            path: path.clone(),
            source,
        })?;
        for (name, view) in file.tensors() {
            if !asked.contains(&name) && !IGNORED_SUFFIXES.iter().any(|s| name.ends_with(s)) {
                report.unused.push((name, dims(&view)));
            }
        }
        report.unused.sort();
        if report.is_empty() {
            return Ok(());
        }
        Err(ParamsError::Mismatch {
            path: path.clone(),
            report: std::mem::take(report),
        })
    }

    /// The trainable store behind fresh parameters, for an optimiser; `None` for a checkpoint.
    pub fn with_store<T>(&self, f: impl FnOnce(&mut nn::VarStore) -> T) -> Option<T> {
        match &mut *self.source.borrow_mut() {
            Source::Fresh(store) => Some(f(store)),
            Source::Checkpoint { .. } => None,
        }
    }

    /// The named tensors of fresh parameters, sorted by name.
    pub fn named(&self) -> BTreeMap<String, Tensor> {
        self.with_store(|store| store.variables().into_iter().collect())
            .unwrap_or_default()
    }
}

/// Maps a checkpoint into memory, so that a 5 GB file is never held twice.
#[allow(unsafe_code)] // The one way to map a file; see below for why it is sound enough.
fn map_file(file: &File) -> std::io::Result<Mmap> {
    // SAFETY: the map is only read. Were another process to shorten the file meanwhile, reading
    // would raise SIGBUS and end this process, as it does for every reader that maps weights.
    unsafe { Mmap::map(file) }
}

/// Whether the bytes start like a pickle (protocol 2 or later) or like the zip `torch.save` writes.
fn is_pickle(bytes: &[u8]) -> bool {
    bytes.starts_with(b"PK\x03\x04") || matches!(bytes, [0x80, 2..=5, ..])
}

fn dims(view: &TensorView<'_>) -> Vec<i64> {
    view.shape().iter().map(|&n| n as i64).collect()
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
            Source::Checkpoint {
                path,
                map,
                kind,
                report,
                asked,
                failed,
            } => {
                let zeros = || Tensor::zeros(shape, (*kind, self.device));
                asked.insert(full.clone());
                let Ok(file) = SafeTensors::deserialize(map) else {
                    return zeros();
                };
                let Ok(view) = file.tensor(&full) else {
                    report.missing.push((full, shape.to_vec()));
                    return zeros();
                };
                let found = dims(&view);
                if found != shape {
                    report.wrong_shape.push((full, shape.to_vec(), found));
                    return zeros();
                }
                match to_tensor(&view, *kind, self.device) {
                    Ok(tensor) => tensor,
                    Err(TakeError::Dtype(dtype)) => {
                        let path = path.clone();
                        failed.get_or_insert(ParamsError::Dtype {
                            path,
                            name: full,
                            dtype,
                        });
                        zeros()
                    }
                    Err(TakeError::Torch(source)) => {
                        failed.get_or_insert(ParamsError::Torch { name: full, source });
                        zeros()
                    }
                }
            }
        }
    }

    /// Whether the checkpoint holds `name` here; fresh stores hold whatever is asked for.
    pub fn has(&self, name: &str) -> bool {
        match &*self.source.borrow() {
            Source::Fresh(_) => true,
            Source::Checkpoint { map, .. } => SafeTensors::deserialize(map)
                .is_ok_and(|file| file.tensor(&self.at(name).prefix).is_ok()),
        }
    }
}

enum TakeError {
    Dtype(String),
    Torch(tch::TchError),
}

fn to_tensor(view: &TensorView<'_>, kind: Kind, device: Device) -> Result<Tensor, TakeError> {
    let from = match view.dtype() {
        Dtype::F32 => Kind::Float,
        Dtype::F16 => Kind::Half,
        Dtype::BF16 => Kind::BFloat16,
        Dtype::F64 => Kind::Double,
        other => return Err(TakeError::Dtype(format!("{other:?}"))),
    };
    Tensor::f_from_data_size(view.data(), &dims(view), from)
        .and_then(|tensor| tensor.f_to_device(device))
        .and_then(|tensor| tensor.f_to_kind(kind))
        .map_err(TakeError::Torch)
}

/// Writes tensors as one `.safetensors` file of element type `kind` (half or float), sorted by name.
///
/// # Errors
///
/// [`ParamsError::Torch`] if a tensor cannot be copied, [`ParamsError::Io`] if the file cannot be
/// written.
pub fn save(
    path: &Path,
    tensors: &BTreeMap<String, Tensor>,
    kind: Kind,
) -> Result<(), ParamsError> {
    let dtype = match kind {
        Kind::Half => Dtype::F16,
        Kind::BFloat16 => Dtype::BF16,
        _ => Dtype::F32,
    };
    let kind = if dtype == Dtype::F32 {
        Kind::Float
    } else {
        kind
    };
    let mut blobs = Vec::new();
    for (name, tensor) in tensors {
        let torch = |source| ParamsError::Torch {
            name: name.clone(),
            source,
        };
        let flat = tensor
            .f_detach()
            .and_then(|t| t.f_to_device(Device::Cpu))
            .and_then(|t| t.f_to_kind(kind))
            .and_then(|t| t.f_contiguous())
            .map_err(torch)?;
        let mut bytes = vec![0_u8; flat.numel() * kind.elt_size_in_bytes()];
        flat.f_copy_data_u8(&mut bytes, flat.numel())
            .map_err(torch)?;
        let shape = flat.size().iter().map(|&n| n as usize).collect::<Vec<_>>();
        blobs.push((name.clone(), shape, bytes));
    }
    let layout = |source| ParamsError::Layout {
        path: path.to_path_buf(),
        source,
    };
    let mut views = Vec::new();
    for (name, shape, bytes) in &blobs {
        views.push((
            name,
            TensorView::new(dtype, shape.clone(), bytes).map_err(layout)?,
        ));
    }
    // Transformers refuses a file that does not say which framework wrote it.
    let metadata = [("format".to_owned(), "pt".to_owned())].into();
    let bytes = safetensors::serialize(views, Some(metadata)).map_err(layout)?;
    io::write_atomic(path, &bytes)?;
    Ok(())
}

/// All float tensors of a `.safetensors` file, as float32 on the CPU.
///
/// # Errors
///
/// As [`Params::open`], and [`ParamsError::Dtype`].
pub fn load_all(path: &Path) -> Result<BTreeMap<String, Tensor>, ParamsError> {
    let params = Params::open(path, Kind::Float, Device::Cpu)?;
    let source = params.source.borrow();
    let Source::Checkpoint { map, .. } = &*source else {
        return Ok(BTreeMap::new());
    };
    let file = SafeTensors::deserialize(map).map_err(|source| ParamsError::Format {
        path: path.to_path_buf(),
        source,
    })?;
    let mut all = BTreeMap::new();
    for (name, view) in file.tensors() {
        let tensor = to_tensor(&view, Kind::Float, Device::Cpu).map_err(|error| match error {
            TakeError::Dtype(dtype) => ParamsError::Dtype {
                path: path.to_path_buf(),
                name: name.clone(),
                dtype,
            },
            TakeError::Torch(source) => ParamsError::Torch {
                name: name.clone(),
                source,
            },
        })?;
        all.insert(name, tensor);
    }
    Ok(all)
}
