//! Pseudo numerical methods for diffusion models.
//!
//! Linear multistep over the last four predictions. The first step is taken twice, the second time
//! with the mean of two predictions (`skip_prk_steps`), or else the first three are made by
//! fourth-order Runge-Kutta with four model calls each.
//!
//! Source: Liu et al. 2022, equations 9, 12 and 13 (<https://arxiv.org/abs/2202.09778>).

use tch::Tensor;

use super::alphas::{self, Alphas, f32, root};
use super::betas::{BetaDefaults, Betas};
use super::prediction::Prediction;
use super::registry::{Entry, Method};
use super::timesteps::{Spacing, Timesteps};
use super::{Reader, Scheduler, SchedulerError};

pub(super) static ENTRY: Entry = Entry::of::<Settings>("pndm", "PNDMScheduler");

/// Steps whose timesteps Runge-Kutta start-up looks at.
const START_UP: usize = 4;

#[derive(Debug, Clone)]
struct Settings {
    betas: Betas,
    times: Timesteps,
    prediction: Prediction,
    /// After the last step `ᾱ` is 1, not that of timestep 0.
    alpha_to_one: bool,
    skip_runge_kutta: bool,
}

impl Method for Settings {
    fn read(reader: &mut Reader<'_>) -> Result<Self, SchedulerError> {
        Ok(Self {
            betas: Betas::read(reader, BetaDefaults::DDPM)?,
            times: Timesteps::read(reader, Spacing::Leading)?,
            prediction: Prediction::read_without_sample(reader)?,
            alpha_to_one: reader.flag("set_alpha_to_one", false)?,
            skip_runge_kutta: reader.flag("skip_prk_steps", false)?,
        })
    }

    fn start(&self, steps: usize) -> Result<Box<dyn Scheduler>, SchedulerError> {
        Ok(Box::new(Pndm::new(self, steps)?))
    }
}

struct Pndm {
    timesteps: Vec<f64>,
    /// How many of the calls belong to Runge-Kutta start-up.
    start_up_calls: usize,
    alphas: Alphas,
    final_alpha: f64,
    stride: f64,
    half_stride: f64,
    prediction: Prediction,
    /// Calls made so far.
    counter: usize,
    /// The last four predictions, oldest first.
    outputs: Vec<Tensor>,
    /// Sum of Runge-Kutta's weighted predictions within one step.
    weighted: Option<Tensor>,
    /// The sample at the beginning of a step made of several calls.
    start: Option<Tensor>,
}

impl Pndm {
    fn new(settings: &Settings, steps: usize) -> Result<Self, SchedulerError> {
        let alphas = Alphas::new(&settings.betas);
        let stride = settings.times.stride(steps);
        let half_stride = (stride / 2) as f64;
        let times = settings.times.whole(steps)?;
        let (start_up, multistep) = if settings.skip_runge_kutta {
            (Vec::new(), with_second_repeated(&times))
        } else if times.len() < START_UP {
            return Err(SchedulerError::FewRungeKuttaSteps { steps });
        } else {
            let start_up = runge_kutta_times(&times, half_stride);
            (start_up, times[START_UP - 1..].to_vec())
        };
        Ok(Self {
            start_up_calls: start_up.len(),
            timesteps: [start_up, multistep].concat(),
            final_alpha: alphas.after_last(settings.alpha_to_one),
            alphas,
            stride: stride as f64,
            half_stride,
            prediction: settings.prediction,
            counter: 0,
            outputs: Vec::new(),
            weighted: None,
            start: None,
        })
    }

    /// One of the four calls of a Runge-Kutta step.
    fn runge_kutta(&mut self, output: &Tensor, call: usize, sample: &Tensor) -> Tensor {
        let (stage, time) = (call % 4, self.timesteps[call / 4 * 4]);
        let back = if matches!(stage, 0 | 2) {
            self.half_stride
        } else {
            0.0
        };
        let next = self.timesteps[call] - back;
        let weight = if matches!(stage, 0 | 3) { 6.0 } else { 3.0 };
        let part = output / weight;
        let weighted = match self.weighted.take() {
            Some(sum) => sum + part,
            None => part,
        };
        if stage == 0 {
            self.outputs.push(output.shallow_clone());
            self.start = Some(sample.shallow_clone());
        }
        let start = self.start.as_ref().unwrap_or(sample);
        if stage == 3 {
            return self.transfer(start, time, next, &weighted);
        }
        let moved = self.transfer(start, time, next, output);
        self.weighted = Some(weighted);
        moved
    }

    /// One call of the linear multistep method.
    fn multistep(&mut self, output: Tensor, call: usize, sample: Tensor) -> Tensor {
        let (mut time, mut next) = (self.timesteps[call], self.timesteps[call] - self.stride);
        if self.counter == 1 {
            // The first step again, now with the mean of both predictions.
            (time, next) = (time + self.stride, time);
        } else {
            let old = self.outputs.len().saturating_sub(3);
            self.outputs.drain(..old);
            self.outputs.push(output.shallow_clone());
        }
        let sample = if self.counter == 1 {
            self.start.take().unwrap_or(sample)
        } else {
            if self.counter == 0 {
                self.start = Some(sample.shallow_clone());
            }
            sample
        };
        let mixed = match self.outputs.as_slice() {
            [first] if self.counter == 1 => (output + first) / 2.0,
            [a, b] => (b * 3.0 - a) / 2.0,
            [a, b, c] => (c * 23.0 - b * 16.0 + a * 5.0) / 12.0,
            [a, b, c, d] => (d * 55.0 - c * 59.0 + b * 37.0 - a * 9.0) / 24.0,
            _ => output,
        };
        self.transfer(&sample, time, next, &mixed)
    }

    /// Equation 9: from `time` to `next` along one prediction.
    fn transfer(&self, sample: &Tensor, time: f64, next: f64, output: &Tensor) -> Tensor {
        let alpha_next = if next >= 0.0 {
            self.alphas.at(next)
        } else {
            self.final_alpha
        };
        // At late timesteps the two terms below nearly cancel, so that their rounding shows: the
        // operations are those of Diffusers, in `f32` and in its order.
        let (alpha, alpha_next) = (self.alphas.at(time) as f32, alpha_next as f32);
        let (beta, beta_next) = (1.0 - alpha, 1.0 - alpha_next);
        let epsilon = match self.prediction {
            Prediction::V => output * f64::from(root(alpha)) + sample * f64::from(root(beta)),
            Prediction::Epsilon | Prediction::Sample => output.shallow_clone(),
        };
        let divisor = alpha * root(beta_next) + root(alpha * beta * alpha_next);
        sample * f64::from(root(alpha_next / alpha))
            - epsilon * f64::from(alpha_next - alpha) / f64::from(divisor)
    }
}

/// Multistep's timesteps: the second one twice.
fn with_second_repeated(times: &[f64]) -> Vec<f64> {
    match times {
        [first, second, ..] => [&[*first, *second], &times[1..]].concat(),
        _ => times.to_vec(),
    }
}

/// Twelve timesteps for three Runge-Kutta steps: start, middle twice, end of each.
fn runge_kutta_times(times: &[f64], half_stride: f64) -> Vec<f64> {
    times[..START_UP]
        .windows(2)
        .flat_map(|pair| {
            let middle = pair[1] + half_stride;
            [pair[0], middle, middle, pair[1]]
        })
        .collect()
}

impl Scheduler for Pndm {
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
        _noise: &mut dyn FnMut(usize) -> Tensor,
    ) -> Tensor {
        let (output, sample) = (f32(model_output), f32(sample));
        let next = if call < self.start_up_calls {
            self.runge_kutta(&output, call, &sample)
        } else {
            self.multistep(output, call, sample)
        };
        self.counter += 1;
        next
    }

    fn begin(&self, skipped: usize) -> Result<usize, SchedulerError> {
        if skipped > 0 && self.start_up_calls > 0 {
            return Err(SchedulerError::LateRungeKutta);
        }
        Ok(skipped)
    }

    fn add_noise(&self, original: &Tensor, noise: &Tensor, call: usize) -> Tensor {
        alphas::add_noise(original, noise, self.alphas.at(self.timesteps[call]))
    }
}
