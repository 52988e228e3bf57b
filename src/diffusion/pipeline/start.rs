//! An image as the start of sampling, in place of noise alone (`SDEdit`, Meng et al. 2022, section 3).
//!
//! ```text
//! image ─▶ encoder ─▶ mean + deviation · z₁ ─▶ · scaling ─▶ noised with z₂ to the level of a later call ─▶ the loop
//! ```
//!
//! As Diffusers' `StableDiffusionImg2ImgPipeline` and `StableDiffusionXLImg2ImgPipeline` do it (0.42.1,
//! `get_timesteps` and `prepare_latents`), the consistency models too: their own image-to-image pipeline chooses
//! other timesteps. Latents are drawn from what the encoder says of the image, as there; both noises are keyed by the
//! image's seed, z₁ at [`noise::POSTERIOR`] and z₂ at [`noise::START`].

use image::RgbImage;
use tch::{Kind, Tensor};

use super::{ImageRequest, Pipeline, PipelineError, Sampling};
use crate::diffusion::noise;

/// An image that sampling starts from.
#[derive(Debug, Clone, Copy)]
pub struct StartImage<'a> {
    /// Its pixels, of the size that is sampled ([`Pipeline::size`]).
    pub image: &'a RgbImage,
    /// The share of the steps that are made, above 0 and at most 1: how much of the image is replaced.
    pub strength: f64,
}

/// How many of the first steps are left out.
///
/// Python's `steps - min(int(steps * strength), steps)`.
fn skipped(steps: usize, strength: f64) -> usize {
    steps - ((steps as f64 * strength) as usize).min(steps)
}

impl Pipeline {
    /// The scheduler's call at which sampling begins that starts from an image; checks all that can be checked
    /// without the image.
    ///
    /// # Errors
    ///
    /// - [`PipelineError::Setting`] for a strength that is not above 0 and at most 1, or leaves no step.
    /// - [`PipelineError::NoStart`] for a model without an encoder, or one that is conditioned on image embeddings.
    /// - [`PipelineError::Scheduler`] for a scheduler that cannot begin late.
    pub fn check_start(&self, strength: f64, sampling: &Sampling) -> Result<usize, PipelineError> {
        let refuse = |expected: String| PipelineError::Setting {
            name: "strength",
            value: strength.to_string(),
            expected,
        };
        // Not a number is in no range.
        if !(strength > 0.0 && strength <= 1.0) {
            return Err(refuse("a number above 0 and at most 1".to_owned()));
        }
        let steps = sampling.steps;
        let skipped = skipped(steps, strength);
        if skipped == steps {
            let least = 1.0 / steps.max(1) as f64;
            return Err(refuse(format!(
                "at least {least:.3} with {steps} steps, or more steps: none of them would be made"
            )));
        }
        if self.image.is_some() {
            let why = "it is conditioned on image embeddings, and starts from noise alone";
            return Err(self.no_start(why));
        }
        if !self.vae.encodes() {
            let why = "its vae has no encoder, only a decoder: take the whole model";
            return Err(self.no_start(why));
        }
        Ok(self.scheduler(sampling)?.start()?.begin(skipped)?)
    }

    fn no_start(&self, why: &'static str) -> PipelineError {
        PipelineError::NoStart {
            class: self.class.clone(),
            why,
        }
    }

    /// The call at which a request begins; none where it starts from noise.
    pub(super) fn begin_of(
        &self,
        request: &ImageRequest<'_>,
        sampling: &Sampling,
    ) -> Result<Option<usize>, PipelineError> {
        let Some(StartImage { image, strength }) = request.start else {
            return Ok(None);
        };
        let (size, found) = (self.size(sampling)?, image.dimensions());
        if size != found {
            return Err(PipelineError::Setting {
                name: "the size of the starting image",
                value: format!("{} x {} px", found.0, found.1),
                expected: format!("{} x {} px, which is sampled", size.0, size.1),
            });
        }
        self.check_start(strength, sampling).map(Some)
    }

    /// `[n, channels, h, w]`, float32: the scaled latents of the images that requests start from.
    ///
    /// Images are encoded one by one, so that none depends on its neighbours; the same one in a row, once.
    pub(super) fn start_latents(
        &self,
        requests: &[ImageRequest<'_>],
    ) -> Result<Tensor, PipelineError> {
        let mut rows = Vec::with_capacity(requests.len());
        let mut last: Option<(&RgbImage, Tensor, Tensor)> = None;
        for request in requests {
            let Some(StartImage { image, .. }) = request.start else {
                continue;
            };
            let (mean, deviation) = match last.take() {
                Some((other, mean, deviation)) if std::ptr::eq(other, image) => (mean, deviation),
                _ => self.encoded(image)?,
            };
            let shape = mean.size();
            let numbers = shape.iter().product::<i64>() as usize;
            let noise = noise::normal(request.seed, noise::POSTERIOR, numbers);
            let noise = Tensor::f_from_slice(&noise)?.f_view(shape.as_slice())?;
            let drawn = &mean + &deviation * noise.f_to_device(self.device)?;
            rows.push(drawn * self.vae.config().scaling_factor);
            last = Some((image, mean, deviation));
        }
        Ok(Tensor::f_cat(&rows, 0)?)
    }

    /// Mean and standard deviation of an image's latents, `[1, channels, h, w]` each, float32.
    fn encoded(&self, image: &RgbImage) -> Result<(Tensor, Tensor), PipelineError> {
        let (width, height) = (i64::from(image.width()), i64::from(image.height()));
        let pixels = Tensor::f_from_slice(image.as_raw())?
            .f_view([1, height, width, 3])?
            .f_permute([0, 3, 1, 2])?
            .f_to_device(self.device)?
            .f_to_kind(Kind::Float)?;
        let pixels: Tensor = pixels / 255.0 * 2.0 - 1.0;
        let (mean, variance) = self
            .vae
            .encode(&pixels.f_contiguous()?.f_to_kind(self.vae_kind)?);
        let deviation = (variance.f_to_kind(Kind::Float)? * 0.5).f_exp()?;
        Ok((mean.f_to_kind(Kind::Float)?, deviation))
    }
}

#[cfg(test)]
mod tests {
    use super::skipped;

    #[test]
    fn steps_are_left_out_as_python_counts_them() {
        for (steps, strength, expected) in [
            (10, 0.3, 7),
            (10, 0.8, 2),
            (50, 0.3, 35),
            // 28.999999999999996 in floating point.
            (100, 0.29, 72),
            (4, 0.1, 4),
            (4, 1.0, 0),
            (1, 0.99, 1),
        ] {
            assert_eq!(skipped(steps, strength), expected, "{steps} at {strength}");
        }
    }
}
