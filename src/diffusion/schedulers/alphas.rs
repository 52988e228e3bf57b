//! The noise of every training timestep, and which timesteps a run visits.

use super::{
    SchedulerError,
    class::Class,
    settings::{Betas, Prediction, Settings, Spacing},
};
use tch::{Device, Kind, Tensor};

/// `ᾱ_t = Π (1 − β)` up to every training timestep: the share of the clean image's variance.
///
/// torch computes it in `f32`, as in Diffusers: where a sampler subtracts nearly equal numbers, the
/// last bit of `ᾱ` shows in the image.
#[derive(Debug, Clone)]
pub(super) struct Alphas {
    cumprod: Vec<f64>,
}

impl Alphas {
    pub(super) fn new(settings: &Settings) -> Self {
        let mut alphas = 1.0 - betas(&settings.betas, settings.train);
        if settings.zero_snr {
            alphas = with_zero_terminal_snr(&cumprod(&alphas));
        }
        let mut cumprod = numbers(&cumprod(&alphas));
        let has_sigmas = !matches!(
            settings.class,
            Class::Ddim | Class::Ddpm | Class::Pndm | Class::Lcm
        );
        if let (true, true, Some(last)) = (settings.zero_snr, has_sigmas, cumprod.last_mut()) {
            // "Close to 0 without being 0 so first sigma is not inf" (Diffusers): f16's smallest.
            *last = f64::powi(2.0, -24);
        }
        Self { cumprod }
    }

    /// `ᾱ_t`. `timestep` must be a whole number within the training range.
    pub(super) fn at(&self, timestep: f64) -> f64 {
        self.cumprod[timestep as usize]
    }

    /// `σ_t = √((1 − ᾱ_t)/ᾱ_t)` of every training timestep, increasing.
    pub(super) fn sigmas(&self) -> Vec<f64> {
        let cumprod = Tensor::from_slice(&self.cumprod).to_kind(Kind::Float);
        let noise: Tensor = 1.0 - &cumprod;
        numbers(&(noise / cumprod).sqrt())
    }
}

fn betas(betas: &Betas, train: usize) -> Tensor {
    let even = |start: f64, end: f64| {
        Tensor::linspace(start, end, train as i64, (Kind::Float, Device::Cpu))
    };
    match betas {
        Betas::Linear { start, end } => even(*start, *end),
        Betas::ScaledLinear { start, end } => even(start.sqrt(), end.sqrt()).square(),
        Betas::SquaredCosine => {
            let bar = |i: usize| {
                let time = i as f64 / train as f64;
                ((time + 0.008) / 1.008 * std::f64::consts::FRAC_PI_2)
                    .cos()
                    .powi(2)
            };
            let betas: Vec<f64> = (0..train)
                .map(|i| (1.0 - bar(i + 1) / bar(i)).min(0.999))
                .collect();
            Tensor::from_slice(&betas).to_kind(Kind::Float)
        }
        Betas::Trained(betas) => Tensor::from_slice(betas).to_kind(Kind::Float),
    }
}

fn cumprod(alphas: &Tensor) -> Tensor {
    alphas.cumprod(0, Kind::Float)
}

/// torch's square root, which is not always the nearest `f32`.
pub(super) fn root(x: f32) -> f32 {
    Tensor::from(x).sqrt().double_value(&[]) as f32
}

fn numbers(of: &Tensor) -> Vec<f64> {
    let mut out = vec![0.0; of.numel()];
    of.to_kind(Kind::Double).copy_data(&mut out, of.numel());
    out
}

/// `1 − β` after moving `√ᾱ` linearly so that it ends at 0 and starts where it did.
///
/// Source: Lin et al. 2024, algorithm 1 (<https://arxiv.org/abs/2305.08891>).
fn with_zero_terminal_snr(cumprod: &Tensor) -> Tensor {
    let roots = cumprod.sqrt();
    let (first, last) = (roots.get(0), roots.get(-1));
    let bars = ((&roots - &last) * (&first / (&first - &last))).square();
    let count = bars.size()[0];
    let ratios = bars.narrow(0, 1, count - 1) / bars.narrow(0, 0, count - 1);
    let alphas = Tensor::cat(&[bars.narrow(0, 0, 1), ratios], 0);
    // Diffusers goes through β = 1 − α, which rounds once more.
    1.0 - (1.0 - alphas)
}

/// `count` numbers from `start` to `end`, both included, as `numpy.linspace` gives them.
pub(super) fn linspace(start: f64, end: f64, count: usize) -> Vec<f64> {
    let step = (end - start) / (count.max(2) - 1) as f64;
    (0..count)
        .map(|i| {
            if i > 0 && i + 1 == count {
                end
            } else {
                start + step * i as f64
            }
        })
        .collect()
}

/// The timesteps of a run, decreasing, before any repetition by the solver.
///
/// # Errors
///
/// [`SchedulerError::TimestepOutOfRange`] if the first is beyond the training range.
pub(super) fn timesteps(settings: &Settings, whole: bool) -> Result<Vec<f64>, SchedulerError> {
    let (train, steps) = (settings.train, settings.steps);
    let mut times = match settings.spacing {
        Spacing::Linspace => linspace(0.0, (train - 1) as f64, steps)
            .into_iter()
            .rev()
            .map(|time| {
                if whole {
                    time.round_ties_even()
                } else {
                    f64::from(time as f32)
                }
            })
            .collect(),
        Spacing::Leading => leading(train / steps, steps, settings.offset),
        Spacing::Trailing => trailing(train, train as f64 / steps as f64, steps),
    };
    times.truncate(steps);
    in_range(times, settings)
}

/// `steps` multiples of `ratio`, moved by `offset`, decreasing.
pub(super) fn leading(ratio: usize, steps: usize, offset: usize) -> Vec<f64> {
    (0..steps)
        .rev()
        .map(|i| (i * ratio + offset) as f64)
        .collect()
}

/// At most `steps` timesteps down from `from − 1` in strides of `ratio`.
pub(super) fn trailing(from: usize, ratio: f64, steps: usize) -> Vec<f64> {
    (0..steps)
        .map(|i| (from as f64 - ratio * i as f64).round_ties_even() - 1.0)
        .take_while(|time| *time >= 0.0)
        .collect()
}

/// Timesteps that are known to lie within the training range.
pub(super) fn in_range(times: Vec<f64>, settings: &Settings) -> Result<Vec<f64>, SchedulerError> {
    let last = settings.train - 1;
    match times.first() {
        Some(&timestep) if timestep > last as f64 => Err(SchedulerError::TimestepOutOfRange {
            steps: settings.steps,
            offset: settings.offset,
            timestep,
            last,
        }),
        _ => Ok(times),
    }
}

/// The clean sample and the noise that a model's output means at `ᾱ_t`.
///
/// # Source
///
/// Salimans and Ho 2022, section 4 and appendix D, for v (<https://arxiv.org/abs/2202.00512>).
pub(super) fn clean_and_noise(
    prediction: Prediction,
    output: &Tensor,
    sample: &Tensor,
    alpha_bar: f64,
) -> (Tensor, Tensor) {
    let (signal, noise) = (alpha_bar.sqrt(), (1.0 - alpha_bar).sqrt());
    match prediction {
        Prediction::Epsilon => ((sample - output * noise) / signal, output.shallow_clone()),
        Prediction::V => (
            sample * signal - output * noise,
            output * signal + sample * noise,
        ),
        Prediction::Sample => (output.shallow_clone(), (sample - output * signal) / noise),
    }
}

/// `√ᾱ·original + √(1 − ᾱ)·noise`.
pub(super) fn add_noise(original: &Tensor, noise: &Tensor, alpha_bar: f64) -> Tensor {
    f32(original) * alpha_bar.sqrt() + f32(noise) * (1.0 - alpha_bar).sqrt()
}

/// The tensor as `f32`; itself if it is that already.
pub(super) fn f32(tensor: &Tensor) -> Tensor {
    tensor.to_kind(Kind::Float)
}

/// The tensor within `±range`, or unchanged.
pub(super) fn clipped(tensor: Tensor, range: Option<f64>) -> Tensor {
    match range {
        Some(range) => tensor.clamp(-range, range),
        None => tensor,
    }
}
