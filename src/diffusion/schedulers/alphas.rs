//! The noise of every training timestep.

use tch::{Kind, Tensor};

use super::betas::Betas;

/// `ᾱ_t = Π (1 − β)` up to every training timestep: the share of the clean image's variance.
///
/// torch computes it in `f32`, as in Diffusers: where a sampler subtracts nearly equal numbers, the
/// last bit of `ᾱ` shows in the image.
#[derive(Debug, Clone)]
pub(super) struct Alphas {
    cumprod: Vec<f64>,
}

impl Alphas {
    pub(super) fn new(betas: &Betas) -> Self {
        let mut alphas = 1.0 - betas.tensor();
        if betas.zero_snr() {
            alphas = with_zero_terminal_snr(&cumprod(&alphas));
        }
        Self {
            cumprod: numbers(&cumprod(&alphas)),
        }
    }

    /// `ᾱ_t`. `timestep` must be a whole number within the training range.
    pub(super) fn at(&self, timestep: f64) -> f64 {
        self.cumprod[timestep as usize]
    }

    /// `ᾱ` after the last step: 1, or that of timestep 0.
    pub(super) fn after_last(&self, is_one: bool) -> f64 {
        if is_one { 1.0 } else { self.at(0.0) }
    }
}

/// `σ_t = √((1 − ᾱ_t)/ᾱ_t)` of every training timestep, increasing.
pub(super) fn noise_levels(betas: &Betas) -> Vec<f64> {
    let mut cumprod = Alphas::new(betas).cumprod;
    if let (true, Some(last)) = (betas.zero_snr(), cumprod.last_mut()) {
        // "Close to 0 without being 0 so first sigma is not inf" (Diffusers): f16's smallest.
        *last = f64::powi(2.0, -24);
    }
    let cumprod = Tensor::from_slice(&cumprod).to_kind(Kind::Float);
    let noise: Tensor = 1.0 - &cumprod;
    numbers(&(noise / cumprod).sqrt())
}

fn cumprod(alphas: &Tensor) -> Tensor {
    alphas.cumprod(0, Kind::Float)
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

/// `√ᾱ·original + √(1 − ᾱ)·noise`.
pub(super) fn add_noise(original: &Tensor, noise: &Tensor, alpha_bar: f64) -> Tensor {
    f32(original) * alpha_bar.sqrt() + f32(noise) * (1.0 - alpha_bar).sqrt()
}

/// The tensor as `f32`; itself if it is that already.
pub(super) fn f32(tensor: &Tensor) -> Tensor {
    tensor.to_kind(Kind::Float)
}

/// torch's square root, which is not always the nearest `f32`.
pub(super) fn root(x: f32) -> f32 {
    Tensor::from(x).sqrt().double_value(&[]) as f32
}
