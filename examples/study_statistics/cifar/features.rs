//! Photographs as numbers: histograms of gradients for the classifier, colours for a space that it does not see.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use image::RgbImage;
use image::imageops::FilterType;
use ndarray::Array2;
use rayon::prelude::*;

const SIDE: u32 = 32;
/// Pixels of a cell's side.
const CELL: u32 = 8;
/// Orientations of a gradient.
const BINS: usize = 9;

const CELLS: usize = ((SIDE / CELL) * (SIDE / CELL)) as usize;

/// A split of an `ImageFolder`.
pub(super) struct Photographs {
    /// Names of the folders, in order.
    pub(super) classes: Vec<String>,
    /// The class of each, `[n]`.
    pub(super) labels: Vec<usize>,
    /// `[n, cells × bins]`.
    pub(super) gradients: Array2<f64>,
    /// Mean and deviation of red, green and blue in every cell, `[n, cells × 6]`.
    pub(super) colours: Array2<f64>,
}

impl Photographs {
    /// Reads every file of every folder, in order of names.
    pub(super) fn read(folder: &Path) -> anyhow::Result<Self> {
        let (mut classes, mut files) = (Vec::new(), Vec::new());
        for class in entries(folder)? {
            let name = class.file_name().unwrap_or_default().to_string_lossy();
            let own = entries(&class)?;
            files.extend(own.into_iter().map(|file| (classes.len(), file)));
            classes.push(name.into_owned());
        }
        ensure!(
            !files.is_empty(),
            "{} holds no photographs",
            folder.display()
        );
        let numbers: Vec<(Vec<f64>, Vec<f64>)> = files
            .par_iter()
            .map(|(_, file)| {
                let image = image::open(file)
                    .with_context(|| format!("could not read {}", file.display()))?
                    .resize_exact(SIDE, SIDE, FilterType::Triangle)
                    .into_rgb8();
                Ok((gradients(&image), colours(&image)))
            })
            .collect::<anyhow::Result<_>>()?;
        let (gradients, colours): (Vec<_>, Vec<_>) = numbers.into_iter().unzip();
        Ok(Self {
            classes,
            labels: files.iter().map(|(class, _)| *class).collect(),
            gradients: matrix(&gradients)?,
            colours: matrix(&colours)?,
        })
    }
}

fn entries(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let context = || format!("could not list {}", folder.display());
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).with_context(context)? {
        paths.push(entry.with_context(context)?.path());
    }
    paths.sort();
    Ok(paths)
}

fn matrix(rows: &[Vec<f64>]) -> anyhow::Result<Array2<f64>> {
    let width = rows.first().map_or(0, Vec::len);
    Ok(Array2::from_shape_vec((rows.len(), width), rows.concat())?)
}

fn cell(x: u32, y: u32) -> usize {
    ((y / CELL) * (SIDE / CELL) + x / CELL) as usize
}

/// In every cell the strength of gradients by orientation, of the channel that changes most; then a vector of
/// length 1, of square roots (Dalal and Triggs 2005, in short).
fn gradients(image: &RgbImage) -> Vec<f64> {
    let mut cells = vec![0.0; CELLS * BINS];
    let at = |x: u32, y: u32, channel: usize| f64::from(image.get_pixel(x, y)[channel]) / 255.0;
    for y in 1..SIDE - 1 {
        for x in 1..SIDE - 1 {
            let slopes = (0..3).map(|channel| {
                let across = at(x + 1, y, channel) - at(x - 1, y, channel);
                let down = at(x, y + 1, channel) - at(x, y - 1, channel);
                (across.hypot(down), down.atan2(across))
            });
            let steepest = slopes.max_by(|a, b| a.0.total_cmp(&b.0));
            let (strength, angle) = steepest.unwrap_or_default();
            let turn = angle.rem_euclid(std::f64::consts::PI) / std::f64::consts::PI;
            let bin = ((turn * BINS as f64) as usize).min(BINS - 1);
            cells[cell(x, y) * BINS + bin] += strength;
        }
    }
    let sum: f64 = cells.iter().sum::<f64>().max(1e-9);
    cells.iter().map(|v| (v / sum).sqrt()).collect()
}

fn colours(image: &RgbImage) -> Vec<f64> {
    let mut sums = vec![[0.0; 2]; CELLS * 3];
    for (x, y, pixel) in image.enumerate_pixels() {
        for (channel, &value) in pixel.0.iter().enumerate() {
            let value = f64::from(value) / 255.0;
            let sum = &mut sums[cell(x, y) * 3 + channel];
            sum[0] += value;
            sum[1] += value * value;
        }
    }
    let count = f64::from(CELL * CELL);
    let both = sums.iter().map(|[sum, squares]| {
        let mean = sum / count;
        [mean, (squares / count - mean * mean).max(0.0).sqrt()]
    });
    both.flatten().collect()
}
