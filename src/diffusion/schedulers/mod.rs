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
//! [`resolve`] does the same and tells what it found: a [`SchedulerRecord`] of every setting that
//! shows in the image, given or by default. [`from_record`] makes the same trajectory of it again.
//! [`names`] lists the schedulers.
//!
//! `dpm++` adds noise where the folder's `algorithm_type` is `sde-dpmsolver++`.
//!
//! # Noise
//!
//! A scheduler that adds noise asks its caller for it, by call number, so the caller can key it by
//! seed. Results never depend on torch's global generator.
//!
//! # A new scheduler
//!
//! One file, with its line in `LIST` here (and its `mod`), such as `euler.rs`. The file has:
//!
//! - `ENTRY`: the name that a user types, and the class that a folder's file names.
//! - `Settings`, a `Method`: what its class reads, each with the default of the class's `__init__`
//!   in Diffusers 0.42.1 (`src/diffusers/schedulers/scheduling_*.py`). Ideas that several classes
//!   share read themselves: `Betas`, `Timesteps`, `Respacing`, `FinalSigma`, `Prediction`, `Clip`.
//!   Whatever is read is in the record.
//! - The stepping, a [`Scheduler`].
//!
//! Names, lookups, help and errors follow from the list. `tests/golden/schedulers.json` must have
//! a case of every scheduler.
//!
//! # The `diffusers` crate
//!
//! Noise levels between whole timesteps are found by its `interp`. Its own schedulers are a second
//! opinion on ours where they compute what Diffusers does today
//! (`tests/library/schedulers/peer.rs`): elsewhere they have other timesteps, no zero SNR, or
//! torch's own noise.
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
//! # Begun late
//!
//! A trajectory that starts from an image begins at [`Scheduler::begin`], with [`Scheduler::add_noise`]. Calls keep
//! their numbers, so timesteps, noise and the rules for the last steps are those of the whole trajectory; a multistep
//! solver's history is empty at first.
//!
//! As in Diffusers, `pndm` and `lms` count on starting at call 0: `lms` uses the weights of as many predictions as
//! the call number promises, and `pndm` takes its first step twice although the timesteps go on, which leaves it a
//! step behind. Begun late they overshoot or leave noise; the others do not. `pndm` with Runge-Kutta start-up, whose
//! Python reads the timesteps of calls that were not made, is refused.

mod alphas;
mod betas;
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
mod prediction;
mod reader;
mod registry;
mod resolve;
mod respacing;
mod sigmas;
mod timesteps;
mod unipc;

use tch::Tensor;

pub use super::record::SchedulerRecord;
pub use config::SchedulerConfig;
pub use error::SchedulerError;
pub use registry::{known, names};
pub use resolve::{Resolved, build, from_record, resolve};

use reader::Reader;
use registry::Entry;

/// Every scheduler, a line each.
const LIST: &[&Entry] = &[
    &ddim::ENTRY,
    &ddpm::ENTRY,
    &pndm::ENTRY,
    &euler::ENTRY,
    &euler_ancestral::ENTRY,
    &dpm_solver_multistep::ENTRY,
    &heun::ENTRY,
    &lms::ENTRY,
    &lcm::ENTRY,
    &unipc::ENTRY,
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
    /// Its name, one of [`names`].
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

    /// The call at which a trajectory begins that leaves out its first `skipped` steps, as Diffusers' `order` and
    /// `set_begin_index` say. Steps of several calls are left out whole.
    ///
    /// # Errors
    ///
    /// [`SchedulerError::LateRungeKutta`].
    fn begin(&self, skipped: usize) -> Result<usize, SchedulerError> {
        Ok(skipped)
    }

    /// `original` with as much of `noise` as the sample before `call` has: the start of an
    /// image-to-image trajectory.
    fn add_noise(&self, original: &Tensor, noise: &Tensor, call: usize) -> Tensor;
}
