//! Latent consistency models: every call predicts the clean sample at once; noise for the next
//! timestep is then added to it.
//!
//! `x_s = √ᾱ_s·f + √(1 − ᾱ_s)·z`, `f = c_skip·x_t + c_out·x̂₀`, with `u` the scaled timestep,
//! `c_skip = ¼/(u² + ¼)` and `c_out = u/√(u² + ¼)`; the last call gives `f` itself.
//!
//! Timesteps are a share of those that the model was distilled on, whatever `timestep_spacing` says.
//!
//! Source: Luo et al. 2023, section 4 and algorithm 3 (<https://arxiv.org/abs/2310.04378>);
//! `src/diffusers/schedulers/scheduling_lcm.py` of Diffusers 0.42.

use tch::Tensor;

use super::alphas::{self, Alphas, f32};
use super::betas::{BetaDefaults, Betas};
use super::prediction::{Clip, Prediction};
use super::registry::{Entry, Method};
use super::timesteps::Spacing;
use super::{Reader, Scheduler, SchedulerError};

pub(super) static ENTRY: Entry = Entry::of::<Settings>("lcm", "LCMScheduler");

/// Standard deviation of the data that the boundary condition assumes.
const SIGMA_DATA: f64 = 0.5;

#[derive(Debug, Clone)]
struct Settings {
    betas: Betas,
    prediction: Prediction,
    clip: Clip,
    /// How many evenly spaced timesteps the model was distilled on.
    distilled: usize,
    /// Factor of the timestep in the boundary condition.
    scaling: f64,
}

impl Method for Settings {
    fn read(reader: &mut Reader<'_>) -> Result<Self, SchedulerError> {
        reader.refuse_flag("thresholding")?;
        let prediction = Prediction::read(reader)?;
        let betas = Betas::read(reader, BetaDefaults::SCALED_LINEAR)?;
        let train = betas.train;
        // Read by Diffusers, and looked at no further.
        reader.expect("timestep_spacing", &Spacing::WORDS.map(|(word, _)| word))?;
        Ok(Self {
            betas: betas.or_rescaled_for(prediction, reader)?,
            prediction,
            clip: Clip::read(reader, false)?,
            distilled: reader.count(
                "original_inference_steps",
                50.min(train),
                "a whole number from 1 to `num_train_timesteps`",
                1..=train,
            )?,
            scaling: reader.number("timestep_scaling", 10.0, "a positive number", |scaling| {
                scaling > 0.0 && scaling.is_finite()
            })?,
        })
    }

    fn start(&self, steps: usize) -> Result<Box<dyn Scheduler>, SchedulerError> {
        let distilled = self.distilled;
        if steps > distilled {
            return Err(SchedulerError::TooManyConsistencySteps { steps, distilled });
        }
        let ratio = self.betas.train / distilled;
        // Rounds as `numpy.linspace` does, so that the same ones are chosen.
        let stride = distilled as f64 / steps as f64;
        let timesteps = (0..steps)
            .map(|i| ((distilled - (i as f64 * stride) as usize) * ratio - 1) as f64)
            .collect();
        Ok(Box::new(Lcm {
            timesteps,
            alphas: Alphas::new(&self.betas),
            settings: self.clone(),
        }))
    }
}

struct Lcm {
    settings: Settings,
    timesteps: Vec<f64>,
    alphas: Alphas,
}

impl Scheduler for Lcm {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn timesteps(&self) -> &[f64] {
        &self.timesteps
    }

    fn step(
        &mut self,
        model_output: &Tensor,
        call: usize,
        sample: &Tensor,
        noise: &mut dyn FnMut(usize) -> Tensor,
    ) -> Tensor {
        let time = self.timesteps[call];
        let (output, sample) = (f32(model_output), f32(sample));
        let alpha = self.alphas.at(time);
        let Settings {
            prediction, clip, ..
        } = self.settings;
        let (clean, _) = prediction.clean_and_noise(&output, &sample, alpha);
        let scaled = time * self.settings.scaling;
        let norm = scaled.hypot(SIGMA_DATA);
        let denoised =
            clip.apply(clean) * (scaled / norm) + sample * (SIGMA_DATA.powi(2) / norm.powi(2));
        match self.timesteps.get(call + 1) {
            Some(next) => alphas::add_noise(&denoised, &noise(call), self.alphas.at(*next)),
            None => denoised,
        }
    }

    fn add_noise(&self, original: &Tensor, noise: &Tensor, call: usize) -> Tensor {
        alphas::add_noise(original, noise, self.alphas.at(self.timesteps[call]))
    }
}
