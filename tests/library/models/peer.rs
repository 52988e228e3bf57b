//! Against the `diffusers` crate, on weights drawn here and copied by name.
//!
//! Its UNet has 32 groups in every residual block, whatever its config says, so widths are multiples
//! of 64: with one channel a group, the norm after it would hide the time embedding.

use std::collections::BTreeMap;

use diffusers::models::unet_2d::{BlockConfig, UNet2DConditionModel, UNet2DConditionModelConfig};
use diffusers::models::vae::{AutoEncoderKL, AutoEncoderKLConfig};
use hardlight::diffusion::config::{PerLevel, UnetBlock, UnetConfig, VaeConfig};
use hardlight::diffusion::unet::Unet;
use hardlight::diffusion::vae::Vae;
use hardlight::nn::params::{Scope, save};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tch::{Device, Kind, Tensor, nn};

use super::{TOLERANCE, assert_close, open};

/// Gradients of parameters that matter, relative to the largest one's. Rounding leaves about 1e-8.
const SMALLEST_GRADIENT: f64 = 1e-6;

/// Numbers of mean 0 and variance 1.
fn noise(rng: &mut ChaCha8Rng, shape: &[i64]) -> Tensor {
    let numbers: Vec<f32> = (0..shape.iter().product())
        .map(|_| 3_f32.sqrt() * rng.gen_range(-1.0..1.0))
        .collect();
    Tensor::from_slice(&numbers).view(shape)
}

/// Layers that write into a residual stream: the network's, or that within a transformer.
const WRITERS: [&str; 6] = [
    "conv_in.",
    "conv2.",
    "proj_in.",
    "to_out.0.",
    "ff.net.2.",
    "proj_attn.",
];

/// A residual stream so faint that the epsilons of the norms show: 1e-5 is 1 % of its variance.
const FAINT: f64 = 0.03;

/// Draws weights at which every parameter shows: matrices keep the variance, norms and biases are
/// away from 1 and 0. What enters the residual stream is scaled by `stream`.
fn draw(store: &nn::VarStore, rng: &mut ChaCha8Rng, stream: f64) -> BTreeMap<String, Tensor> {
    let _guard = tch::no_grad_guard();
    let variables: BTreeMap<String, Tensor> = store.variables().into_iter().collect();
    for (name, variable) in &variables {
        let shape = variable.size();
        let noise = noise(rng, &shape);
        let drawn = if shape.len() > 1 {
            noise / (shape[1..].iter().product::<i64>() as f64).sqrt()
        } else {
            let norm = name.contains("norm") && name.ends_with("weight");
            noise * 0.2 + f64::from(u8::from(norm))
        };
        let scale = if WRITERS.iter().any(|part| name.contains(part)) {
            stream
        } else {
            1.0
        };
        variable.shallow_clone().copy_(&(drawn * scale));
    }
    variables
}

/// Our network on the same weights; the names must be the same to the last one.
fn ours<T>(variables: &BTreeMap<String, Tensor>, build: impl FnOnce(&Scope) -> T) -> T {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("weights.safetensors");
    save(&path, variables, Kind::Float).unwrap();
    open(&path, Kind::Float, build)
}

/// Sees to it that the output depends on every parameter, so that equal outputs mean equal use.
fn assert_all_matter(what: &str, out: &Tensor, variables: &BTreeMap<String, Tensor>) {
    out.square().mean(Kind::Float).backward();
    let slopes: BTreeMap<&str, f64> = variables
        .iter()
        .map(|(name, variable)| (name.as_str(), variable.grad()))
        .map(|(name, grad)| {
            (
                name,
                if grad.defined() {
                    grad.abs().max().double_value(&[])
                } else {
                    0.0
                },
            )
        })
        .collect();
    let most = slopes.values().copied().fold(0.0, f64::max);
    let idle: Vec<_> = slopes
        .iter()
        .filter(|(_, s)| **s < SMALLEST_GRADIENT * most)
        .collect();
    assert!(
        idle.is_empty(),
        "{what} does not depend on {idle:?}; the largest is {most}"
    );
}

#[derive(Debug)]
struct UnetCase {
    /// Width, attention, heads.
    levels: &'static [(i64, bool, i64)],
    layers: i64,
    linear: bool,
    flip: bool,
    shift: f64,
    padding: i64,
    eps: f64,
    stream: f64,
    context: i64,
    size: [i64; 2],
}

const UNETS: [UnetCase; 4] = [
    // SD 1.x: as many heads at every level, 1 × 1 convolutions.
    UnetCase {
        levels: &[(64, true, 4), (128, true, 4), (128, false, 4)],
        layers: 1,
        linear: false,
        flip: true,
        shift: 0.0,
        padding: 1,
        eps: 1e-5,
        stream: 1.0,
        context: 24,
        size: [8, 12],
    },
    // SD 2.x: other heads at every level, linear layers; sizes that do not halve evenly.
    UnetCase {
        levels: &[(64, true, 2), (64, false, 4), (128, true, 8)],
        layers: 2,
        linear: true,
        flip: true,
        shift: 0.0,
        padding: 1,
        eps: 1e-3,
        stream: 1.0,
        context: 40,
        size: [10, 7],
    },
    // Neither: attention at the bottom only, the other order of waves, asymmetric padding.
    UnetCase {
        levels: &[(64, false, 8), (128, true, 2)],
        layers: 2,
        linear: false,
        flip: false,
        shift: 1.0,
        padding: 0,
        eps: 1e-5,
        stream: 1.0,
        context: 16,
        size: [6, 8],
    },
    UnetCase {
        levels: &[(64, true, 1), (64, false, 2)],
        layers: 1,
        linear: true,
        flip: false,
        shift: 0.5,
        padding: 1,
        eps: 1e-5,
        stream: FAINT,
        context: 64,
        size: [5, 5],
    },
];

impl UnetCase {
    fn theirs(&self) -> UNet2DConditionModelConfig {
        let block =
            |&(out_channels, use_cross_attn, attention_head_dim): &(i64, bool, i64)| BlockConfig {
                out_channels,
                use_cross_attn,
                attention_head_dim,
            };
        UNet2DConditionModelConfig {
            flip_sin_to_cos: self.flip,
            freq_shift: self.shift,
            blocks: self.levels.iter().map(block).collect(),
            layers_per_block: self.layers,
            downsample_padding: self.padding,
            norm_eps: self.eps,
            cross_attention_dim: self.context,
            use_linear_projection: self.linear,
            ..Default::default()
        }
    }

    fn ours(&self) -> UnetConfig {
        use UnetBlock::{CrossAttnDown, CrossAttnUp, Down, Up};
        let types = |cross, plain| -> Vec<UnetBlock> {
            self.levels
                .iter()
                .map(|level| if level.1 { cross } else { plain })
                .collect()
        };
        UnetConfig {
            flip_sin_to_cos: self.flip,
            freq_shift: self.shift,
            down_block_types: types(CrossAttnDown, Down),
            up_block_types: types(CrossAttnUp, Up).into_iter().rev().collect(),
            block_out_channels: self.levels.iter().map(|level| level.0).collect(),
            layers_per_block: self.layers,
            downsample_padding: self.padding,
            norm_eps: self.eps,
            cross_attention_dim: self.context,
            attention_head_dim: PerLevel::Each(self.levels.iter().map(|level| level.2).collect()),
            use_linear_projection: self.linear,
            ..Default::default()
        }
    }
}

#[test]
fn unet_predicts_as_the_diffusers_crate() {
    for (seed, case) in (0..).zip(&UNETS) {
        let what = format!("{case:?}");
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let store = nn::VarStore::new(Device::Cpu);
        let theirs = UNet2DConditionModel::new(store.root(), 4, 4, case.theirs());
        let variables = draw(&store, &mut rng, case.stream);
        let ours = ours(&variables, |scope| Unet::new(scope, &case.ours()));
        let latents = noise(&mut rng, &[2, 4, case.size[0], case.size[1]]);
        let context = noise(&mut rng, &[2, 5, case.context]);
        for timestep in [1.0, 481.0, 999.0] {
            let want = theirs.forward(&latents, timestep, &context);
            let timesteps = Tensor::from_slice(&[timestep as f32; 2]);
            let got = tch::no_grad(|| ours.forward(&latents, &timesteps, &context));
            assert_close(&what, &got, &want.detach(), TOLERANCE);
            if timestep > 400.0 && timestep < 500.0 {
                assert_all_matter(&what, &want, &variables);
            }
        }
    }
}

#[test]
fn vae_encodes_and_decodes_as_the_diffusers_crate() {
    let cases: [(&[i64], i64, i64, i64, f64); 4] = [
        (&[64], 1, 32, 4, 1.0),
        (&[64, 128], 2, 32, 4, 1.0),
        (&[32, 64, 96], 1, 16, 3, 1.0),
        (&[32, 32], 1, 16, 4, FAINT),
    ];
    for (seed, (widths, layers, groups, latent, stream)) in (10..).zip(cases) {
        let what = format!("widths {widths:?}, {layers} layers");
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let store = nn::VarStore::new(Device::Cpu);
        let config = AutoEncoderKLConfig {
            block_out_channels: widths.to_vec(),
            layers_per_block: layers,
            latent_channels: latent,
            norm_num_groups: groups,
        };
        let theirs = AutoEncoderKL::new(store.root(), 3, 3, config);
        let variables = draw(&store, &mut rng, stream);
        // The crate only lends samples. At a deviation of e⁻¹⁰⁰ they are the mean.
        tch::no_grad(|| {
            let quiet = |name: &str| variables[name].narrow(0, latent, latent);
            let _ = quiet("quant_conv.weight").fill_(0.0);
            let _ = quiet("quant_conv.bias").fill_(-200.0);
        });
        let config = VaeConfig {
            block_out_channels: widths.to_vec(),
            layers_per_block: layers,
            latent_channels: latent,
            norm_num_groups: groups,
            ..Default::default()
        };
        let ours = ours(&variables, |scope| Vae::new(scope, &config));
        let side = 4 * config.factor();
        let pixels = noise(&mut rng, &[2, 3, side, side + config.factor()]);
        let latents = noise(&mut rng, &[2, latent, 4, 6]);
        let (mean, decoded) = (theirs.encode(&pixels).sample(), theirs.decode(&latents));
        let (got, _) = tch::no_grad(|| ours.encode(&pixels));
        assert_close(&format!("mean, {what}"), &got, &mean.detach(), TOLERANCE);
        let got = tch::no_grad(|| ours.decode(&latents));
        assert_close(
            &format!("decoded, {what}"),
            &got,
            &decoded.detach(),
            TOLERANCE,
        );
        // Softmax does not see what all keys share.
        let seen = variables
            .iter()
            .filter(|(name, _)| !name.ends_with(".key.bias"));
        let seen = seen
            .map(|(name, variable)| (name.clone(), variable.shallow_clone()))
            .collect();
        let both = Tensor::cat(&[mean.flatten(0, -1), decoded.flatten(0, -1)], 0);
        assert_all_matter(&what, &both, &seen);
    }
}
