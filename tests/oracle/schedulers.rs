//! Sampling trajectories of every scheduler against Diffusers, at every call.

use std::collections::{BTreeMap, HashMap};

use hardlight::diffusion::schedulers::{self, Scheduler, SchedulerConfig};
use serde_json::Value;
use tch::Tensor;

use crate::rows::{self, Row};

/// `max|a − b|/max|b|` allowed after any call: both sides compute samples in `f32`, and Diffusers
/// its coefficients too.
const TOLERANCE: f64 = 1e-4;

/// Timesteps that are interpolated from noise levels carry `f32` noise; whole ones are exact.
const TIMESTEP_TOLERANCE: f64 = 2e-2;

/// What is known of the combinations of one row.
#[derive(Default)]
struct Group {
    compared: usize,
    left_out: usize,
    worst: f64,
    worst_label: String,
}

#[test]
#[ignore = "run by make oracle"]
fn compare() {
    let folder = rows::case();
    let file = std::fs::read(folder.join("cases.json")).unwrap();
    let file: Value = serde_json::from_slice(&file).unwrap();
    let tensors = Tensor::read_safetensors(folder.join("samples.safetensors")).unwrap();
    let tensors: HashMap<String, Tensor> = tensors.into_iter().collect();
    let name = file["scheduler"].as_str().unwrap();

    let mut groups: BTreeMap<String, Group> = BTreeMap::new();
    for (index, case) in file["cases"].as_array().unwrap().iter().enumerate() {
        let text = |key: &str| case[key].as_str().unwrap();
        let group = format!("{}, {}", text("spacing"), text("prediction"));
        let group = groups.entry(group).or_default();
        let label = text("label");
        let config = case["config"].to_string();
        let config = SchedulerConfig::parse("scheduler_config.json", &config).unwrap();
        let steps = case["steps"].as_u64().unwrap() as usize;
        let eta = case["eta"].as_f64().unwrap();
        let built = schedulers::build(Some(name), &config, steps, eta);
        if !case["refused"].is_null() {
            assert!(built.is_err(), "{name}, {label}: not refused");
            group.left_out += 1;
            continue;
        }
        let mut scheduler = built.unwrap_or_else(|error| panic!("{name}, {label}: {error}"));
        let samples = trajectory(scheduler.as_mut(), case, &tensors);
        if !case["not_compared"].is_null() {
            let finite = samples.isfinite().all();
            assert!(bool::try_from(finite).unwrap(), "{name}, {label}");
            group.left_out += 1;
            continue;
        }
        same_times(scheduler.as_ref(), case);
        let apart = relative(&samples, &tensors[&index.to_string()]);
        group.compared += 1;
        if group.worst_label.is_empty() || apart.is_nan() || apart > group.worst {
            group.worst = apart;
            label.clone_into(&mut group.worst_label);
        }
    }
    for (group, of) in groups {
        let configuration = format!(
            "{group}: {} compared, {} left out, worst at {}",
            of.compared, of.left_out, of.worst_label
        );
        Row {
            component: &format!("scheduler {name}"),
            configuration: &configuration,
            dtype: "f32",
        }
        .at_most("relative", of.worst, TOLERANCE);
    }
}

/// Samples after every call, `[calls, …]`.
fn trajectory(
    scheduler: &mut dyn Scheduler,
    case: &Value,
    tensors: &HashMap<String, Tensor>,
) -> Tensor {
    let (initial, noises) = (&tensors["initial"], &tensors["noise"]);
    let count = noises.size()[0];
    let mut noise = |call: usize| noises.get(call as i64 % count);
    let start = case["start"].as_u64().unwrap() as usize;
    let times = scheduler.timesteps().to_vec();
    let mut x = if start == 0 {
        initial * scheduler.init_noise_sigma()
    } else {
        scheduler.add_noise(initial, &noises.get(count - 1), start)
    };
    let mut samples = Vec::new();
    for (call, time) in times.iter().enumerate().skip(start) {
        let seen = scheduler.scale_model_input(&x, call);
        let output = (seen * 0.3 + 0.001 * time).tanh();
        x = scheduler.step(&output, call, &x, &mut noise);
        samples.push(x.shallow_clone());
    }
    Tensor::stack(&samples, 0)
}

fn same_times(scheduler: &dyn Scheduler, case: &Value) {
    let (times, expected) = (scheduler.timesteps(), case["timesteps"].as_array().unwrap());
    let expected: Vec<f64> = expected.iter().map(|time| time.as_f64().unwrap()).collect();
    assert_eq!(times.len(), expected.len(), "{case}");
    for (time, expected) in times.iter().zip(&expected) {
        let apart = (time - expected).abs();
        assert!(
            apart <= TIMESTEP_TOLERANCE,
            "{time}, not {expected}: {case}"
        );
    }
    let expected = case["init_noise_sigma"].as_f64().unwrap();
    let apart = (scheduler.init_noise_sigma() / expected - 1.0).abs();
    assert!(apart < TOLERANCE, "{case}");
}

/// The worst `max|a − b|/max|b|` of any call.
fn relative(got: &Tensor, want: &Tensor) -> f64 {
    assert_eq!(got.size(), want.size());
    let largest = |x: &Tensor| x.flatten(1, -1).abs().amax([1_i64].as_slice(), false);
    let apart = largest(&(got - want)) / largest(want);
    f64::try_from(apart.max()).unwrap()
}
