//! Our networks against the reference implementations, on the same weights.
//!
//! - `golden`: Diffusers in Python (`tests/oracle/golden/{vae,unet}.py`).
//! - `clip`: Transformers, `open_clip` and Diffusers in Python (`tests/oracle/golden/clip.py`).
//! - `peer`: the `diffusers` crate, on weights drawn here.
//! - `precision`: bfloat16 and float16 against float32.
//! - `checkpoint`: what does not fit is reported, all at once.
//! - `hostile`: files made to crash or to take all memory are refused.
//! - `lora`: adapters merged at load, against Diffusers and PEFT (`tests/oracle/golden/lora.py`).

mod checkpoint;
mod clip;
mod golden;
mod hostile;
mod lora;
mod peer;
mod precision;

use std::path::Path;

use hardlight::nn::params::{Params, Scope};
use tch::{Device, Kind, Tensor};

use crate::common::formula::{draw, expected, golden, leaves};

/// `max|a − b|/max|b|` allowed in float32: the two sides round in another order.
const TOLERANCE: f64 = 1e-4;

/// Weights of a Diffusers model.
const WEIGHTS: &str = "diffusion_pytorch_model.safetensors";

/// A network whose checkpoint must fit to the last tensor.
fn open<T>(path: &Path, kind: Kind, build: impl FnOnce(&Scope) -> T) -> T {
    let params = Params::open(path, kind, Device::Cpu).unwrap();
    let network = build(&params.root());
    params.finish().unwrap();
    network
}

/// `max|a − b|/max|b|`, of finite tensors of the same shape.
fn apart(a: &Tensor, b: &Tensor) -> f64 {
    assert_eq!(a.size(), b.size());
    let (a, b) = (a.to_kind(Kind::Double), b.to_kind(Kind::Double));
    for tensor in [&a, &b] {
        assert_eq!(tensor.isfinite().all().int64_value(&[]), 1, "not finite");
    }
    (&a - &b).abs().max().double_value(&[]) / b.abs().max().double_value(&[])
}

fn assert_close(what: &str, a: &Tensor, b: &Tensor, tolerance: f64) {
    let apart = apart(a, b);
    assert!(
        apart <= tolerance,
        "{what}: {apart:.2e} apart, {tolerance:.2e} allowed"
    );
}
