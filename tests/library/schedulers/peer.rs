//! Our schedulers against those of the `diffusers` crate, where both compute the same thing.
//!
//! Elsewhere the crate has other timesteps (`euler`, `heun` and `lms` but at `linspace`, `dpm++`),
//! an older last step (`dpm++`), betas that are 0 (the squared cosine), torch's own noise (`ddpm`,
//! `euler-ancestral`), or no such scheduler.

use std::fmt::Write as _;

use diffusers::schedulers::{
    BetaSchedule, PredictionType,
    ddim::{DDIMScheduler, DDIMSchedulerConfig},
    euler_discrete::{EulerDiscreteScheduler, EulerDiscreteSchedulerConfig},
    heun_discrete::{HeunDiscreteScheduler, HeunDiscreteSchedulerConfig},
    lms_discrete::{LMSDiscreteScheduler, LMSDiscreteSchedulerConfig},
    pndm::{PNDMScheduler, PNDMSchedulerConfig},
};
use hardlight::diffusion::schedulers::{self, SchedulerConfig};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tch::Tensor;

use super::model;

/// `max|a − b|/max|b|` allowed after any call. The crate computes coefficients in `f64`; we take
/// those that Diffusers rounds to `f32`, which leaves 5e-6 at most.
const PEER_TOLERANCE: f64 = 2e-5;

/// Timesteps between whole ones are rounded to `f32` on both sides, by other formulas.
const TIME_TOLERANCE: f64 = 1e-3;

const SHAPE: [i64; 4] = [2, 4, 16, 16];
const TRAIN: usize = 1000;

/// What the crate's schedulers have in common, though it has no trait for it.
trait Peer {
    fn times(&self) -> Vec<f64>;
    fn init(&self) -> f64;
    fn scale(&self, sample: Tensor, time: f64) -> Tensor;
    fn advance(&mut self, output: &Tensor, time: f64, sample: &Tensor) -> Tensor;
    fn noisy(&self, original: &Tensor, noise: Tensor, time: f64) -> Tensor;
}

/// Implements [`Peer`] for a type of the crate whose timesteps are of type `$time`.
macro_rules! peer {
    ($type:ty, $time:ty) => {
        impl Peer for $type {
            fn times(&self) -> Vec<f64> {
                self.timesteps().iter().map(|time| *time as f64).collect()
            }
            fn init(&self) -> f64 {
                self.init_noise_sigma()
            }
            fn scale(&self, sample: Tensor, time: f64) -> Tensor {
                self.scale_model_input(sample, time as $time)
            }
            fn advance(&mut self, output: &Tensor, time: f64, sample: &Tensor) -> Tensor {
                self.step(output, time as $time, sample)
            }
            fn noisy(&self, original: &Tensor, noise: Tensor, time: f64) -> Tensor {
                self.add_noise(original, noise, time as $time)
            }
        }
    };
}

peer!(DDIMScheduler, usize);
peer!(PNDMScheduler, usize);
peer!(EulerDiscreteScheduler, f64);
peer!(HeunDiscreteScheduler, f64);
peer!(LMSDiscreteScheduler, f64);

/// The settings that both sides are given.
#[derive(Debug, Clone, Copy)]
struct Common {
    steps: usize,
    betas: BetaSchedule,
    prediction: PredictionType,
    alpha_to_one: bool,
}

const START: f64 = 0.00085;
const END: f64 = 0.012;
const OFFSET: usize = 1;

impl Common {
    fn json(&self, spacing: &str) -> SchedulerConfig {
        let betas = match self.betas {
            BetaSchedule::Linear => "linear",
            BetaSchedule::ScaledLinear => "scaled_linear",
            BetaSchedule::SquaredcosCapV2 => panic!("the crate's are 0"),
        };
        let prediction = match self.prediction {
            PredictionType::Epsilon => "epsilon",
            PredictionType::VPrediction => "v_prediction",
            PredictionType::Sample => "sample",
        };
        let json = serde_json::json!({
            "beta_start": START, "beta_end": END, "beta_schedule": betas,
            "prediction_type": prediction, "timestep_spacing": spacing, "steps_offset": OFFSET,
            "num_train_timesteps": TRAIN, "set_alpha_to_one": self.alpha_to_one,
            "skip_prk_steps": true, "clip_sample": false,
        });
        SchedulerConfig::parse("s.json", &json.to_string()).unwrap()
    }

    fn ddim(self) -> Box<dyn Peer> {
        let config = DDIMSchedulerConfig {
            beta_start: START,
            beta_end: END,
            beta_schedule: self.betas,
            eta: 0.0,
            steps_offset: OFFSET,
            prediction_type: self.prediction,
            train_timesteps: TRAIN,
        };
        Box::new(DDIMScheduler::new(self.steps, config))
    }

    fn pndm(self) -> Box<dyn Peer> {
        let config = PNDMSchedulerConfig {
            beta_start: START,
            beta_end: END,
            beta_schedule: self.betas,
            set_alpha_to_one: self.alpha_to_one,
            prediction_type: self.prediction,
            steps_offset: OFFSET,
            train_timesteps: TRAIN,
        };
        Box::new(PNDMScheduler::new(self.steps, config))
    }

    fn euler(self) -> Box<dyn Peer> {
        let config = EulerDiscreteSchedulerConfig {
            beta_start: START,
            beta_end: END,
            beta_schedule: self.betas,
            train_timesteps: TRAIN,
            prediction_type: self.prediction,
        };
        Box::new(EulerDiscreteScheduler::new(self.steps, config))
    }

    fn heun(self) -> Box<dyn Peer> {
        let config = HeunDiscreteSchedulerConfig {
            beta_start: START,
            beta_end: END,
            beta_schedule: self.betas,
            train_timesteps: TRAIN,
            prediction_type: self.prediction,
        };
        Box::new(HeunDiscreteScheduler::new(self.steps, config))
    }

    fn lms(self) -> Box<dyn Peer> {
        let config = LMSDiscreteSchedulerConfig {
            beta_start: START,
            beta_end: END,
            beta_schedule: self.betas,
            train_timesteps: TRAIN,
            order: 4,
            prediction_type: self.prediction,
        };
        Box::new(LMSDiscreteScheduler::new(self.steps, config))
    }
}

fn drawn(seed: u64) -> Tensor {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let numbers: Vec<f32> = (0..SHAPE.iter().product())
        .map(|_| 3_f32.sqrt() * rng.gen_range(-1.0..1.0))
        .collect();
    Tensor::from_slice(&numbers).view(SHAPE)
}

fn relative(got: &Tensor, want: &Tensor) -> f64 {
    let apart = (got - want).abs().max() / want.abs().max();
    f64::try_from(apart).unwrap()
}

const EPSILON_AND_V: &[PredictionType] = &[PredictionType::Epsilon, PredictionType::VPrediction];
const ALL_PREDICTIONS: &[PredictionType] = &[
    PredictionType::Epsilon,
    PredictionType::VPrediction,
    PredictionType::Sample,
];

/// Holds one of ours against the crate's, at the settings that both have.
fn hold(
    name: &str,
    spacing: &str,
    predictions: &[PredictionType],
    ends: &[bool],
    peer: fn(Common) -> Box<dyn Peer>,
) {
    let mut failures = String::new();
    for betas in [BetaSchedule::ScaledLinear, BetaSchedule::Linear] {
        for &prediction in predictions {
            for &alpha_to_one in ends {
                for steps in [2, 3, 7, 20, 50] {
                    let common = Common {
                        steps,
                        betas,
                        prediction,
                        alpha_to_one,
                    };
                    let apart = largest_difference(name, spacing, common, peer(common));
                    if apart.is_nan() || apart > PEER_TOLERANCE {
                        writeln!(failures, "{name}, {common:?}: {apart:.1e} apart").unwrap();
                    }
                }
            }
        }
    }
    assert!(failures.is_empty(), "{failures}");
}

fn largest_difference(name: &str, spacing: &str, common: Common, mut peer: Box<dyn Peer>) -> f64 {
    let mut ours = schedulers::build(Some(name), &common.json(spacing), common.steps, 0.0).unwrap();
    let times = ours.timesteps().to_vec();
    let theirs = peer.times();
    assert_eq!(times.len(), theirs.len(), "{name}, {common:?}");
    let mut apart = times.iter().zip(&theirs).map(|(a, b)| (a - b).abs());
    assert!(apart.all(|apart| apart < TIME_TOLERANCE), "{theirs:?}");
    assert!((ours.init_noise_sigma() / peer.init() - 1.0).abs() < 1e-6);
    let (initial, noise) = (drawn(1), drawn(2));
    let mut worst: f64 = 0.0;
    for (call, time) in theirs.iter().enumerate() {
        let noisy = peer.noisy(&initial, noise.shallow_clone(), *time);
        worst = worst.max(relative(&ours.add_noise(&initial, &noise, call), &noisy));
    }
    let (mut x, mut y) = (&initial * ours.init_noise_sigma(), &initial * peer.init());
    for (call, (mine, time)) in times.iter().zip(&theirs).enumerate() {
        let output = model(&ours.scale_model_input(&x, call), *mine);
        x = ours.step(&output, call, &x, &mut |_| panic!("{name} asked for noise"));
        let output = model(&peer.scale(y.shallow_clone(), *time), *time);
        y = peer.advance(&output, *time, &y);
        worst = worst.max(relative(&x, &y));
    }
    worst
}

#[test]
fn ddim_is_the_crates() {
    // The crate's always ends at the ᾱ of timestep 0.
    hold("ddim", "leading", ALL_PREDICTIONS, &[false], Common::ddim);
}

#[test]
fn pndm_is_the_crates() {
    let ends = [false, true];
    hold("pndm", "leading", EPSILON_AND_V, &ends, Common::pndm);
}

#[test]
fn euler_is_the_crates() {
    hold("euler", "linspace", EPSILON_AND_V, &[false], Common::euler);
}

#[test]
fn heun_is_the_crates() {
    hold("heun", "linspace", EPSILON_AND_V, &[false], Common::heun);
}

#[test]
fn lms_is_the_crates() {
    hold("lms", "linspace", EPSILON_AND_V, &[false], Common::lms);
}
