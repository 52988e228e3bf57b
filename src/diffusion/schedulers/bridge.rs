//! The `diffusers` crate's schedulers behind our trait, for settings where the crate computes what
//! Diffusers 0.42 does.

use super::{
    Scheduler, SchedulerError,
    alphas::{self, f32},
    class::Class,
    settings::{Betas, FinalSigma, Prediction, Settings, SigmaSpacing, Spacing},
};
use diffusers::schedulers::{
    BetaSchedule, PredictionType,
    ddim::{DDIMScheduler, DDIMSchedulerConfig},
    euler_discrete::{EulerDiscreteScheduler, EulerDiscreteSchedulerConfig},
    heun_discrete::{HeunDiscreteScheduler, HeunDiscreteSchedulerConfig},
    lms_discrete::{LMSDiscreteScheduler, LMSDiscreteSchedulerConfig},
    pndm::{PNDMScheduler, PNDMSchedulerConfig},
};
use tch::Tensor;

/// What the crate's schedulers have in common, though it has no trait for it.
trait Inner: Send {
    fn times(&self) -> Vec<f64>;
    fn init(&self) -> f64;
    fn scale(&self, sample: Tensor, time: f64) -> Tensor;
    fn advance(&mut self, output: &Tensor, time: f64, sample: &Tensor) -> Tensor;
    fn noisy(&self, original: &Tensor, noise: Tensor, time: f64) -> Tensor;
}

/// Implements [`Inner`] for a type of the crate whose timesteps are of type `$time`.
macro_rules! inner {
    ($type:ty, $time:ty) => {
        impl Inner for $type {
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

inner!(DDIMScheduler, usize);
inner!(PNDMScheduler, usize);
inner!(EulerDiscreteScheduler, f64);
inner!(HeunDiscreteScheduler, f64);
inner!(LMSDiscreteScheduler, f64);

struct Bridged<S> {
    class: Class,
    timesteps: Vec<f64>,
    inner: S,
}

impl<S: Inner> Scheduler for Bridged<S> {
    fn name(&self) -> &'static str {
        self.class.name()
    }

    fn timesteps(&self) -> &[f64] {
        &self.timesteps
    }

    fn init_noise_sigma(&self) -> f64 {
        self.inner.init()
    }

    fn scale_model_input(&self, sample: &Tensor, call: usize) -> Tensor {
        self.inner.scale(f32(sample), self.timesteps[call])
    }

    fn step(
        &mut self,
        model_output: &Tensor,
        call: usize,
        sample: &Tensor,
        _noise: &mut dyn FnMut(usize) -> Tensor,
    ) -> Tensor {
        let (output, sample) = (f32(model_output), f32(sample));
        self.inner.advance(&output, self.timesteps[call], &sample)
    }

    fn add_noise(&self, original: &Tensor, noise: &Tensor, call: usize) -> Tensor {
        let time = self.timesteps[call];
        self.inner.noisy(&f32(original), f32(noise), time)
    }
}

/// The crate's scheduler, or `None` where it differs from Diffusers 0.42.
///
/// # Errors
///
/// [`SchedulerError::TimestepOutOfRange`] where the crate would move the timestep instead.
pub(super) fn build(settings: &Settings) -> Result<Option<Box<dyn Scheduler>>, SchedulerError> {
    let Some((beta_start, beta_end, beta_schedule)) = plain_betas(settings) else {
        return Ok(None);
    };
    let leading = settings.spacing == Spacing::Leading && settings.clip.is_none();
    let on_sigmas = settings.spacing == Spacing::Linspace
        && settings.clip.is_none()
        && settings.sigma_spacing == SigmaSpacing::Timesteps
        && settings.final_sigma == FinalSigma::Zero
        && settings.prediction != Prediction::Sample;
    let (steps, train_timesteps) = (settings.steps, settings.train);
    let prediction_type = prediction_type(settings.prediction);
    Ok(Some(match settings.class {
        Class::Ddim if leading && settings.eta == 0.0 && !settings.alpha_to_one => {
            alphas::timesteps(settings, true)?;
            let config = DDIMSchedulerConfig {
                beta_start,
                beta_end,
                beta_schedule,
                eta: 0.0,
                steps_offset: settings.offset,
                prediction_type,
                train_timesteps,
            };
            bridged(settings, DDIMScheduler::new(steps, config))
        }
        // With 1 step the crate's index underflows.
        Class::Pndm if leading && settings.skip_runge_kutta && steps >= 2 => {
            alphas::timesteps(settings, true)?;
            let config = PNDMSchedulerConfig {
                beta_start,
                beta_end,
                beta_schedule,
                set_alpha_to_one: settings.alpha_to_one,
                prediction_type,
                steps_offset: settings.offset,
                train_timesteps,
            };
            bridged(settings, PNDMScheduler::new(steps, config))
        }
        Class::Euler if on_sigmas => {
            let config = EulerDiscreteSchedulerConfig {
                beta_start,
                beta_end,
                beta_schedule,
                train_timesteps,
                prediction_type,
            };
            bridged(settings, EulerDiscreteScheduler::new(steps, config))
        }
        Class::Heun if on_sigmas => {
            let config = HeunDiscreteSchedulerConfig {
                beta_start,
                beta_end,
                beta_schedule,
                train_timesteps,
                prediction_type,
            };
            bridged(settings, HeunDiscreteScheduler::new(steps, config))
        }
        Class::Lms if on_sigmas => {
            let config = LMSDiscreteSchedulerConfig {
                beta_start,
                beta_end,
                beta_schedule,
                train_timesteps,
                order: 4,
                prediction_type,
            };
            bridged(settings, LMSDiscreteScheduler::new(steps, config))
        }
        _ => return Ok(None),
    }))
}

fn bridged<S: Inner + 'static>(settings: &Settings, inner: S) -> Box<dyn Scheduler> {
    Box::new(Bridged {
        class: settings.class,
        timesteps: inner.times(),
        inner,
    })
}

/// Betas that the crate computes as Diffusers does. (Its squared cosine divides integers, which
/// makes every ratio 0 or 1.)
fn plain_betas(settings: &Settings) -> Option<(f64, f64, BetaSchedule)> {
    match settings.betas {
        _ if settings.zero_snr => None,
        Betas::Linear { start, end } => Some((start, end, BetaSchedule::Linear)),
        Betas::ScaledLinear { start, end } => Some((start, end, BetaSchedule::ScaledLinear)),
        Betas::SquaredCosine | Betas::Trained(_) => None,
    }
}

fn prediction_type(prediction: Prediction) -> PredictionType {
    match prediction {
        Prediction::Epsilon => PredictionType::Epsilon,
        Prediction::V => PredictionType::VPrediction,
        Prediction::Sample => PredictionType::Sample,
    }
}

#[cfg(test)]
mod tests {
    use super::super::SchedulerConfig;
    use super::*;

    const SD15: &str = r#"{"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule":
        "scaled_linear", "set_alpha_to_one": false, "skip_prk_steps": true, "steps_offset": 1,
        "clip_sample": false"#;

    fn crate_serves(class: Class, more: &str, steps: usize, eta: f64) -> bool {
        let config = SchedulerConfig::parse("s.json", &format!("{SD15}{more}}}")).unwrap();
        let settings = Settings::check(class, &config, steps, eta).unwrap();
        build(&settings).unwrap().is_some()
    }

    #[test]
    fn the_table_in_the_module_docs_says_whose_code_runs() {
        let docs = include_str!("mod.rs");
        for name in super::super::NAMES {
            let class = Class::named(name).unwrap();
            let start = format!("//! | `{name}` | `{}` |", class.of());
            let row = docs.lines().find_map(|line| line.strip_prefix(&start));
            let cells: Vec<&str> = row.unwrap().trim_end_matches('|').split('|').collect();
            let spacings = ["leading", "trailing", "linspace"];
            assert_eq!(cells.len(), spacings.len(), "{name}");
            for (cell, spacing) in cells.into_iter().zip(spacings) {
                for prediction in ["epsilon", "v_prediction"] {
                    let more = format!(
                        r#", "timestep_spacing": "{spacing}", "prediction_type": "{prediction}""#
                    );
                    let documented = match cell.trim() {
                        "crate" => true,
                        "ours" => false,
                        other => panic!("{name}: {other}"),
                    };
                    let serves = crate_serves(class, &more, 20, 0.0);
                    assert_eq!(serves, documented, "{name}, {spacing}");
                }
            }
        }
    }

    #[test]
    fn what_the_crate_computes_differently_is_ours() {
        assert!(!crate_serves(Class::Ddim, "", 20, 0.5));
        assert!(!crate_serves(Class::Pndm, "", 1, 0.0));
        let leading = r#", "timestep_spacing": "leading""#;
        let trailing = r#", "timestep_spacing": "trailing""#;
        assert!(!crate_serves(Class::Ddim, trailing, 20, 0.0));
        assert!(!crate_serves(Class::Euler, leading, 20, 0.0));
        let karras = r#", "use_karras_sigmas": true"#;
        assert!(!crate_serves(Class::Heun, karras, 20, 0.0));
        let cosine = r#", "beta_schedule": "squaredcos_cap_v2""#;
        assert!(!crate_serves(Class::Lms, cosine, 20, 0.0));
        let zero_snr = r#", "rescale_betas_zero_snr": true"#;
        assert!(!crate_serves(Class::Euler, zero_snr, 20, 0.0));
    }

    #[test]
    fn a_first_timestep_beyond_training_is_an_error() {
        let config = SchedulerConfig::parse("s.json", &format!("{SD15}}}")).unwrap();
        let settings = Settings::check(Class::Ddim, &config, 1000, 0.0).unwrap();
        assert!(matches!(
            build(&settings),
            Err(SchedulerError::TimestepOutOfRange { last: 999, .. })
        ));
    }
}
