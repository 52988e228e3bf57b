//! The schedulers against Diffusers 0.42.1 (`tests/oracle/golden/schedulers.py`), and what they refuse.

mod peer;
mod record;

use std::collections::BTreeSet;

use hardlight::diffusion::schedulers::{self, Scheduler, SchedulerConfig, SchedulerError};
use serde_json::Value;
use tch::{Kind, Tensor};

/// `max|a − b|/max|b|` allowed along a trajectory: both sides compute samples in `f32`, and
/// Diffusers its coefficients too.
const TOLERANCE: f64 = 1e-4;

/// Timesteps that are interpolated from noise levels carry `f32` noise; whole ones are exact.
const TIMESTEP_TOLERANCE: f64 = 2e-2;

const SD15: &str = r#"{"_class_name": "PNDMScheduler", "_diffusers_version": "0.6.0",
    "beta_end": 0.012, "beta_schedule": "scaled_linear", "beta_start": 0.00085,
    "num_train_timesteps": 1000, "set_alpha_to_one": false, "skip_prk_steps": true,
    "steps_offset": 1, "trained_betas": null, "clip_sample": false}"#;

fn sd15() -> SchedulerConfig {
    SchedulerConfig::parse("scheduler_config.json", SD15).unwrap()
}

/// SD 1.5's settings with `more` keys in front, so that they win over nothing that is there.
fn with(more: &str) -> SchedulerConfig {
    let json = SD15.replacen('{', &format!("{{{more}, "), 1);
    SchedulerConfig::parse("scheduler_config.json", &json).unwrap()
}

fn refusal(name: Option<&str>, config: &SchedulerConfig, steps: usize, eta: f64) -> SchedulerError {
    match schedulers::build(name, config, steps, eta) {
        Ok(scheduler) => panic!("{} was built", scheduler.name()),
        Err(error) => error,
    }
}

struct Golden {
    shape: Vec<i64>,
    initial: Tensor,
    noise: Vec<Tensor>,
    configs: Value,
    cases: Vec<Value>,
}

impl Golden {
    /// A case's config: what stands over a known one.
    fn config(&self, case: &Value) -> Value {
        let mut config = self.configs[case["of"].as_str().unwrap()].clone();
        assert!(config.is_object(), "{}", case["of"]);
        for (key, value) in case
            .get("with")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
        {
            config[key] = value.clone();
        }
        config
    }
}

fn floats(value: &Value) -> Vec<f64> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|number| number.as_f64().unwrap())
        .collect()
}

fn golden() -> Golden {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/schedulers.json");
    let json: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let shape: Vec<i64> = floats(&json["shape"]).iter().map(|n| *n as i64).collect();
    let tensor = |value: &Value| {
        Tensor::from_slice(&floats(value))
            .to_kind(Kind::Float)
            .reshape(&shape)
    };
    Golden {
        initial: tensor(&json["initial"]),
        noise: json["noise"]
            .as_array()
            .unwrap()
            .iter()
            .map(tensor)
            .collect(),
        configs: json["configs"].clone(),
        cases: json["cases"].as_array().unwrap().clone(),
        shape,
    }
}

/// The stand-in for the UNet, the same formula as in the oracle.
fn model(sample: &Tensor, timestep: f64) -> Tensor {
    (sample * 0.3 + 0.001 * timestep).tanh()
}

fn sample_after_calls(scheduler: &mut dyn Scheduler, golden: &Golden, start: usize) -> Vec<Tensor> {
    let mut noise = |call: usize| golden.noise[call % golden.noise.len()].shallow_clone();
    let times = scheduler.timesteps().to_vec();
    let mut x = if start == 0 {
        &golden.initial * scheduler.init_noise_sigma()
    } else {
        scheduler.add_noise(
            &golden.initial,
            &golden.noise[golden.noise.len() - 1],
            start,
        )
    };
    let mut samples = Vec::new();
    for (call, time) in times.iter().enumerate().skip(start) {
        let seen = scheduler.scale_model_input(&x, call);
        x = scheduler.step(&model(&seen, *time), call, &x, &mut noise);
        samples.push(x.shallow_clone());
    }
    samples
}

#[test]
fn trajectories_equal_diffusers() {
    let golden = golden();
    let mut covered: Vec<&str> = Vec::new();
    let mut failures: Vec<String> = Vec::new();
    for case in &golden.cases {
        let name = case["scheduler"].as_str().unwrap();
        let json = golden.config(case);
        let config = SchedulerConfig::parse("scheduler_config.json", &json.to_string()).unwrap();
        let steps = case["steps"].as_u64().unwrap() as usize;
        let start = case
            .get("start")
            .map_or(0, |n| n.as_u64().unwrap() as usize);
        let eta = case.get("eta").map_or(0.0, |n| n.as_f64().unwrap());
        let label = format!("{name}, {steps} steps from {start}, {json}");
        // The folder of a known model must choose by itself.
        let chosen = case.get("folder").is_none().then_some(name);
        let mut scheduler = schedulers::build(chosen, &config, steps, eta)
            .unwrap_or_else(|error| panic!("{label}: {error}"));
        assert_eq!(scheduler.name(), name, "{label}");
        covered.push(scheduler.name());

        let (times, expected) = (scheduler.timesteps(), floats(&case["timesteps"]));
        let apart = times
            .iter()
            .zip(&expected)
            .any(|(a, b)| (a - b).abs() > TIMESTEP_TOLERANCE);
        if times.len() != expected.len() || apart {
            failures.push(format!("{label}: timesteps {times:?}, not {expected:?}"));
            continue;
        }
        let expected = case
            .get("init_noise_sigma")
            .map_or(1.0, |sigma| sigma.as_f64().unwrap());
        assert!(
            (scheduler.init_noise_sigma() / expected - 1.0).abs() < TOLERANCE,
            "{label}: first sigma {}, not {expected}",
            scheduler.init_noise_sigma()
        );

        let samples = sample_after_calls(scheduler.as_mut(), &golden, start);
        for entry in case["samples"].as_array().unwrap() {
            let call = entry[0].as_u64().unwrap() as usize;
            let expected = Tensor::from_slice(&floats(&entry[1])).reshape(&golden.shape);
            let apart = (&samples[call - start] - &expected).abs().max();
            let apart = f64::try_from(apart / expected.abs().max()).unwrap();
            if apart.is_nan() || apart > TOLERANCE {
                failures.push(format!("{label}: {apart:.1e} apart after call {call}"));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    for name in schedulers::names() {
        assert!(covered.contains(&name), "no golden case for {name}");
    }
}

#[test]
fn results_do_not_depend_on_torchs_generator() {
    let golden = golden();
    for name in schedulers::names() {
        let run = |seed: i64| {
            tch::manual_seed(seed);
            let eta = if name == "ddim" { 1.0 } else { 0.0 };
            let mut scheduler = schedulers::build(Some(name), &sd15(), 4, eta).unwrap();
            let samples = sample_after_calls(scheduler.as_mut(), &golden, 0);
            samples[samples.len() - 1].shallow_clone()
        };
        assert_eq!(run(1), run(2), "{name}");
    }
}

#[test]
fn half_precision_outputs_give_f32_samples() {
    let golden = golden();
    let output = (&golden.initial * 0.5).to_kind(Kind::Half);
    let mut noise = |_: usize| golden.noise[0].to_kind(Kind::Half);
    for name in schedulers::names() {
        let mut scheduler = schedulers::build(Some(name), &sd15(), 4, 0.0).unwrap();
        let next = scheduler.step(&output, 0, &golden.initial, &mut noise);
        assert_eq!(next.kind(), Kind::Float, "{name}");
    }
}

#[test]
fn the_folder_chooses_when_no_name_is_given() {
    let own = schedulers::build(None, &sd15(), 20, 0.0).unwrap();
    assert_eq!(own.name(), "pndm");
    assert_eq!(own.timesteps()[..3], [951.0, 901.0, 901.0]);
}

#[test]
fn an_unknown_name_lists_the_known_ones() {
    let error = refusal(Some("tcd"), &sd15(), 20, 0.0);
    assert!(matches!(error, SchedulerError::UnknownScheduler { .. }));
    let known = schedulers::known();
    assert!(known.starts_with("ddim, ddpm, "), "{known}");
    assert_eq!(
        error.to_string(),
        format!("unknown scheduler `tcd`: known are {known}")
    );
}

#[test]
fn every_name_is_one_schedulers_own() {
    let names: BTreeSet<&str> = schedulers::names().collect();
    assert_eq!(names.len(), schedulers::names().count());
    for name in schedulers::names() {
        let resolved = schedulers::resolve(Some(name), &sd15(), 4, 0.0).unwrap();
        assert_eq!(resolved.record().name, name);
        assert_eq!(resolved.start().unwrap().name(), name);
    }
}

#[test]
fn a_folder_of_another_class_needs_a_name() {
    for class in [
        "DEISMultistepScheduler",
        "SASolverScheduler",
        "KDPM2DiscreteScheduler",
        "TCDScheduler",
        "EDMEulerScheduler",
        "FlowMatchEulerDiscreteScheduler",
    ] {
        let json = format!(r#"{{"_class_name": "{class}"}}"#);
        let config = SchedulerConfig::parse("s.json", &json).unwrap();
        let error = refusal(None, &config, 20, 0.0);
        assert!(
            matches!(error, SchedulerError::UnknownClass { .. }),
            "{error}"
        );
        assert!(error.to_string().ends_with(&schedulers::known()), "{error}");
        assert!(schedulers::build(Some("dpm++"), &config, 20, 0.0).is_ok());
    }
    let nameless = SchedulerConfig::parse("s.json", "{}").unwrap();
    assert!(matches!(
        refusal(None, &nameless, 20, 0.0),
        SchedulerError::MissingClass { .. }
    ));
}

#[test]
fn unknown_words_list_the_known_ones() {
    let error = refusal(
        Some("ddim"),
        &SchedulerConfig::parse("s.json", r#"{"prediction_type": "flow"}"#).unwrap(),
        20,
        0.0,
    );
    assert_eq!(
        error.to_string(),
        "s.json: `prediction_type` is `flow`: DDIMScheduler here knows epsilon, v_prediction, \
         sample"
    );
    for (name, more, key) in [
        ("pndm", r#""prediction_type": "sample""#, "prediction_type"),
        ("ddim", r#""timestep_spacing": "even""#, "timestep_spacing"),
        ("ddpm", r#""variance_type": "learned""#, "variance_type"),
        (
            "dpm++",
            r#""algorithm_type": "dpmsolver""#,
            "algorithm_type",
        ),
        ("dpm++", r#""solver_type": "rk4""#, "solver_type"),
        ("unipc", r#""solver_type": "bh3""#, "solver_type"),
        (
            "unipc",
            r#""prediction_type": "flow_prediction""#,
            "prediction_type",
        ),
        (
            "euler",
            r#""final_sigmas_type": "one""#,
            "final_sigmas_type",
        ),
        ("euler", r#""timestep_type": "continuous""#, "timestep_type"),
        (
            "euler",
            r#""interpolation_type": "log_linear""#,
            "interpolation_type",
        ),
    ] {
        match refusal(Some(name), &with(more), 20, 0.0) {
            SchedulerError::UnknownValue { key: named, .. } => assert_eq!(named, key),
            other => panic!("{name}, {more}: {other}"),
        }
    }
    let other_schedule = SD15.replace("scaled_linear", "sigmoid");
    let other_schedule = SchedulerConfig::parse("s.json", &other_schedule).unwrap();
    assert!(matches!(
        refusal(Some("ddpm"), &other_schedule, 20, 0.0),
        SchedulerError::UnknownValue {
            key: "beta_schedule",
            ..
        }
    ));
}

#[test]
fn settings_without_code_are_refused_only_where_they_are_read() {
    let thresholding = with(r#""thresholding": true"#);
    let error = refusal(Some("ddim"), &thresholding, 20, 0.0);
    assert_eq!(
        error.to_string(),
        "scheduler_config.json: `thresholding` is true, which DDIMScheduler has no code for here: \
         set it to false, or choose another scheduler by name"
    );
    assert!(schedulers::build(Some("euler"), &thresholding, 20, 0.0).is_ok());
    for (name, more) in [
        ("unipc", r#""use_flow_sigmas": true"#),
        ("unipc", r#""use_dynamic_shifting": true"#),
        ("unipc", r#""solver_p": {}"#),
        ("unipc", r#""shift_terminal": 0.1"#),
        ("unipc", r#""lower_order_final": false"#),
        ("unipc", r#""thresholding": true"#),
        ("lcm", r#""thresholding": true"#),
        ("lcm", r#""rescale_betas_zero_snr": true"#),
        ("dpm++", r#""use_lu_lambdas": true"#),
        ("dpm++", r#""use_flow_sigmas": true"#),
        ("dpm++", r#""variance_type": "learned_range""#),
        ("ddim", r#""rescale_betas_zero_snr": true"#),
    ] {
        let error = refusal(Some(name), &with(more), 20, 0.0);
        assert!(
            matches!(error, SchedulerError::Unsupported { .. }),
            "{name}, {more}: {error}"
        );
    }
    assert!(
        schedulers::build(Some("pndm"), &with(r#""variance_type": "learned""#), 4, 0.0).is_ok()
    );
}

#[test]
fn values_out_of_range_are_refused() {
    for (name, json) in [
        ("ddim", r#"{"num_train_timesteps": 1}"#),
        ("ddim", r#"{"num_train_timesteps": 1000000000000}"#),
        ("ddim", r#"{"num_train_timesteps": "many"}"#),
        ("ddim", r#"{"beta_start": 0}"#),
        ("ddim", r#"{"beta_end": 1.5}"#),
        ("ddim", r#"{"trained_betas": [0.1, 0.2]}"#),
        ("ddim", r#"{"trained_betas": "x"}"#),
        ("ddim", r#"{"steps_offset": 1000}"#),
        ("ddim", r#"{"clip_sample_range": 0}"#),
        ("dpm++", r#"{"solver_order": 4}"#),
        ("unipc", r#"{"solver_order": 4}"#),
        ("unipc", r#"{"disable_corrector": [-1]}"#),
        ("unipc", r#"{"disable_corrector": 0}"#),
        ("lcm", r#"{"original_inference_steps": 1001}"#),
        ("lcm", r#"{"timestep_scaling": 0}"#),
        (
            "lms",
            r#"{"use_karras_sigmas": true, "use_beta_sigmas": true}"#,
        ),
        ("euler", r#"{"use_karras_sigmas": true, "sigma_min": -1}"#),
        (
            "euler",
            r#"{"use_karras_sigmas": true, "use_exponential_sigmas": true}"#,
        ),
    ] {
        let config = SchedulerConfig::parse("s.json", json).unwrap();
        let error = refusal(Some(name), &config, 20, 0.0);
        assert!(
            matches!(error, SchedulerError::BadValue { .. }),
            "{name}, {json}: {error}"
        );
    }
}

#[test]
fn steps_that_cannot_be_made_are_refused() {
    for name in schedulers::names() {
        assert!(matches!(
            refusal(Some(name), &sd15(), 0, 0.0),
            SchedulerError::ZeroSteps
        ));
        assert!(matches!(
            refusal(Some(name), &sd15(), 1001, 0.0),
            SchedulerError::TooManySteps {
                steps: 1001,
                train: 1000
            }
        ));
    }
    assert!(matches!(
        refusal(Some("euler"), &sd15(), 1, 0.0),
        SchedulerError::LinspaceOneStep
    ));
    assert!(matches!(
        refusal(Some("lcm"), &sd15(), 51, 0.0),
        SchedulerError::TooManyConsistencySteps {
            steps: 51,
            distilled: 50
        }
    ));
    assert!(matches!(
        refusal(Some("ddpm"), &sd15(), 1000, 0.0),
        SchedulerError::TimestepOutOfRange {
            offset: 1,
            last: 999,
            ..
        }
    ));
    let bare = SchedulerConfig::parse("s.json", "{}").unwrap();
    assert!(matches!(
        refusal(Some("pndm"), &bare, 3, 0.0),
        SchedulerError::FewRungeKuttaSteps { steps: 3 }
    ));
    assert!(matches!(
        refusal(
            Some("dpm++"),
            &with(r#""timestep_spacing": "leading""#),
            1000,
            0.0
        ),
        SchedulerError::Degenerate { steps: 1000 }
    ));
}

#[test]
fn eta_belongs_to_ddim() {
    for (name, eta) in [
        ("ddim", 1.5),
        ("ddim", -0.1),
        ("ddim", f64::NAN),
        ("euler", 0.5),
    ] {
        assert!(matches!(
            refusal(Some(name), &sd15(), 20, eta),
            SchedulerError::Eta { .. }
        ));
    }
}

#[test]
fn trailing_makes_as_many_calls_as_steps() {
    let trailing = with(r#""timestep_spacing": "trailing""#);
    for name in [
        "ddim",
        "ddpm",
        "euler",
        "euler-ancestral",
        "dpm++",
        "lms",
        "unipc",
    ] {
        for steps in [61, 103, 121, 1000] {
            let scheduler = schedulers::build(Some(name), &trailing, steps, 0.0).unwrap();
            let times = scheduler.timesteps();
            assert_eq!(times.len(), steps, "{name}");
            assert!(
                times.iter().all(|time| (0.0..1000.0).contains(time)),
                "{name}"
            );
        }
    }
}

#[test]
fn every_step_count_can_be_built_and_stays_in_range() {
    for spacing in ["leading", "trailing", "linspace"] {
        let config = with(&format!(
            r#""timestep_spacing": "{spacing}", "original_inference_steps": 500"#
        ));
        for name in schedulers::names() {
            for steps in (2..60).chain([99, 100, 333, 499]) {
                let scheduler = schedulers::build(Some(name), &config, steps, 0.0)
                    .unwrap_or_else(|error| panic!("{name}, {spacing}, {steps}: {error}"));
                let times = scheduler.timesteps();
                assert!(times.iter().all(|time| (0.0..1000.0).contains(time)));
                assert!(times.windows(2).all(|pair| pair[0] >= pair[1]));
            }
        }
    }
}
