//! Directions on disk: `directions.safetensors` (numbers) and `directions.json` (for people).

mod described;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ndarray::Array1;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};

pub use self::described::{DescribedMode, DirectionsFile, SkippedClass};

use super::{Direction, Fitted, ModeId, Standing, WhitenError, Whitening};
use crate::dataset::{Dataset, Split};
use crate::io::{self, Classified, ErrorKind, IoError, JsonFile as _, JsonFileError};

/// Why directions could not be written or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PersistError {
    /// A file could not be read or written.
    #[error(transparent)]
    Io(#[from] IoError),
    /// The numbers' file is damaged.
    #[error("{} is not a sound directions file: delete it and run `hardlight detect` again", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What the format's reader said.
        #[source]
        source: safetensors::SafeTensorError,
    },
    /// A tensor is missing or of another shape.
    #[error("{}: tensor {name} is missing or not float64 of the expected shape", path.display())]
    Tensor {
        /// The file.
        path: PathBuf,
        /// The tensor.
        name: String,
    },
    /// The file for people, from which classes and counts are read, cannot be read.
    #[error(transparent)]
    Json(#[from] JsonFileError),
    /// A direction's class is not among the classes.
    #[error("{}: no class {name:?} among its classes: run `hardlight detect` again", path.display())]
    Class {
        /// The file.
        path: PathBuf,
        /// The class.
        name: String,
    },
    /// The stored whitening cannot be used.
    #[error("{}: the whitening cannot be used", path.display())]
    Whitening {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: WhitenError,
    },
}

impl Classified for PersistError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Io(error) => error.kind(),
            Self::Json(error) => error.kind(),
            _ => ErrorKind::Input,
        }
    }
}

fn bytes(values: impl IntoIterator<Item = f64>) -> Vec<u8> {
    values.into_iter().flat_map(f64::to_le_bytes).collect()
}

fn file(dir: &Path) -> PathBuf {
    dir.join("directions.safetensors")
}

/// Writes both files into `dir`.
///
/// Tensors, all float64: `mean` and `deviation` `[d]`, and per class and mode `CLASS.MODE.w` `[d]` and
/// `CLASS.MODE.scalars` `[c, b, cv_score, threshold]`, with class indices. The file for people has the rest:
/// tests, counts, the probability of failure. It names the examples that each mode explains, by their ids in
/// `dataset`, which is the one that the directions were learned on.
///
/// # Errors
///
/// [`PersistError::Io`].
pub fn write(
    dir: &Path,
    whitening: &Whitening,
    whitened_on: Split,
    fitted: &Fitted,
    dataset: &Dataset,
) -> Result<(), PersistError> {
    let d = whitening.mean().len();
    let mut blobs: Vec<(String, usize, Vec<u8>)> = vec![
        (
            "mean".to_owned(),
            d,
            bytes(whitening.mean().iter().map(|&v| f64::from(v))),
        ),
        (
            "deviation".to_owned(),
            d,
            bytes(whitening.deviation().iter().map(|&v| f64::from(v))),
        ),
    ];
    for direction in &fitted.directions {
        let name = direction.id;
        blobs.push((format!("{name}.w"), d, bytes(direction.w.iter().copied())));
        let Direction {
            c,
            b,
            cv_score,
            threshold,
            ..
        } = *direction;
        let scalars = bytes([c, b, cv_score, threshold]);
        blobs.push((format!("{name}.scalars"), 4, scalars));
    }
    let path = file(dir);
    let format = |source| PersistError::Format {
        path: path.clone(),
        source,
    };
    let mut views = Vec::new();
    for (name, n, blob) in &blobs {
        views.push((
            name,
            TensorView::new(Dtype::F64, vec![*n], blob).map_err(format)?,
        ));
    }
    let content = safetensors::serialize(views, None).map_err(format)?;
    io::write_atomic(&path, &content)?;
    let described = DirectionsFile::of(whitening, whitened_on, fitted, dataset);
    Ok(described.write(&dir.join("directions.json"))?)
}

/// Directions as they were written.
#[derive(Debug, Clone, PartialEq)]
pub struct Saved {
    /// The whitening they were learned behind.
    pub whitening: Whitening,
    /// Class names in the order of indices.
    pub classes: Vec<String>,
    /// The directions, by class and mode. [`Direction::out_of_fold`] is empty, for it is not stored, and so
    /// is [`Direction::explains`], for names of examples belong to an opened data set: see `explains`.
    pub directions: Vec<Direction>,
    /// The mistakes of val that each mode explains, by their ids in files.
    pub explains: BTreeMap<ModeId, Vec<String>>,
}

impl Saved {
    /// The direction of a mode.
    pub fn get(&self, id: ModeId) -> Option<&Direction> {
        self.directions.iter().find(|direction| direction.id == id)
    }

    /// The directions of a class.
    pub fn of_class(&self, class: usize) -> impl Iterator<Item = &Direction> {
        let all = self.directions.iter();
        all.filter(move |direction| direction.id.class == class)
    }
}

/// Reads both files of `dir` back.
///
/// # Errors
///
/// [`PersistError`].
pub fn read(dir: &Path) -> Result<Saved, PersistError> {
    let path = dir.join("directions.json");
    let described = DirectionsFile::read(&path)?;
    let numbers = file(dir);
    let content = io::read(&numbers)?;
    let numbers = Numbers::parse(&content, &numbers)?;
    let whitening = numbers.whitening()?;
    let mut directions = Vec::new();
    let mut explains = BTreeMap::new();
    for mode in described.directions {
        if described.classes.get(mode.id().class) != Some(&mode.class) {
            return Err(PersistError::Class {
                path,
                name: mode.class,
            });
        }
        explains.insert(mode.id(), mode.explains.clone());
        directions.push(numbers.direction(mode, whitening.mean().len())?);
    }
    Ok(Saved {
        whitening,
        classes: described.classes,
        directions,
        explains,
    })
}

/// The file of numbers, as [`write`] lays it out.
struct Numbers<'a> {
    path: &'a Path,
    tensors: SafeTensors<'a>,
}

impl<'a> Numbers<'a> {
    fn parse(content: &'a [u8], path: &'a Path) -> Result<Self, PersistError> {
        let tensors = SafeTensors::deserialize(content).map_err(|source| PersistError::Format {
            path: path.to_owned(),
            source,
        })?;
        Ok(Self { path, tensors })
    }

    fn whitening(&self) -> Result<Whitening, PersistError> {
        let narrow = |name| Ok::<_, PersistError>(self.vector(name)?.mapv(|v| v as f32));
        let (mean, deviation) = (narrow("mean")?, narrow("deviation")?);
        if deviation.len() != mean.len() {
            return Err(self.bad("deviation"));
        }
        Whitening::from_parts(mean, deviation).map_err(|source| PersistError::Whitening {
            path: self.path.to_owned(),
            source,
        })
    }

    /// The direction of a mode, in `d` dimensions.
    fn direction(&self, mode: DescribedMode, d: usize) -> Result<Direction, PersistError> {
        let id = mode.id();
        let w = self.vector(&format!("{id}.w"))?;
        let scalars = self.vector(&format!("{id}.scalars"))?.to_vec();
        let [c, b, cv_score, threshold] = scalars[..] else {
            return Err(self.bad(&format!("{id}.scalars")));
        };
        if w.len() != d {
            return Err(self.bad(&format!("{id}.w")));
        }
        Ok(Direction {
            id,
            w,
            b,
            c,
            cv_score,
            cv_interval: mode.cv_interval_95,
            p_value: mode.p_value,
            q_value: mode.q_value,
            permutations: mode.permutations,
            at_floor: mode.at_floor,
            threshold,
            admits: mode.admits,
            probability: mode.probability,
            right: mode.right,
            wrong: mode.wrong,
            units: mode.units,
            too_few: mode.standing == Standing::TooFewExamples,
            bootstrap_cosine: mode.bootstrap_cosine_95,
            explains: Vec::new(),
            shared: mode.shared,
            out_of_fold: Vec::new(),
        })
    }

    /// A float64 vector by its name.
    fn vector(&self, name: &str) -> Result<Array1<f64>, PersistError> {
        let view = self
            .tensors
            .tensor(name)
            .ok()
            .filter(|view| view.dtype() == Dtype::F64 && view.shape().len() == 1)
            .ok_or_else(|| self.bad(name))?;
        Ok(view
            .data()
            .chunks_exact(8)
            .map(|chunk| {
                let mut eight = [0; 8];
                eight.copy_from_slice(chunk);
                f64::from_le_bytes(eight)
            })
            .collect())
    }

    fn bad(&self, name: &str) -> PersistError {
        PersistError::Tensor {
            path: self.path.to_owned(),
            name: name.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests;
