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
/// Tensors, all float64: `mean` and `deviation` `[d]`, and per class and mode `CLASS.MODE.w` `[d]`
/// and `CLASS.MODE.scalars` `[c, b, cv_score, threshold]`, with class indices. The file for people has the rest: tests, counts, the
/// probability of failure. It names the examples that each mode explains, by their ids in `dataset`, which is the one that
/// the directions were learned on.
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
    let tensors = parse(&content, &numbers)?;
    let narrow = |name| Ok::<_, PersistError>(tensor(&tensors, &numbers, name)?.mapv(|v| v as f32));
    let (mean, deviation) = (narrow("mean")?, narrow("deviation")?);
    let d = mean.len();
    let shape = |name: &str| PersistError::Tensor {
        path: numbers.clone(),
        name: name.to_owned(),
    };
    if deviation.len() != d {
        return Err(shape("deviation"));
    }
    let whitening =
        Whitening::from_parts(mean, deviation).map_err(|source| PersistError::Whitening {
            path: numbers.clone(),
            source,
        })?;
    let mut directions = Vec::new();
    let mut explains = BTreeMap::new();
    for mode in described.directions {
        let name = mode.id();
        if described.classes.get(name.class) != Some(&mode.class) {
            return Err(PersistError::Class {
                path,
                name: mode.class,
            });
        }
        let w = tensor(&tensors, &numbers, &format!("{name}.w"))?;
        let scalars = tensor(&tensors, &numbers, &format!("{name}.scalars"))?.to_vec();
        let scalars = <[f64; 4]>::try_from(scalars)
            .map_err(|_other_length| shape(&format!("{name}.scalars")))?;
        if w.len() != d {
            return Err(shape(&format!("{name}.w")));
        }
        explains.insert(name, mode.explains.clone());
        directions.push(direction(mode, w, scalars));
    }
    Ok(Saved {
        whitening,
        classes: described.classes,
        directions,
        explains,
    })
}

/// A direction from what both files say of it.
fn direction(mode: DescribedMode, w: Array1<f64>, scalars: [f64; 4]) -> Direction {
    let [c, b, cv_score, threshold] = scalars;
    Direction {
        id: mode.id(),
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
        out_of_fold: Vec::new(),
    }
}

fn parse<'a>(content: &'a [u8], path: &Path) -> Result<SafeTensors<'a>, PersistError> {
    SafeTensors::deserialize(content).map_err(|source| PersistError::Format {
        path: path.to_owned(),
        source,
    })
}

/// A float64 vector by its name.
fn tensor(tensors: &SafeTensors<'_>, path: &Path, name: &str) -> Result<Array1<f64>, PersistError> {
    let view = tensors
        .tensor(name)
        .ok()
        .filter(|view| view.dtype() == Dtype::F64 && view.shape().len() == 1);
    let Some(view) = view else {
        return Err(PersistError::Tensor {
            path: path.to_owned(),
            name: name.to_owned(),
        });
    };
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

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;
    use crate::dataset::{Example, ExampleId};
    use crate::direction::probability::FailureProbability;

    /// A direction with numbers that tell it from others.
    fn made_up(class: usize, mode: u32, explains: Vec<ExampleId>) -> Direction {
        let at = class as f64 + 0.1 * f64::from(mode);
        let distance: Vec<f64> = (0..6).map(|i| f64::from(i) / 7.0 - at).collect();
        let wrong = [false, true, false, false, true, true];
        let folds = [0, 0, 1, 1, 0, 1];
        Direction {
            b: 0.5 - at,
            c: 0.1,
            threshold: at,
            probability: Some(FailureProbability::fit(&distance, &wrong, &folds)),
            bootstrap_cosine: Some((0.5, 0.75)),
            explains,
            out_of_fold: distance,
            ..Direction::made_up(ModeId::new(class, mode), array![1.0 + at, -0.3])
        }
    }

    fn dataset() -> Dataset {
        let examples = (0..6).map(|i| Example::new(format!("val/{i}.png"), 0, Split::Val));
        let classes = ["cat", "dog"].map(str::to_owned).to_vec();
        Dataset::new(PathBuf::new(), classes, examples.collect()).unwrap()
    }

    #[test]
    fn several_modes_a_class_read_back_bit_for_bit() {
        let whitening = Whitening::fit(array![[1.0, 0.0], [0.6, 0.8], [-0.8, 0.6]].view()).unwrap();
        let data = dataset();
        let ids: Vec<ExampleId> = data.ids().collect();
        let fitted = Fitted {
            directions: vec![
                made_up(0, 0, vec![ids[1], ids[4]]),
                made_up(0, 1, vec![ids[2]]),
                made_up(1, 0, Vec::new()),
            ],
            skipped: Vec::new(),
        };
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), &whitening, Split::Train, &fitted, &data).unwrap();
        let saved = read(dir.path()).unwrap();
        assert_eq!(
            (&saved.whitening, &saved.classes[..]),
            (&whitening, data.classes())
        );
        for (saved, written) in saved.directions.iter().zip(&fitted.directions) {
            let expected = Direction {
                explains: Vec::new(),
                out_of_fold: Vec::new(),
                ..written.clone()
            };
            assert_eq!(saved, &expected);
        }
        assert_eq!(saved.of_class(0).count(), 2);
        let second = ModeId::new(0, 1);
        assert_eq!(saved.get(second).unwrap().threshold, 0.1);
        assert_eq!(saved.explains[&second], ["val/2.png"]);
        assert_eq!(
            saved.explains[&ModeId::new(0, 0)],
            ["val/1.png", "val/4.png"]
        );
    }

    #[test]
    fn what_a_test_came_to_reads_back() {
        let whitening = Whitening::fit(array![[1.0, 0.0], [0.6, 0.8], [-0.8, 0.6]].view()).unwrap();
        let made_up = |mode| made_up(0, mode, Vec::new());
        let few = Direction {
            too_few: true,
            p_value: None,
            q_value: None,
            ..made_up(0)
        };
        let floor = Direction {
            q_value: Some(0.2),
            at_floor: true,
            ..made_up(1)
        };
        let chance = Direction {
            q_value: Some(0.2),
            ..made_up(2)
        };
        let fitted = Fitted {
            directions: vec![few, floor, chance, made_up(3)],
            skipped: Vec::new(),
        };
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), &whitening, Split::Train, &fitted, &dataset()).unwrap();
        let saved = read(dir.path()).unwrap();
        let standing: Vec<Standing> = saved.directions.iter().map(Direction::standing).collect();
        let expected = [
            Standing::TooFewExamples,
            Standing::TooFewPermutations,
            Standing::Chance,
            Standing::Finding,
        ];
        assert_eq!(standing, expected);
        let at = |alignment| saved.directions[3].failure_probability(alignment).unwrap();
        assert!(at(-1.0) < at(1.0));
    }
}
