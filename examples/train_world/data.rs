//! Faces drawn once and held as bytes; batches keyed by step, so that a resumed run sees the same.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::PathBuf;
use std::time::Instant;

use hardlight::world::draw::draw;
use hardlight::world::face::{Age, Face, Gender, WorldConfig};
use image::RgbImage;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use tch::{Device, Kind, Tensor};

use crate::Job;

/// Uncorrelated faces and their pictures.
pub(crate) struct Faces {
    pub faces: Vec<Face>,
    pixels: Tensor,
}

impl Faces {
    /// `n` faces of a split of the world that `seed` makes, as many of each age and gender.
    pub(crate) fn draw(config: &WorldConfig, seed: u64, split: &str, n: usize) -> Self {
        let faces: Vec<Face> = (0..n)
            .map(|i| {
                let key = blake3::hash(format!("{seed} {split} {i}").as_bytes());
                let mut rng = ChaCha8Rng::from_seed(*key.as_bytes());
                let age = [Age::Young, Age::Old][i % 2];
                let gender = [Gender::Man, Gender::Woman][i / 2 % 2];
                Face::sample(&mut rng, age, gender, config)
            })
            .collect();
        let images: Vec<Vec<u8>> = faces.par_iter().map(|face| draw(face).into_raw()).collect();
        let bytes = images.concat();
        // Channels stay innermost in memory: convolutions on a CPU take half the time then.
        let pixels = Tensor::from_data_size(&bytes, &[n as i64, 64, 64, 3], Kind::Uint8);
        Self { faces, pixels }
    }

    /// The pictures at these positions, `[n, 3, 64, 64]` in −1…1.
    pub(crate) fn pixels(&self, indices: &[i64], device: Device) -> Tensor {
        let picked = self.pixels.index_select(0, &Tensor::from_slice(indices));
        picked
            .permute([0, 3, 1, 2])
            .to_device(device)
            .to_kind(Kind::Float)
            / 127.5
            - 1.0
    }
}

/// The random numbers of one step of one part.
pub(crate) fn step_rng(seed: u64, step: usize) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(step as u64);
    // Noise inside libtorch follows the same key.
    tch::manual_seed(
        (seed as i64)
            .wrapping_mul(1_000_003)
            .wrapping_add(step as i64),
    );
    rng
}

/// `n` positions drawn with replacement.
pub(crate) fn pick(rng: &mut ChaCha8Rng, n: usize, of: usize) -> Vec<i64> {
    (0..n).map(|_| rng.gen_range(0..of as i64)).collect()
}

/// Rows of pictures `[n, 3, 64, 64]` in −1…1 as one image.
pub(crate) fn sheet(rows: &[Tensor]) -> RgbImage {
    let columns = rows.iter().map(|row| row.size()[0]).max().unwrap_or(1) as u32;
    let mut page = RgbImage::new(columns * 64, rows.len() as u32 * 64);
    for (r, row) in rows.iter().enumerate() {
        for (c, image) in images(row).iter().enumerate() {
            image::imageops::replace(&mut page, image, c as i64 * 64, r as i64 * 64);
        }
    }
    page
}

/// Pictures from `[n, 3, h, w]` in −1…1, rounded to the nearest byte.
pub(crate) fn images(pixels: &Tensor) -> Vec<RgbImage> {
    let size = pixels.size();
    let (n, h, w) = (size[0] as usize, size[2] as usize, size[3] as usize);
    let bytes = ((pixels.to_device(Device::Cpu).to_kind(Kind::Float) + 1.0) * 127.5)
        .clamp(0.0, 255.0)
        .round()
        .to_kind(Kind::Uint8)
        .permute([0, 2, 3, 1])
        .contiguous();
    let mut raw = vec![0_u8; n * h * w * 3];
    bytes.copy_data_u8(&mut raw, n * h * w * 3);
    raw.chunks(h * w * 3)
        .filter_map(|chunk| RgbImage::from_raw(w as u32, h as u32, chunk.to_vec()))
        .collect()
}

/// The same values with the channels innermost in memory.
pub(crate) fn channels_last(xs: &Tensor) -> Tensor {
    xs.permute([0, 2, 3, 1]).contiguous().permute([0, 3, 1, 2])
}

/// Prints a line of progress now and then, and keeps the losses for the model card.
pub(crate) struct Log {
    name: &'static str,
    losses: PathBuf,
    started: Instant,
    first: usize,
    steps: usize,
    sum: f64,
    count: usize,
}

impl Log {
    pub(crate) fn new(job: &Job, name: &'static str, first: usize, steps: usize) -> Self {
        Self {
            name,
            losses: job.work.join(format!("{name}.losses")),
            started: Instant::now(),
            first,
            steps,
            sum: 0.0,
            count: 0,
        }
    }

    pub(crate) fn step(&mut self, step: usize, loss: f64) {
        self.sum += loss;
        self.count += 1;
        if (step + 1).is_multiple_of(50) || step + 1 == self.steps {
            let each = self.started.elapsed().as_secs_f64() / (step + 1 - self.first) as f64;
            let left = each * (self.steps - step - 1) as f64 / 60.0;
            let loss = self.sum / self.count as f64;
            println!(
                "{}: step {} of {}, loss {loss:.5}, {each:.3} s a step, {left:.0} min left",
                self.name,
                step + 1,
                self.steps,
            );
            // What cannot be noted is missing in the card, and no reason to stop hours of training.
            let line = format!("{} {loss:.5}\n", step + 1);
            let file = OpenOptions::new()
                .create(true)
                .append(true)
                .open(&self.losses);
            let _ = file.and_then(|mut file| file.write_all(line.as_bytes()));
            (self.sum, self.count) = (0.0, 0);
        }
    }
}
