//! A CLIP folder (Transformers' `CLIPModel`) as image and text encoder.

use std::path::Path;

use image::RgbImage;
use ndarray::Array2;
use tch::{Device, Kind, Tensor};

use super::preprocess::Preprocess;
use super::{EmbedError, ImageEncoder, TextEncoder};
use crate::io;
use crate::nn::clip::config::ClipConfig;
use crate::nn::clip::model::Clip;
use crate::nn::clip::tokenizer::Tokenizer;
use crate::nn::params::Params;

/// Images and captions are embedded in batches of this shape; short ones are padded, so that a row
/// never depends on how many others there are.
const BATCH: usize = 32;

/// CLIP, ready to embed.
#[derive(Debug)]
pub struct ClipEncoder {
    model: Clip,
    preprocess: Preprocess,
    tokenizer: Tokenizer,
    side: i64,
    dim: usize,
    device: Device,
    kind: Kind,
    fingerprint: String,
}

impl ClipEncoder {
    /// Opens a folder with `config.json`, `model.safetensors`, `preprocessor_config.json` and the
    /// tokenizer's files.
    ///
    /// # Errors
    ///
    /// [`EmbedError`], naming the file.
    pub fn open(dir: &Path, device: Device, kind: Kind) -> Result<Self, EmbedError> {
        if !dir.is_dir() {
            return Err(EmbedError::Missing {
                dir: dir.to_path_buf(),
            });
        }
        let path = dir.join("config.json");
        let config: ClipConfig = serde_json::from_str(&io::read_to_string(&path)?)
            .map_err(|source| EmbedError::Config { path, source })?;
        let preprocess = Preprocess::from_dir(dir)?;
        let context = config.text_config.max_position_embeddings.max(2) as usize;
        let tokenizer = Tokenizer::from_dir(dir)?;
        let context = tokenizer.context().min(context);
        let tokenizer = tokenizer.with_context(context);
        let params = Params::open(&dir.join("model.safetensors"), kind, device)?;
        let model = Clip::new(&params.root(), &config);
        params.finish()?;
        let fingerprint = io::fingerprint(
            dir,
            &[
                "config.json",
                "model.safetensors",
                "preprocessor_config.json",
            ],
        )?;
        Ok(Self {
            model,
            preprocess,
            tokenizer,
            side: config.vision_config.image_size,
            dim: config.projection_dim as usize,
            device,
            kind,
            fingerprint,
        })
    }

    fn pixels(&self, images: &[RgbImage]) -> Result<Tensor, EmbedError> {
        let mut flat: Vec<f32> = Vec::new();
        let filler = images.last();
        for image in images.iter().chain(filler.into_iter().cycle()).take(BATCH) {
            flat.extend(self.preprocess.apply(image).iter());
        }
        let shape = [BATCH as i64, 3, self.side, self.side];
        Ok(Tensor::f_from_slice(&flat)?
            .f_view(shape)?
            .f_to_device(self.device)?
            .f_to_kind(self.kind)?)
    }
}

impl ImageEncoder for ClipEncoder {
    fn encode_images(&self, images: &[RgbImage]) -> Result<Array2<f32>, EmbedError> {
        let _guard = tch::no_grad_guard();
        let mut rows = Array2::zeros((images.len(), self.dim));
        for (chunk, start) in images.chunks(BATCH).zip((0..).step_by(BATCH)) {
            let out = self.model.embed_images(&self.pixels(chunk)?);
            copy_rows(&out, &mut rows, start, chunk.len())?;
        }
        Ok(rows)
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
        for (chunk, start) in captions.chunks(BATCH).zip((0..).step_by(BATCH)) {
            let filler = chunk.last();
            let ids: Vec<i64> = chunk
                .iter()
                .chain(filler.into_iter().cycle())
                .take(BATCH)
                .flat_map(|caption| self.tokenizer.encode(caption).ids)
                .map(i64::from)
                .collect();
            let ids = Tensor::f_from_slice(&ids)?
                .f_view([BATCH as i64, self.tokenizer.context() as i64])?
                .f_to_device(self.device)?;
            copy_rows(&self.model.embed_text(&ids), &mut rows, start, chunk.len())?;
        }
        Ok(rows)
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
