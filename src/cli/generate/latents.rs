//! `--save-latents`: one file in the end, one a picture until then, so that a stopped command goes on.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use tch::{Kind, Tensor};

use super::plan::Wanted;
use crate::io;
use crate::nn::params::{self, load_all};
use crate::pipeline::Error;

const FINAL: &str = "final";

/// Where latents go.
pub(super) struct Latents {
    file: PathBuf,
    /// Beside the file, with the last latents of every picture that is done.
    parts: PathBuf,
}

impl Latents {
    /// Refuses a place that could not be written, or that no reader would know.
    pub(super) fn at(file: &Path) -> Result<Self, Error> {
        if file.extension().is_none_or(|e| e != "safetensors") || file.is_dir() {
            let text = format!(
                "--save-latents {}: expected a file name that ends in .safetensors",
                file.display()
            );
            return Err(Error::usage(text));
        }
        if let Some(dir) = file.parent() {
            io::create_dir_all(dir)?;
        }
        Ok(Self {
            file: file.to_path_buf(),
            parts: file.with_extension("parts"),
        })
    }

    /// The name tells everything that the picture depends on: another command's is never taken.
    fn part(&self, one: &Wanted<'_>) -> PathBuf {
        let marks = io::sha256_hex(one.marks.hardlight.to_string().as_bytes());
        let stem = one.path.file_stem().unwrap_or_default().to_string_lossy();
        self.parts
            .join(format!("{stem}-{}.safetensors", &marks[..32]))
    }

    /// Whether those of a picture are kept.
    pub(super) fn has(&self, one: &Wanted<'_>) -> bool {
        self.part(one).is_file()
    }

    /// Keeps the last latents of a picture.
    pub(super) fn keep(&self, one: &Wanted<'_>, last: &Tensor) -> Result<(), Error> {
        io::create_dir_all(&self.parts)?;
        let named = BTreeMap::from([(FINAL.to_owned(), last.shallow_clone())]);
        Ok(params::save(&self.part(one), &named, Kind::Float)?)
    }

    /// Writes the file, with the pictures in order, and removes what was kept for it.
    pub(super) fn join(&self, wanted: &[Wanted<'_>], initial: &[Tensor]) -> Result<(), Error> {
        let mut last = Vec::new();
        for one in wanted {
            let part = self.part(one);
            let latents = load_all(&part)?.remove(FINAL);
            let none = || Error::input(format!("{} holds no latents", part.display()));
            last.push(latents.ok_or_else(none)?);
        }
        let named = BTreeMap::from([
            ("initial".to_owned(), Tensor::f_stack(initial, 0)?),
            (FINAL.to_owned(), Tensor::f_stack(&last, 0)?),
        ]);
        params::save(&self.file, &named, Kind::Float)?;
        // What stays behind is never taken for another's, so a failure does no harm.
        for one in wanted {
            fs::remove_file(self.part(one)).ok();
        }
        fs::remove_dir(&self.parts).ok();
        Ok(())
    }
}
