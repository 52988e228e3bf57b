//! A CLIP or `SigLIP` folder as image and text encoder.
//!
//! Folders of Transformers (`CLIPModel`, `SiglipModel`) and of `open_clip` are told apart by their
//! files; one that holds both is taken as Transformers'.

mod folder;

use std::path::Path;

use image::RgbImage;
use ndarray::{Array2, Array3};
use rayon::prelude::*;
use tch::{Device, Kind, Tensor};

use self::folder::{Folder, Network};
use super::preprocess::Preprocess;
use super::resize::Kernel;
use super::{EmbedError, ImageEncoder, TextEncoder};
use crate::io::image::decoded::DecodedImage;
use crate::nn::tokenizer::Tokenizer;

/// Images and captions are embedded in batches of this shape; short ones are padded, so that a row
/// never depends on how many others there are.
const BATCH: usize = 32;

/// CLIP or `SigLIP`, ready to embed.
#[derive(Debug)]
pub struct ClipEncoder {
    network: Network,
    preprocess: Preprocess,
    tokenizer: Tokenizer,
    side: i64,
    dim: usize,
    batch: usize,
    device: Device,
    kind: Kind,
    /// Of the files alone.
    files: String,
    fingerprint: String,
}

impl ClipEncoder {
    /// Opens a folder with the config and weights of Transformers (`config.json`,
    /// `model.safetensors`) or `open_clip` (`open_clip_config.json`,
    /// `open_clip_model.safetensors`), the preprocessing's config and the tokenizer's files.
    ///
    /// # Errors
    ///
    /// [`EmbedError`], naming the file; other networks are refused by their name or by the key that
    /// makes them so.
    pub fn open(dir: &Path, device: Device, kind: Kind) -> Result<Self, EmbedError> {
        if !dir.is_dir() {
            return Err(EmbedError::Missing {
                dir: dir.to_path_buf(),
            });
        }
        let folder = Folder::read(dir, kind)?;
        let sizes = folder.sizes();
        let tokenizer = Tokenizer::from_dir(dir)?;
        let (tokens, known) = (tokenizer.vocab_size(), sizes.vocabulary);
        if tokens as i64 > known {
            let path = folder.path;
            return Err(EmbedError::Vocabulary {
                path,
                tokens,
                known,
            });
        }
        let context = tokenizer.context().min(sizes.context.max(2) as usize);
        let preprocess = Preprocess::from_dir(dir)?;
        let (height, width) = preprocess.output_size();
        let (channels, side) = (sizes.channels, sizes.side);
        if [3, height as i64, width as i64] != [channels, side, side] {
            return Err(EmbedError::ImageSize {
                path: folder.path,
                height,
                width,
                channels,
                side,
            });
        }
        let files = folder.fingerprint(dir)?;
        Ok(Self {
            network: folder.network(device, kind)?,
            preprocess,
            tokenizer: tokenizer.with_context(context),
            side,
            dim: sizes.dim as usize,
            batch: BATCH,
            device,
            kind,
            fingerprint: files.clone(),
            files,
        })
    }

    /// The same encoder with another reference's resampling, which is part of its fingerprint.
    #[must_use]
    pub fn with_kernel(mut self, kernel: Kernel) -> Self {
        self.preprocess = self.preprocess.with_kernel(kernel);
        self.fingerprint = if kernel == Kernel::default() {
            self.files.clone()
        } else {
            format!("{} {}", self.files, kernel.name())
        };
        self
    }

    /// The same encoder with batches of another size (at least 1), filled or not: the larger, the
    /// faster and the more memory. Rows differ in the last bits.
    #[must_use]
    pub fn with_batch(mut self, batch: usize) -> Self {
        self.batch = batch.max(1);
        self
    }

    /// Images or captions at once.
    pub fn batch(&self) -> usize {
        self.batch
    }

    /// Embeds pictures as the model's library does with what Pillow's `Image.open` gives
    /// ([`Preprocess::apply_decoded`]); the result is that of [`ImageEncoder::encode_images`].
    ///
    /// # Errors
    ///
    /// [`EmbedError`].
    pub fn encode_decoded(&self, pictures: &[DecodedImage]) -> Result<Array2<f32>, EmbedError> {
        self.encode(pictures, Preprocess::apply_decoded)
    }

    fn encode<T: Sync>(
        &self,
        images: &[T],
        prepare: fn(&Preprocess, &T) -> Array3<f32>,
    ) -> Result<Array2<f32>, EmbedError> {
        let _guard = tch::no_grad_guard();
        let mut rows = Array2::zeros((images.len(), self.dim));
        for (chunk, start) in images.chunks(self.batch).zip((0..).step_by(self.batch)) {
            let out = self.network.embed_images(&self.pixels(chunk, prepare)?);
            copy_rows(&out, &mut rows, start, chunk.len())?;
        }
        Ok(rows)
    }

    fn pixels<T: Sync>(
        &self,
        images: &[T],
        prepare: fn(&Preprocess, &T) -> Array3<f32>,
    ) -> Result<Tensor, EmbedError> {
        let preprocess = &self.preprocess;
        let prepared: Vec<Vec<f32>> = images
            .par_iter()
            .map(|image| prepare(preprocess, image).into_iter().collect())
            .collect();
        let flat: Vec<f32> = filled(&prepared, self.batch).flatten().copied().collect();
        let shape = [self.batch as i64, 3, self.side, self.side];
        Ok(Tensor::f_from_slice(&flat)?
            .f_view(shape)?
            .f_to_device(self.device)?
            .f_to_kind(self.kind)?)
    }

    fn ids(&self, captions: &[String]) -> Result<Tensor, EmbedError> {
        let encoded: Vec<Vec<u32>> = captions
            .iter()
            .map(|caption| self.tokenizer.encode(caption).ids)
            .collect();
        let flat: Vec<i64> = filled(&encoded, self.batch)
            .flatten()
            .map(|&id| i64::from(id))
            .collect();
        Ok(Tensor::f_from_slice(&flat)?
            .f_view([self.batch as i64, self.tokenizer.context() as i64])?
            .f_to_device(self.device)?)
    }
}

/// The items, and the last of them again until there are `count`.
fn filled<T>(items: &[T], count: usize) -> impl Iterator<Item = &T> {
    let filler = items.last().into_iter().cycle();
    items.iter().chain(filler).take(count)
}

impl ImageEncoder for ClipEncoder {
    fn encode_images(&self, images: &[RgbImage]) -> Result<Array2<f32>, EmbedError> {
        self.encode(images, Preprocess::apply)
    }

    fn dim(&self) -> usize {
        self.dim
    }

    fn fingerprint(&self) -> &str {
        &self.fingerprint
    }
}

impl TextEncoder for ClipEncoder {
    fn encode_texts(&self, captions: &[String]) -> Result<Array2<f32>, EmbedError> {
        let _guard = tch::no_grad_guard();
        let mut rows = Array2::zeros((captions.len(), self.dim));
        for (chunk, start) in captions.chunks(self.batch).zip((0..).step_by(self.batch)) {
            let out = self.network.embed_text(&self.ids(chunk)?);
            copy_rows(&out, &mut rows, start, chunk.len())?;
        }
        Ok(rows)
    }

    fn truncates(&self, caption: &str) -> bool {
        self.tokenizer.encode(caption).truncated
    }
}

fn copy_rows(
    from: &Tensor,
    to: &mut Array2<f32>,
    start: usize,
    n: usize,
) -> Result<(), EmbedError> {
    let dim = to.ncols();
    let from = from
        .f_narrow(0, 0, n as i64)?
        .f_to_kind(Kind::Float)?
        .f_to_device(Device::Cpu)?;
    let mut flat = vec![0_f32; n * dim];
    from.f_contiguous()?.f_copy_data(&mut flat, n * dim)?;
    for (i, row) in flat.chunks(dim).enumerate() {
        to.row_mut(start + i)
            .iter_mut()
            .zip(row)
            .for_each(|(to, &from)| *to = from);
    }
    Ok(())
}
