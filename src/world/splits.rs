//! Data sets of portraits with exact group counts, and their files.
//!
//! Every face has a seed of its own, made from the seed of the world, the name of the split and the index of the
//! face: any one can be drawn without the others, and in parallel. Nothing a program can read off the
//! path of a picture tells its group.

use std::fs;
use std::io::Cursor;
use std::path::Path;

use image::ImageFormat;
use rand::SeedableRng as _;
use rand::seq::SliceRandom as _;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::WorldError;
use super::draw::draw;
use super::face::{Age, Face, Gender, WorldConfig, is_minority};
use super::preset::Population;
use crate::io;

/// How many faces each split has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SplitSizes {
    /// What the analysed classifier learns from; the only biased split.
    pub train: usize,
    /// Where its failures are looked for.
    pub val: usize,
    /// Where the result is measured.
    pub test: usize,
    /// More pictures nobody has labelled, to choose from.
    pub pool: usize,
}

impl SplitSizes {
    /// The splits with their names, in the order they are written.
    pub fn named(&self) -> [(&'static str, usize); 4] {
        [
            ("train", self.train),
            ("val", self.val),
            ("test", self.test),
            ("pool", self.pool),
        ]
    }
}

impl Default for SplitSizes {
    fn default() -> Self {
        Self {
            train: 2000,
            val: 1000,
            test: 1000,
            pool: 2000,
        }
    }
}

/// The random numbers of face `index` of `split`.
pub fn item_rng(seed: u64, split: &str, index: usize) -> ChaCha8Rng {
    named_rng(seed, split, "face", index)
}

/// The `n` faces of a split, in an order that tells nothing about them.
///
/// Half are young and half old; an odd `n` has one young face more. `rho` is the share of the majority (old
/// men, young women) in each label, as a count rounded to the nearest face and never a chance:
/// `Some(0.95)` of 1,000 faces makes 475 and 25 of each label. `None` is 0.5, no correlation. Values
/// outside 0 to 1 act as the nearer end.
pub fn describe(
    config: &WorldConfig,
    seed: u64,
    split: &str,
    n: usize,
    rho: Option<f64>,
) -> Vec<Face> {
    let population = Population {
        rho,
        ..Population::balanced(*config)
    };
    describe_population(&population, seed, split, n)
}

/// [`describe`] where the young and the old may differ in more than gender.
pub fn describe_population(population: &Population, seed: u64, split: &str, n: usize) -> Vec<Face> {
    let rho = population.rho.unwrap_or(0.5).clamp(0.0, 1.0);
    let old = n / 2;
    let mut cells = Vec::with_capacity(n);
    for (age, count) in [(Age::Young, n - old), (Age::Old, old)] {
        let majority = (count as f64 * rho).round() as usize;
        let (major, minor) = if is_minority(age, Gender::Woman) {
            (Gender::Man, Gender::Woman)
        } else {
            (Gender::Woman, Gender::Man)
        };
        cells.extend(std::iter::repeat_n((age, major), majority));
        cells.extend(std::iter::repeat_n((age, minor), count - majority));
    }
    cells.shuffle(&mut named_rng(seed, split, "order", n));
    cells
        .into_iter()
        .enumerate()
        .map(|(index, (age, gender))| {
            let mut rng = item_rng(seed, split, index);
            Face::sample(&mut rng, age, gender, population.of(age))
        })
        .collect()
}

/// Writes a data set: `DIR/{train,val,test,pool}/{old,young}/NNNNN.png` and `DIR/table.csv` with the columns
/// `path,label,split,group`.
///
/// `rho` holds for `train`; the other splits are balanced. The number of a picture is its place in the
/// shuffled split. Writing again is safe after an interruption and makes the same bytes; pictures
/// already there are left alone, and the table comes last.
///
/// # Errors
///
/// [`WorldError::Probability`] and [`WorldError::Correlation`] before anything is written;
/// [`WorldError::Leftover`] if the folder holds pictures of another data set; otherwise what the disk says.
pub fn write_dataset(
    dir: &Path,
    config: &WorldConfig,
    sizes: &SplitSizes,
    rho: Option<f64>,
    seed: u64,
) -> Result<(), WorldError> {
    check(config, rho)?;
    let mut pictures = Vec::new();
    for (split, n) in sizes.named() {
        let rho = rho.filter(|_| split == "train");
        for (index, face) in describe(config, seed, split, n, rho)
            .into_iter()
            .enumerate()
        {
            let path = format!("{split}/{}/{index:05}.png", face.age.as_str());
            pictures.push(Portrait { path, split, face });
        }
    }
    // Sorted by path, which is not the order of the splits: the table reads like a listing.
    pictures.sort_by(|a, b| a.path.cmp(&b.path));
    refuse_leftovers(dir, &pictures)?;
    for (split, n) in sizes.named() {
        for age in Age::ALL.iter().filter(|_| n > 0) {
            io::create_dir_all(&dir.join(split).join(age.as_str()))?;
        }
    }
    pictures
        .par_iter()
        .try_for_each(|picture| write_picture(dir, picture))?;
    io::write_atomic(&dir.join("table.csv"), &table(dir, &pictures)?)?;
    Ok(())
}

/// A portrait and where it goes.
struct Portrait {
    /// Relative to the data set, with `/`.
    path: String,
    split: &'static str,
    face: Face,
}

fn check(config: &WorldConfig, rho: Option<f64>) -> Result<(), WorldError> {
    for (key, value) in config.probabilities() {
        if !(0.0..=1.0).contains(&value) {
            return Err(WorldError::Probability { key, value });
        }
    }
    match rho {
        Some(value) if !(0.0..=1.0).contains(&value) => Err(WorldError::Correlation { value }),
        _ => Ok(()),
    }
}

fn refuse_leftovers(dir: &Path, pictures: &[Portrait]) -> Result<(), WorldError> {
    for (split, _) in SplitSizes::default().named() {
        for age in Age::ALL {
            let folder = dir.join(split).join(age.as_str());
            if !folder.is_dir() {
                continue;
            }
            let error = |source| WorldError::List {
                path: folder.clone(),
                source,
            };
            let mut names = Vec::new();
            for entry in fs::read_dir(&folder).map_err(error)? {
                names.push(entry.map_err(error)?.file_name());
            }
            names.sort();
            for name in names {
                let name = name.to_string_lossy();
                // What an interrupted atomic write leaves behind begins with a dot; readers skip it.
                let known = |path: &str| pictures.binary_search_by(|p| p.path.as_str().cmp(path));
                if !name.starts_with('.')
                    && known(&format!("{split}/{}/{name}", age.as_str())).is_err()
                {
                    return Err(WorldError::Leftover {
                        path: folder.join(&*name),
                    });
                }
            }
        }
    }
    Ok(())
}

fn write_picture(dir: &Path, picture: &Portrait) -> Result<(), WorldError> {
    let path = dir.join(&picture.path);
    let mut png = Cursor::new(Vec::new());
    draw(&picture.face)
        .write_to(&mut png, ImageFormat::Png)
        .map_err(|source| WorldError::Encode {
            path: path.clone(),
            source,
        })?;
    let png = png.into_inner();
    // A file that cannot be read is written again; writing says what is wrong with it.
    if fs::read(&path).is_ok_and(|there| there == png) {
        return Ok(());
    }
    io::write_atomic(&path, &png)?;
    Ok(())
}

fn table(dir: &Path, pictures: &[Portrait]) -> Result<Vec<u8>, WorldError> {
    let error = |source| WorldError::Table {
        path: dir.join("table.csv"),
        source,
    };
    let mut table = csv::Writer::from_writer(Vec::new());
    table
        .write_record(["path", "label", "split", "group"])
        .map_err(error)?;
    for Portrait { path, split, face } in pictures {
        table
            .write_record([path, face.age.as_str(), split, face.gender.as_str()])
            .map_err(error)?;
    }
    table
        .into_inner()
        .map_err(|failed| error(failed.into_error().into()))
}

/// Random numbers for one purpose. The parts are told apart by their lengths, so that no two purposes share a stream.
fn named_rng(seed: u64, split: &str, purpose: &str, index: usize) -> ChaCha8Rng {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&seed.to_le_bytes());
    for part in [split, purpose] {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    hasher.update(&(index as u64).to_le_bytes());
    ChaCha8Rng::from_seed(*hasher.finalize().as_bytes())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    const SMALL: SplitSizes = SplitSizes {
        train: 40,
        val: 8,
        test: 8,
        pool: 0,
    };

    fn counts(faces: &[Face]) -> [usize; 4] {
        let count = |age, gender| {
            faces
                .iter()
                .filter(|f| (f.age, f.gender) == (age, gender))
                .count()
        };
        [
            count(Age::Young, Gender::Man),
            count(Age::Young, Gender::Woman),
            count(Age::Old, Gender::Man),
            count(Age::Old, Gender::Woman),
        ]
    }

    /// Every file under `dir` by its relative path.
    fn files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
        let mut found = BTreeMap::new();
        let mut open = vec![dir.to_owned()];
        while let Some(folder) = open.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    open.push(path);
                } else {
                    let name = path.strip_prefix(dir).unwrap().to_str().unwrap().to_owned();
                    found.insert(name, fs::read(&path).unwrap());
                }
            }
        }
        found
    }

    #[test]
    fn counts_are_exact() {
        let config = WorldConfig::default();
        let of = |n, rho| counts(&describe(&config, 0, "train", n, rho));
        assert_eq!(of(1000, Some(0.95)), [25, 475, 475, 25]);
        assert_eq!(of(1000, None), [250; 4]);
        assert_eq!(of(100, Some(1.0)), [0, 50, 50, 0]);
        assert_eq!(of(5, Some(0.5)), [1, 2, 1, 1]);
        assert_eq!(of(0, None), [0; 4]);
    }

    #[test]
    fn a_face_can_be_drawn_alone() {
        let config = WorldConfig::default();
        let faces = describe(&config, 9, "val", 20, None);
        let Face { age, gender, .. } = faces[13];
        let alone = Face::sample(&mut item_rng(9, "val", 13), age, gender, &config);
        assert_eq!(alone, faces[13]);
    }

    #[test]
    fn seeds_and_splits_differ() {
        let config = WorldConfig::default();
        let faces = describe(&config, 0, "val", 30, None);
        assert_eq!(faces, describe(&config, 0, "val", 30, None));
        assert_ne!(faces, describe(&config, 1, "val", 30, None));
        assert_ne!(faces, describe(&config, 0, "test", 30, None));
    }

    #[test]
    fn the_order_tells_nothing() {
        let faces = describe(&WorldConfig::default(), 0, "train", 1000, Some(0.9));
        for part in faces.chunks(250) {
            let old = part.iter().filter(|f| f.age == Age::Old).count();
            let minority = part.iter().filter(|f| f.is_minority()).count();
            assert!((95..=155).contains(&old), "{old}");
            assert!((10..=42).contains(&minority), "{minority}");
        }
    }

    #[test]
    fn a_dataset_is_written_once_and_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let write = |seed| {
            let config = WorldConfig::default();
            write_dataset(dir.path(), &config, &SMALL, Some(0.9), seed)
        };
        write(5).unwrap();
        let first = files(dir.path());
        assert_eq!(first.len(), 40 + 8 + 8 + 1);
        fs::write(dir.path().join("val/old").join(".tmp-x"), b"half").unwrap();
        let victim = first
            .keys()
            .find(|name| name.starts_with("train/"))
            .unwrap();
        fs::write(dir.path().join(victim), b"half").unwrap();
        fs::remove_file(dir.path().join("table.csv")).unwrap();
        write(5).unwrap();
        fs::remove_file(dir.path().join("val/old").join(".tmp-x")).unwrap();
        assert_eq!(files(dir.path()), first);
        assert!(matches!(write(6), Err(WorldError::Leftover { .. })));
        assert_eq!(files(dir.path()), first);
    }

    #[test]
    fn paths_tell_label_and_split_but_not_the_group() {
        let dir = tempfile::tempdir().unwrap();
        let config = WorldConfig::default();
        write_dataset(dir.path(), &config, &SMALL, Some(0.9), 5).unwrap();
        let table = fs::read_to_string(dir.path().join("table.csv")).unwrap();
        let mut lines = table.lines();
        assert_eq!(lines.next(), Some("path,label,split,group"));
        let mut groups = BTreeMap::new();
        for line in lines {
            let [path, label, split, group] =
                line.split(',').collect::<Vec<_>>().try_into().unwrap();
            let name = path
                .strip_prefix(&format!("{split}/{label}/"))
                .and_then(|name| name.strip_suffix(".png"))
                .unwrap();
            assert!(name.len() == 5 && name.bytes().all(|b| b.is_ascii_digit()));
            assert!(dir.path().join(path).is_file());
            *groups.entry((split, label, group)).or_insert(0) += 1;
        }
        assert_eq!(groups[&("train", "old", "man")], 18);
        assert_eq!(groups[&("train", "old", "woman")], 2);
        assert_eq!(groups[&("val", "young", "man")], 2);
    }

    #[test]
    fn what_is_no_share_is_refused_before_writing() {
        let dir = tempfile::tempdir().unwrap();
        let config = WorldConfig {
            p_grey: 1.5,
            ..WorldConfig::default()
        };
        let error = write_dataset(dir.path(), &config, &SMALL, None, 0).unwrap_err();
        assert_eq!(
            error.to_string(),
            "world: `p_grey` is 1.5, expected a number from 0 to 1"
        );
        let error = write_dataset(
            dir.path(),
            &WorldConfig::default(),
            &SMALL,
            Some(f64::NAN),
            0,
        );
        assert!(matches!(error, Err(WorldError::Correlation { .. })));
        assert!(files(dir.path()).is_empty());
    }
}
