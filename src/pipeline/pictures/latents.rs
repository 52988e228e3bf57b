//! `--save-latents`: one file in the end, one a picture until then, so that a stopped command goes on.

use std::fs;
use std::path::{Path, PathBuf};

use ndarray::{Array3, ArrayView3};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use super::Order;
use crate::io;
use crate::pipeline::error::Error;

const FINAL: &str = "final";

/// Where latents go.
#[derive(Debug)]
pub struct Latents {
    file: PathBuf,
    /// Beside the file, with the last latents of every picture that is done.
    parts: PathBuf,
}

impl Latents {
    /// Refuses a place that could not be written, or that no reader would know.
    ///
    /// # Errors
    ///
    /// Of kind usage, naming the file.
    pub fn at(file: &Path) -> Result<Self, Error> {
        if file.extension().is_none_or(|e| e != "safetensors") || file.is_dir() {
            return Err(Error::usage(format!(
                "--save-latents {}: expected a file name that ends in .safetensors",
                file.display()
            )));
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
    fn part(&self, order: &Order) -> PathBuf {
        let stem = order.path.file_stem().unwrap_or_default();
        let stem = stem.to_string_lossy();
        let name = format!("{stem}-{}.safetensors", order.recipe.id());
        self.parts.join(name)
    }

    /// Whether those of a picture are kept.
    pub fn has(&self, order: &Order) -> bool {
        self.part(order).is_file()
    }

    /// Keeps the last latents of a picture, `[channels, h, w]`.
    ///
    /// # Errors
    ///
    /// Those of the disk.
    pub fn keep(&self, order: &Order, last: &Array3<f32>) -> Result<(), Error> {
        io::create_dir_all(&self.parts)?;
        write(&self.part(order), &[(FINAL, &[last.view()])])
    }

    /// Writes the file, `initial` and `final` with the pictures in order, `[n, channels, h, w]`, and removes
    /// what was kept for it.
    ///
    /// # Errors
    ///
    /// Of kind input where a part is damaged; those of the disk.
    pub fn join(&self, orders: &[Order], initial: &[Array3<f32>]) -> Result<(), Error> {
        let last: Vec<Array3<f32>> = orders
            .iter()
            .map(|order| read(&self.part(order)))
            .collect::<Result<_, _>>()?;
        let initial: Vec<ArrayView3<'_, f32>> = initial.iter().map(Array3::view).collect();
        let last: Vec<ArrayView3<'_, f32>> = last.iter().map(Array3::view).collect();
        stack(&self.file, &[("initial", &initial), (FINAL, &last)])?;
        // What stays behind is never taken for another's, so a failure does no harm.
        for order in orders {
            fs::remove_file(self.part(order)).ok();
        }
        fs::remove_dir(&self.parts).ok();
        Ok(())
    }
}

/// Named lists of arrays.
type Named<'a> = [(&'a str, &'a [ArrayView3<'a, f32>])];

/// Writes every list's only array, `[channels, h, w]`.
fn write(path: &Path, named: &Named<'_>) -> Result<(), Error> {
    tensors(path, named, false)
}

/// Writes every list as one tensor, `[n, channels, h, w]`.
fn stack(path: &Path, named: &Named<'_>) -> Result<(), Error> {
    tensors(path, named, true)
}

fn tensors(path: &Path, named: &Named<'_>, stacked: bool) -> Result<(), Error> {
    let mut blobs = Vec::new();
    for (name, arrays) in named {
        let mut shape = arrays
            .first()
            .map_or(vec![0; 3], |one| one.shape().to_vec());
        if stacked {
            shape.insert(0, arrays.len());
        }
        let numbers = arrays.iter().flat_map(|one| one.iter());
        let bytes: Vec<u8> = numbers.flat_map(|v| v.to_le_bytes()).collect();
        blobs.push((*name, shape, bytes));
    }
    let views = blobs.iter().map(|(name, shape, bytes)| {
        let view = TensorView::new(Dtype::F32, shape.clone(), bytes).map_err(Error::other)?;
        Ok((*name, view))
    });
    let views: Vec<_> = views.collect::<Result<_, Error>>()?;
    let content = safetensors::serialize(views, None).map_err(Error::other)?;
    Ok(io::write_atomic(path, &content)?)
}

/// The latents of a part.
fn read(path: &Path) -> Result<Array3<f32>, Error> {
    let content = io::read(path)?;
    let damaged = || Error::input(format!("{} holds no latents: delete it", path.display()));
    let tensors = SafeTensors::deserialize(&content).map_err(|_cut| damaged())?;
    let view = tensors.tensor(FINAL).map_err(|_absent| damaged())?;
    let (&[c, h, w], Dtype::F32) = (view.shape(), view.dtype()) else {
        return Err(damaged());
    };
    let numbers = view.data().chunks_exact(4).map(|four| {
        let mut bytes = [0; 4];
        bytes.copy_from_slice(four);
        f32::from_le_bytes(bytes)
    });
    Array3::from_shape_vec((c, h, w), numbers.collect()).map_err(|_shape| damaged())
}
