//! Data sets of portraits as files.
//!
//! Nothing that a program can read off the path of a picture tells its group.

use std::collections::BTreeSet;
use std::fs;
use std::io::Cursor;
use std::path::Path;

use image::{DynamicImage, ImageFormat};
use rayon::prelude::*;

use super::WorldError;
use super::draw::{draw, mask};
use super::face::{Age, Face, WorldConfig};
use super::preset::Preset;
use super::splits::{SplitSizes, describe, describe_population};
use crate::io;

/// Writes a data set: `DIR/{train,val,test,pool}/{old,young}/NNNNN.png` and `DIR/table.csv` with the columns
/// `path,label,split,group`.
///
/// `rho` holds for `train`; the other splits are balanced. The number of a picture is its place in the
/// shuffled split. Writing again is safe after an interruption and makes the same bytes; pictures
/// already there are left alone, and the table comes last. Gives the portraits in the order of their paths.
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
) -> Result<Vec<Portrait>, WorldError> {
    check(config, rho)?;
    let splits = sizes.named().map(|(split, n)| {
        let rho = rho.filter(|_| split == "train");
        (split, describe(config, seed, split, n, rho))
    });
    write(dir, &splits, |face| face.gender.as_str().to_owned())
}

/// [`write_dataset`] of a preset: train as it has it, the other splits balanced, and as `group` what the
/// preset's classifier may fail on ([`Preset::group`]).
///
/// # Errors
///
/// As [`write_dataset`].
pub fn write_preset(
    dir: &Path,
    preset: Preset,
    sizes: &SplitSizes,
    seed: u64,
) -> Result<Vec<Portrait>, WorldError> {
    let splits = sizes.named().map(|(split, n)| {
        let population = if split == "train" {
            preset.train()
        } else {
            preset.balanced()
        };
        (split, describe_population(&population, seed, split, n))
    });
    write(dir, &splits, |face| preset.group(face))
}

/// Writes the mask of every portrait to its path below another folder: 255 where the person is.
///
/// # Errors
///
/// What the disk says.
pub fn write_masks(dir: &Path, portraits: &[Portrait]) -> Result<(), WorldError> {
    let folders: BTreeSet<_> = portraits.iter().map(|p| dir.join(&p.path)).collect();
    for folder in folders.iter().filter_map(|path| path.parent()) {
        io::create_dir_all(folder)?;
    }
    portraits.par_iter().try_for_each(|portrait| {
        let image = DynamicImage::from(mask(&portrait.face));
        write_image(&dir.join(&portrait.path), &image)
    })
}

fn write(
    dir: &Path,
    splits: &[(&'static str, Vec<Face>); 4],
    group: impl Fn(&Face) -> String,
) -> Result<Vec<Portrait>, WorldError> {
    let mut portraits = Vec::new();
    for (split, faces) in splits {
        for (index, face) in faces.iter().enumerate() {
            portraits.push(Portrait {
                path: format!("{split}/{}/{index:05}.png", face.age.as_str()),
                split,
                face: *face,
            });
        }
    }
    // Sorted by path, which is not the order of the splits: the table reads like a listing.
    portraits.sort_by(|a, b| a.path.cmp(&b.path));
    refuse_leftovers(dir, &portraits)?;
    for (split, _) in splits.iter().filter(|(_, faces)| !faces.is_empty()) {
        for age in Age::ALL {
            io::create_dir_all(&dir.join(split).join(age.as_str()))?;
        }
    }
    portraits.par_iter().try_for_each(|portrait| {
        let image = DynamicImage::from(draw(&portrait.face));
        write_image(&dir.join(&portrait.path), &image)
    })?;
    io::write_atomic(&dir.join("table.csv"), &table(dir, &portraits, group)?)?;
    Ok(portraits)
}

/// A portrait and where it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Portrait {
    /// Relative to the data set, with `/`.
    pub path: String,
    /// The split it belongs to.
    pub split: &'static str,
    /// What it shows.
    pub face: Face,
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

fn refuse_leftovers(dir: &Path, portraits: &[Portrait]) -> Result<(), WorldError> {
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
                let known = |path: &str| portraits.binary_search_by(|p| p.path.as_str().cmp(path));
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

fn write_image(path: &Path, image: &DynamicImage) -> Result<(), WorldError> {
    let mut png = Cursor::new(Vec::new());
    image
        .write_to(&mut png, ImageFormat::Png)
        .map_err(|source| WorldError::Encode {
            path: path.to_owned(),
            source,
        })?;
    let png = png.into_inner();
    // A file that cannot be read is written again; writing says what is wrong with it.
    if fs::read(path).is_ok_and(|there| there == png) {
        return Ok(());
    }
    Ok(io::write_atomic(path, &png)?)
}

fn table(
    dir: &Path,
    portraits: &[Portrait],
    group: impl Fn(&Face) -> String,
) -> Result<Vec<u8>, WorldError> {
    let error = |source| WorldError::Table {
        path: dir.join("table.csv"),
        source,
    };
    let mut table = csv::Writer::from_writer(Vec::new());
    table
        .write_record(["path", "label", "split", "group"])
        .map_err(error)?;
    for Portrait { path, split, face } in portraits {
        table
            .write_record([path, face.age.as_str(), split, &group(face)])
            .map_err(error)?;
    }
    table
        .into_inner()
        .map_err(|failed| error(failed.into_error().into()))
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

    #[test]
    fn a_preset_comes_with_groups_and_masks() {
        let dir = tempfile::tempdir().unwrap();
        let (data, masks) = (dir.path().join("data"), dir.path().join("masks"));
        let portraits = write_preset(&data, Preset::Two, &SMALL, 5).unwrap();
        write_masks(&masks, &portraits).unwrap();
        let mut names: Vec<String> = files(&data).into_keys().collect();
        names.retain(|name| name != "table.csv");
        assert!(files(&masks).into_keys().eq(names));
        let table = fs::read_to_string(data.join("table.csv")).unwrap();
        for portrait in &portraits {
            let group = Preset::Two.group(&portrait.face);
            let row = table.lines().find(|line| line.contains(&portrait.path));
            assert!(
                row.unwrap().ends_with(&format!(",{group}")),
                "{row:?} {group}"
            );
        }
        for portrait in portraits.iter().filter(|p| p.split == "train") {
            let old = portrait.face.age == Age::Old;
            assert!(!(old && portrait.face.hat.is_some() || !old && portrait.face.glasses));
        }
    }
}
