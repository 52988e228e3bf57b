//! `.safetensors` files, mapped and checked: one, or the shards that an index names.
//!
//! The header is read once; a tensor's bytes are touched only when it is taken. The format's reader
//! refuses headers over 100 MB, offsets that overlap, leave holes or run past the end, and shapes
//! whose size overflows; a name given twice is refused here.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Formatter;
use std::fs::File;
use std::path::{Path, PathBuf};

use memmap2::Mmap;
use safetensors::tensor::{Dtype, SafeTensorError, SafeTensors, TensorInfo};
use serde::de::{Error as _, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer as _};
use tch::{Device, Kind, Tensor};

use super::ParamsError;
use crate::io;

/// One mapped file.
struct Shard {
    path: PathBuf,
    map: Mmap,
    /// Where the tensors' bytes begin.
    data: usize,
}

/// The tensors of a network on disk, by name.
pub struct Checkpoint {
    path: PathBuf,
    shards: Vec<Shard>,
    /// Shard and place of every tensor.
    tensors: BTreeMap<String, (usize, TensorInfo)>,
    /// Free text of the headers.
    notes: BTreeMap<String, String>,
}

impl std::fmt::Debug for Checkpoint {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Checkpoint")
            .field("path", &self.path)
            .field("tensors", &self.tensors.len())
            .finish_non_exhaustive()
    }
}

/// What stands in `*.safetensors.index.json`.
#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

impl Checkpoint {
    /// Opens a `.safetensors` file, or a `.json` index of several.
    ///
    /// # Errors
    ///
    /// [`ParamsError::Open`], [`ParamsError::Pickle`] (told by content, whatever the name),
    /// [`ParamsError::Format`], [`ParamsError::Index`] and [`ParamsError::Twice`].
    pub fn open(path: &Path) -> Result<Self, ParamsError> {
        let files = if path.extension().is_some_and(|e| e == "json") {
            indexed(path)?
        } else {
            vec![path.to_path_buf()]
        };
        let mut this = Self {
            path: path.to_path_buf(),
            shards: Vec::new(),
            tensors: BTreeMap::new(),
            notes: BTreeMap::new(),
        };
        for file in files {
            this.add(file)?;
        }
        Ok(this)
    }

    fn add(&mut self, path: PathBuf) -> Result<(), ParamsError> {
        let open = |source| ParamsError::Open {
            path: path.clone(),
            source,
        };
        let mut file = File::open(&path).map_err(open)?;
        let metadata = file.metadata().map_err(open)?;
        if metadata.is_dir() {
            return Err(open(std::io::ErrorKind::IsADirectory.into()));
        }
        if io::is_lfs_pointer(&mut file, metadata.len()).map_err(open)? {
            return Err(io::IoError::LfsPointer { path }.into());
        }
        let map = map_file(&file).map_err(open)?;
        if is_pickle(&map) {
            return Err(ParamsError::Pickle { path });
        }
        let (header, metadata) =
            SafeTensors::read_metadata(&map).map_err(|source| ParamsError::Format {
                path: path.clone(),
                source,
            })?;
        check_names(&map[8..8 + header]).map_err(|source| ParamsError::Format {
            path: path.clone(),
            source: SafeTensorError::InvalidHeaderDeserialization(source),
        })?;
        let shard = self.shards.len();
        let found: BTreeMap<_, _> = metadata.tensors().into_iter().collect();
        for (name, info) in found {
            let entry = (shard, info.clone());
            if let Some((other, _)) = self.tensors.insert(name.clone(), entry) {
                return Err(ParamsError::Twice {
                    first: self.shards[other].path.clone(),
                    second: path,
                    name,
                });
            }
        }
        let notes = metadata.metadata().iter().flatten();
        self.notes
            .extend(notes.map(|(key, text)| (key.clone(), text.clone())));
        self.shards.push(Shard {
            path,
            map,
            // The length of the header comes first, in 8 bytes.
            data: 8 + header,
        });
        Ok(())
    }

    /// The file, or the index, that was opened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Names with element types and shapes, sorted by name.
    pub fn tensors(&self) -> impl Iterator<Item = (&str, Dtype, Vec<i64>)> {
        self.tensors
            .iter()
            .map(|(name, (_, info))| (name.as_str(), info.dtype, dims(&info.shape)))
    }

    /// Whether there is a tensor of this name.
    pub fn has(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    /// The shape of a tensor.
    pub fn shape(&self, name: &str) -> Option<Vec<i64>> {
        self.tensors.get(name).map(|(_, info)| dims(&info.shape))
    }

    /// What a header's free text says under `key`.
    pub fn note(&self, key: &str) -> Option<&str> {
        self.notes.get(key).map(String::as_str)
    }

    /// The element type of a tensor; `None` if there is none of this name.
    ///
    /// # Errors
    ///
    /// [`ParamsError::Dtype`] if its elements are not floats.
    pub fn kind(&self, name: &str) -> Result<Option<Kind>, ParamsError> {
        self.kind_among(float, name)
    }

    fn kind_among(
        &self,
        known: impl Fn(Dtype) -> Option<Kind>,
        name: &str,
    ) -> Result<Option<Kind>, ParamsError> {
        let Some((shard, info)) = self.tensors.get(name) else {
            return Ok(None);
        };
        known(info.dtype)
            .map(Some)
            .ok_or_else(|| ParamsError::Dtype {
                path: self.shards[*shard].path.clone(),
                name: name.to_owned(),
                dtype: format!("{:?}", info.dtype),
            })
    }

    /// A tensor as `kind` on `device`; `None` if there is none of this name.
    ///
    /// # Errors
    ///
    /// [`ParamsError::Dtype`] if its elements are not floats, [`ParamsError::Torch`] if libtorch
    /// cannot hold it.
    pub fn take(
        &self,
        name: &str,
        kind: Kind,
        device: Device,
    ) -> Result<Option<Tensor>, ParamsError> {
        self.read(name, self.kind(name)?, kind, device)
    }

    /// The one number of a tensor with one element, which may also be whole; `None` if there is no
    /// such tensor.
    ///
    /// # Errors
    ///
    /// As [`Self::take`].
    pub fn number(&self, name: &str) -> Result<Option<f64>, ParamsError> {
        if self.shape(name).is_none_or(|s| s.iter().any(|&n| n != 1)) {
            return Ok(None);
        }
        let from = self.kind_among(|dtype| float(dtype).or_else(|| whole(dtype)), name)?;
        let tensor = self.read(name, from, Kind::Double, Device::Cpu)?;
        Ok(tensor.map(|number| number.double_value(&vec![0; number.dim()])))
    }

    fn read(
        &self,
        name: &str,
        from: Option<Kind>,
        kind: Kind,
        device: Device,
    ) -> Result<Option<Tensor>, ParamsError> {
        let (Some((shard, info)), Some(from)) = (self.tensors.get(name), from) else {
            return Ok(None);
        };
        let shard = &self.shards[*shard];
        let (start, end) = info.data_offsets;
        let bytes = &shard.map[shard.data + start..shard.data + end];
        Tensor::f_from_data_size(bytes, &dims(&info.shape), from)
            .and_then(|tensor| tensor.f_to_device(device))
            .and_then(|tensor| tensor.f_to_kind(kind))
            .map(Some)
            .map_err(|source| ParamsError::Torch {
                name: name.to_owned(),
                source,
            })
    }
}

/// The files that an index names, which must lie beside it.
pub(super) fn indexed(path: &Path) -> Result<Vec<PathBuf>, ParamsError> {
    let wrong = |reason: String| ParamsError::Index {
        path: path.to_path_buf(),
        reason,
    };
    let index: Index = serde_json::from_str(&io::read_to_string(path)?)
        .map_err(|error| wrong(error.to_string()))?;
    let names: BTreeSet<String> = index.weight_map.into_values().collect();
    if names.is_empty() {
        return Err(wrong("weight_map is empty".to_owned()));
    }
    let dir = path.parent().unwrap_or(Path::new(""));
    names
        .into_iter()
        .map(|name| {
            let beside = Path::new(&name).file_name().is_some_and(|f| f == &*name);
            if !beside || !name.ends_with(".safetensors") {
                return Err(wrong(format!(
                    "{name:?} is not the name of a .safetensors file beside it"
                )));
            }
            Ok(dir.join(name))
        })
        .collect()
}

/// Refuses a header that gives a name twice. The format forbids it; its reader takes the last.
fn check_names(header: &[u8]) -> serde_json::Result<()> {
    struct Unrepeated;
    impl<'de> Visitor<'de> for Unrepeated {
        type Value = ();

        fn expecting(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
            let mut seen = BTreeSet::new();
            while let Some((name, _)) = map.next_entry::<String, IgnoredAny>()? {
                if let Some(name) = seen.replace(name) {
                    return Err(A::Error::custom(format!("{name:?} stands there twice")));
                }
            }
            Ok(())
        }
    }
    serde_json::Deserializer::from_slice(header).deserialize_map(Unrepeated)
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

fn float(dtype: Dtype) -> Option<Kind> {
    match dtype {
        Dtype::F32 => Some(Kind::Float),
        Dtype::F16 => Some(Kind::Half),
        Dtype::BF16 => Some(Kind::BFloat16),
        Dtype::F64 => Some(Kind::Double),
        _ => None,
    }
}

fn whole(dtype: Dtype) -> Option<Kind> {
    match dtype {
        Dtype::I64 => Some(Kind::Int64),
        Dtype::I32 => Some(Kind::Int),
        _ => None,
    }
}

fn dims(shape: &[usize]) -> Vec<i64> {
    shape.iter().map(|&n| n as i64).collect()
}
