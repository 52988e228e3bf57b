//! Samplers: from a model's predictions to the next, less noisy latent.
//!
//! ```text
//! x = init_noise_sigma · noise
//! for call in 0..timesteps.len():
//!     output = model(scale_model_input(x, call), timesteps[call])
//!     x = step(output, call, x)
//! ```
//!
//! [`build`] reads the model folder's `scheduler_config.json` as a [`SchedulerConfig`] and gives a
//! [`Scheduler`]. A name other than the folder's own works as `X.from_config(config)` does in
//! Python: keys that `X` reads are taken over, the rest are `X`'s defaults.
//!
//! # Who computes
//!
//! Where the `diffusers` crate 0.3.1 computes what Diffusers 0.42 does, its code runs behind the
//! trait; everywhere else ours does. With the settings of Stable Diffusion 1 and 2 and the
//! deterministic form of a scheduler (a test in `bridge.rs` holds this table):
//!
//! | Name | Diffusers class | `leading` | `trailing` | `linspace` |
//! |---|---|---|---|---|
//! | `ddim` | `DDIMScheduler` | crate | ours | ours |
//! | `ddpm` | `DDPMScheduler` | ours | ours | ours |
//! | `pndm` | `PNDMScheduler` | crate | ours | ours |
//! | `euler` | `EulerDiscreteScheduler` | ours | ours | crate |
//! | `euler-ancestral` | `EulerAncestralDiscreteScheduler` | ours | ours | ours |
//! | `dpm++` | `DPMSolverMultistepScheduler` | ours | ours | ours |
//! | `heun` | `HeunDiscreteScheduler` | ours | ours | crate |
//! | `lms` | `LMSDiscreteScheduler` | ours | ours | crate |
//! | `lcm` | `LCMScheduler` | ours | ours | ours |
//! | `unipc` | `UniPCMultistepScheduler` | ours | ours | ours |
//!
//! Ours also serves a row of the crate's where a setting is beyond it: betas that are neither
//! `linear` nor `scaled_linear` or are rescaled to zero SNR; any clipping; noise levels other than
//! those at the timesteps, or not ending in 0; for `ddim` an eta above 0 or `set_alpha_to_one`; for
//! `pndm` Runge-Kutta start-up or 1 step (which panics there); for the rest the prediction type
//! `sample`. `ddpm` and `euler-ancestral` draw noise by themselves in the crate; its `dpm++` has
//! other timesteps and another last step; it has no `lcm` or `unipc`.
//!
//! `dpm++` adds noise where the folder's `algorithm_type` is `sde-dpmsolver++`.
//!
//! # Noise
//!
//! A scheduler that adds noise asks its caller for it, by call number, so the caller can key it by
//! seed. Results never depend on torch's global generator. (The crate's Euler draws a tensor from
//! it at every step and multiplies nothing by it.)
//!
//! # Where we differ from Diffusers 0.42
//!
//! `tests/oracle/full/schedulers.py` compares every combination that both sides have. Left out, and
//! why:
//!
//! - 1 step at `linspace` is an error, except for `dpm++`, `unipc` and `lcm`: there it means
//!   timestep 0, where no noise is left to remove.
//! - Zero SNR with epsilon is an error for `ddim`, `ddpm` and `lcm`: the first step divides by 0.
//! - Runge-Kutta start-up of `pndm` below 4 steps, and more steps of `lcm` than
//!   `original_inference_steps`, are errors in both.
//! - `unipc` above order 1 without `lower_order_final` is an error where the last noise level is 0;
//!   Python gives NaN. With `bh1` or `predict_x0` false its last step to 0 is NaN in Python and the
//!   limit here.
//! - `trailing` always makes as many calls as steps asked for; `numpy.arange` yields one more, at
//!   timestep −1, for 62 of the step counts up to 1000 (61, 103, 121, …).
//! - Where a difference under a root is negative by rounding, Python gives NaN and we take 0: `ddim`
//!   at eta 1 and zero SNR, `euler-ancestral` after a long step.
//! - Where the first two timesteps are equal (`dpm++` and `unipc` at many steps), Python begins at
//!   the second unless `set_begin_index` was called; we begin at the first.
//! - Settings that change the image and are not implemented are errors, not ignored.
//! - A timestep outside the training range is an error; Python clamps it or raises `IndexError`.
//!
//! As in Diffusers, `pndm` and `lms` count on starting at call 0: begun later (image to image)
//! their first steps overshoot.

mod alphas;
mod bridge;
mod class;
mod config;
mod ddim;
mod ddpm;
mod dpm_solver_multistep;
mod error;
mod euler;
mod euler_ancestral;
mod heun;
mod lambdas;
mod lcm;
mod lms;
mod pndm;
mod settings;
mod sigmas;
mod solvers;
mod unipc;

pub use config::SchedulerConfig;
pub use error::SchedulerError;

use class::Class;
use settings::Settings;
use tch::Tensor;

/// Names that [`build`] accepts, in the order of the table above.
pub const NAMES: &[&str] = &[
    "ddim",
    "ddpm",
    "pndm",
    "euler",
    "euler-ancestral",
    "dpm++",
    "heun",
    "lms",
    "lcm",
    "unipc",
];

/// One sampling trajectory: its timesteps, and how to move from one to the next.
///
/// Multistep solvers remember earlier predictions, so a value serves **one** trajectory (of a batch
/// of any size), with calls in increasing order; [`build`] another for the next.
///
/// # Shapes
///
/// Every tensor of one trajectory has the same shape, any shape, on one device. Samples come back
/// as `f32`; model outputs of another kind are converted first.
///
/// # Panics
///
/// Methods panic if `call` is not below `timesteps().len()`.
pub trait Scheduler: Send {
    /// Its name, one of [`NAMES`].
    fn name(&self) -> &'static str;

    /// The timestep of every model call, in order.
    ///
    /// Heun's and PNDM's methods make more calls than the steps asked for. Timesteps lie between 0
    /// and `num_train_timesteps − 1` and need not be whole numbers.
    fn timesteps(&self) -> &[f64];

    /// Standard deviation of the noise that the first sample must have: 1, but for solvers that work
    /// on `x/√ᾱ`.
    fn init_noise_sigma(&self) -> f64 {
        1.0
    }

    /// What the model sees at `call` when the sample is `sample`: the sample, but for solvers that
    /// work on `x/√ᾱ`.
    fn scale_model_input(&self, sample: &Tensor, call: usize) -> Tensor {
        let _ = call;
        alphas::f32(sample)
    }

    /// The sample after `call`, from the model's output and the sample before it.
    ///
    /// `noise` is asked at most once per step, with the number of the call, for a standard normal
    /// tensor of the sample's shape; most schedulers never ask.
    fn step(
        &mut self,
        model_output: &Tensor,
        call: usize,
        sample: &Tensor,
        noise: &mut dyn FnMut(usize) -> Tensor,
    ) -> Tensor;

    /// `original` with as much of `noise` as the sample before `call` has: the start of an
    /// image-to-image trajectory.
    fn add_noise(&self, original: &Tensor, noise: &Tensor, call: usize) -> Tensor;
}

/// A scheduler by name, or the folder's own, for `steps` steps.
///
/// `eta` in `[0, 1]` is the share of DDIM's noise (0: deterministic, 1: as much as DDPM); it must
/// be 0 for any other scheduler, where it means nothing.
///
/// # Errors
///
/// - [`SchedulerError::UnknownScheduler`] if `name` is not in [`NAMES`];
///   [`SchedulerError::MissingClass`] or [`SchedulerError::UnknownClass`] if there is no name and
///   the folder's class is absent or not one of ours.
/// - [`SchedulerError::ZeroSteps`], [`SchedulerError::TooManySteps`],
///   [`SchedulerError::TooManyConsistencySteps`], [`SchedulerError::LinspaceOneStep`],
///   [`SchedulerError::FewRungeKuttaSteps`], [`SchedulerError::TimestepOutOfRange`],
///   [`SchedulerError::Degenerate`] if `steps` does not fit the configuration,
///   [`SchedulerError::Eta`] if `eta` does not fit the scheduler.
/// - [`SchedulerError::UnknownValue`], [`SchedulerError::BadValue`],
///   [`SchedulerError::Unsupported`] at the first key that the class reads and we cannot honour.
pub fn build(
    name: Option<&str>,
    config: &SchedulerConfig,
    steps: usize,
    eta: f64,
) -> Result<Box<dyn Scheduler>, SchedulerError> {
    let class = match name {
        Some(name) => Class::named(name)?,
        None => config.class()?,
    };
    let settings = Settings::check(class, config, steps, eta)?;
    if let Some(scheduler) = bridge::build(&settings)? {
        return Ok(scheduler);
    }
    Ok(match class {
        Class::Ddim => Box::new(ddim::Ddim::new(&settings)?),
        Class::Ddpm => Box::new(ddpm::Ddpm::new(&settings)?),
        Class::Pndm => Box::new(pndm::Pndm::new(&settings)?),
        Class::Euler => Box::new(euler::Euler::new(&settings)?),
        Class::EulerAncestral => Box::new(euler_ancestral::EulerAncestral::new(&settings)?),
        Class::DpmSolver => Box::new(dpm_solver_multistep::DpmSolver::new(&settings)?),
        Class::Heun => Box::new(heun::Heun::new(&settings)?),
        Class::Lms => Box::new(lms::Lms::new(&settings)?),
        Class::Lcm => Box::new(lcm::Lcm::new(&settings)?),
        Class::UniPc => Box::new(unipc::UniPc::new(&settings)?),
    })
}
