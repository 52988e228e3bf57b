//! A scheduler's record gives its trajectory again, bit for bit.

use hardlight::diffusion::schedulers::{
    self, Resolved, SchedulerConfig, SchedulerError, SchedulerRecord,
};
use serde_json::{Value, json};

use super::{golden, sample_after_calls, sd15, with};

fn record(name: &str, config: &SchedulerConfig, eta: f64) -> SchedulerRecord {
    let resolved = schedulers::resolve(Some(name), config, 8, eta).unwrap();
    resolved.record().clone()
}

fn through_json(record: &SchedulerRecord) -> SchedulerRecord {
    serde_json::from_str(&serde_json::to_string(record).unwrap()).unwrap()
}

/// Both make the same timesteps and the same samples.
fn assert_same(one: &Resolved, other: &Resolved, label: &str) {
    let golden = golden();
    let (mut one, mut other) = (one.start().unwrap(), other.start().unwrap());
    assert_eq!(one.name(), other.name(), "{label}");
    assert_eq!(one.timesteps(), other.timesteps(), "{label}");
    assert_eq!(one.init_noise_sigma(), other.init_noise_sigma(), "{label}");
    let samples = sample_after_calls(one.as_mut(), &golden, 0);
    let again = sample_after_calls(other.as_mut(), &golden, 0);
    assert!(
        samples.iter().zip(&again).all(|(a, b)| a.equal(b)),
        "{label}"
    );
}

#[test]
fn every_golden_case_comes_again_from_its_record() {
    let golden = golden();
    for case in &golden.cases {
        let json = golden.config(case);
        let config = SchedulerConfig::parse("s.json", &json.to_string()).unwrap();
        let name = case["scheduler"].as_str().unwrap();
        let steps = case["steps"].as_u64().unwrap() as usize;
        let eta = case.get("eta").map_or(0.0, |n| n.as_f64().unwrap());
        let label = format!("{name}, {steps} steps, {json}");
        let resolved = schedulers::resolve(Some(name), &config, steps, eta)
            .unwrap_or_else(|error| panic!("{label}: {error}"));
        let read = through_json(resolved.record());
        assert_eq!(&read, resolved.record(), "{label}");
        let again = schedulers::from_record(&read, steps)
            .unwrap_or_else(|error| panic!("{label}: {error}"));
        assert_eq!(again.record(), resolved.record(), "{label}");
        assert_same(&resolved, &again, &label);
    }
}

#[test]
fn numbers_keep_their_last_bit() {
    let config = with(
        r#""timestep_spacing": "leading", "use_karras_sigmas": true,
        "sigma_min": 0.029167532920837402, "sigma_max": 14.614641571044922"#,
    );
    for name in ["euler", "heun", "dpm++", "unipc"] {
        let resolved = schedulers::resolve(Some(name), &config, 7, 0.0).unwrap();
        let again = schedulers::from_record(&through_json(resolved.record()), 7).unwrap();
        assert_eq!(
            again.record().settings["sigma_min"],
            0.029_167_532_920_837_402
        );
        assert_same(&resolved, &again, name);
    }
}

#[test]
fn a_record_has_every_setting_with_its_default() {
    let record = record("ddim", &sd15(), 0.5);
    assert_eq!(
        serde_json::to_value(&record).unwrap(),
        json!({"name": "ddim", "settings": {
            "beta_end": 0.012, "beta_schedule": "scaled_linear", "beta_start": 0.00085,
            "clip_sample": false, "eta": 0.5, "num_train_timesteps": 1000,
            "prediction_type": "epsilon", "rescale_betas_zero_snr": false,
            "set_alpha_to_one": false, "steps_offset": 1, "timestep_spacing": "leading",
        }})
    );
}

#[test]
fn what_changes_the_image_changes_the_record() {
    for (name, more) in [
        ("ddim", r#""timestep_spacing": "trailing""#),
        ("ddpm", r#""variance_type": "fixed_large""#),
        ("pndm", r#""prediction_type": "v_prediction""#),
        ("euler", r#""use_karras_sigmas": true"#),
        ("euler", r#""final_sigmas_type": "sigma_min""#),
        ("euler-ancestral", r#""rescale_betas_zero_snr": true"#),
        ("heun", r#""use_exponential_sigmas": true"#),
        ("lms", r#""use_beta_sigmas": true"#),
        ("dpm++", r#""algorithm_type": "sde-dpmsolver++""#),
        ("dpm++", r#""solver_order": 3"#),
        ("dpm++", r#""lambda_min_clipped": -4.0"#),
        ("lcm", r#""original_inference_steps": 100"#),
        ("unipc", r#""disable_corrector": [0]"#),
        ("unipc", r#""predict_x0": false"#),
    ] {
        let plain = record(name, &sd15(), 0.0);
        assert_ne!(record(name, &with(more), 0.0), plain, "{name}, {more}");
    }
    assert_ne!(record("ddim", &sd15(), 1.0), record("ddim", &sd15(), 0.0));
}

#[test]
fn what_a_class_does_not_look_at_is_not_in_its_record() {
    for (name, more) in [
        ("lcm", r#""timestep_spacing": "trailing""#),
        ("dpm++", r#""steps_offset": 3"#),
        ("euler", r#""sigma_min": 0.1"#),
        ("heun", r#""clip_sample_range": 2.0"#),
        ("ddpm", r#""variance_type": "fixed_small_log""#),
        ("dpm++", r#""solver_type": "bh2""#),
        ("pndm", r#""thresholding": true"#),
    ] {
        let plain = record(name, &sd15(), 0.0);
        assert_eq!(record(name, &with(more), 0.0), plain, "{name}, {more}");
    }
}

#[test]
fn a_record_with_other_keys_is_refused() {
    let good = record("dpm++", &sd15(), 0.0);
    let mut short = good.clone();
    short.settings.remove("solver_order");
    let mut long = good.clone();
    long.settings.insert("rho".to_owned(), json!(7.0));
    for (record, missing, unknown) in [(short, "solver_order", ""), (long, "", "rho")] {
        match schedulers::from_record(&record, 8).unwrap_err() {
            SchedulerError::Record {
                missing: m,
                unknown: u,
                ..
            } => assert_eq!((m.as_str(), u.as_str()), (missing, unknown)),
            other => panic!("{other}"),
        }
    }
    let mut wrong = record("ddim", &sd15(), 0.0);
    wrong.settings.insert("eta".to_owned(), Value::Null);
    let error = schedulers::from_record(&wrong, 8).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the record of the scheduler: `eta` is null, expected a number from 0 to 1"
    );
}

#[test]
fn a_record_serves_any_number_of_steps() {
    let record = record("heun", &sd15(), 0.0);
    for steps in [2, 5, 30] {
        let again = schedulers::from_record(&record, steps).unwrap();
        assert_eq!(again.record(), &record);
        assert_eq!(again.start().unwrap().timesteps().len(), 2 * steps - 1);
    }
    assert!(matches!(
        schedulers::from_record(&record, 0),
        Err(SchedulerError::ZeroSteps)
    ));
}
