//! One level down, the middle, and one level up (diffusers 0.42 `unets/unet_2d_blocks.py`).

use tch::Tensor;

use crate::diffusion::resnet::{Downsample, Resnet, ResnetShape, Upsample};
use crate::diffusion::transformer::{SpatialTransformer, TransformerShape};
use crate::nn::params::Scope;

fn transformers(scope: &Scope, n: i64, shape: Option<TransformerShape>) -> Vec<SpatialTransformer> {
    shape
        .map(|shape| {
            (0..n)
                .map(|i| SpatialTransformer::new(&scope.at(format_args!("attentions.{i}")), shape))
                .collect()
        })
        .unwrap_or_default()
}

/// `DownBlock2D` or, with attention, `CrossAttnDownBlock2D`.
#[derive(Debug)]
pub(super) struct Down {
    resnets: Vec<Resnet>,
    attentions: Vec<SpatialTransformer>,
    downsample: Option<Downsample>,
}

impl Down {
    pub(super) fn new(
        scope: &Scope,
        inputs: i64,
        outputs: i64,
        layers: i64,
        downsample_padding: Option<i64>,
        resnet: ResnetShape,
        transformer: Option<TransformerShape>,
    ) -> Self {
        let resnets = (0..layers)
            .map(|i| {
                let inputs = if i == 0 { inputs } else { outputs };
                Resnet::new(
                    &scope.at(format_args!("resnets.{i}")),
                    inputs,
                    outputs,
                    resnet,
                )
            })
            .collect();
        let attentions = transformers(scope, layers, transformer);
        let downsample = downsample_padding.map(|padding| Downsample::new(scope, outputs, padding));
        Self {
            resnets,
            attentions,
            downsample,
        }
    }

    pub(super) fn forward(
        &self,
        xs: &Tensor,
        time: &Tensor,
        context: &Tensor,
        skips: &mut Vec<Tensor>,
    ) -> Tensor {
        let mut xs = xs.shallow_clone();
        for (i, resnet) in self.resnets.iter().enumerate() {
            xs = resnet.forward(&xs, Some(time));
            if let Some(attention) = self.attentions.get(i) {
                xs = attention.forward(&xs, context);
            }
            skips.push(xs.shallow_clone());
        }
        if let Some(downsample) = &self.downsample {
            xs = downsample.forward(&xs);
            skips.push(xs.shallow_clone());
        }
        xs
    }
}

/// `UNetMidBlock2DCrossAttn`.
#[derive(Debug)]
pub(super) struct Mid {
    resnets: [Resnet; 2],
    attentions: Vec<SpatialTransformer>,
}

impl Mid {
    pub(super) fn new(
        scope: &Scope,
        channels: i64,
        resnet: ResnetShape,
        transformer: Option<TransformerShape>,
    ) -> Self {
        let new = |name| Resnet::new(&scope.at(name), channels, channels, resnet);
        Self {
            resnets: [new("resnets.0"), new("resnets.1")],
            attentions: transformers(scope, 1, transformer),
        }
    }

    pub(super) fn forward(&self, xs: &Tensor, time: &Tensor, context: &Tensor) -> Tensor {
        let mut xs = self.resnets[0].forward(xs, Some(time));
        for attention in &self.attentions {
            xs = attention.forward(&xs, context);
        }
        self.resnets[1].forward(&xs, Some(time))
    }
}

/// Channels of an [`Up`] block.
#[derive(Debug, Clone, Copy)]
pub(super) struct UpChannels {
    /// Of the last skip connection it consumes.
    pub(super) skip: i64,
    /// Of its output and of its other skips.
    pub(super) outputs: i64,
    /// Of its input.
    pub(super) previous: i64,
}

/// `UpBlock2D` or, with attention, `CrossAttnUpBlock2D`.
#[derive(Debug)]
pub(super) struct Up {
    resnets: Vec<Resnet>,
    attentions: Vec<SpatialTransformer>,
    upsample: Option<Upsample>,
}

impl Up {
    pub(super) fn new(
        scope: &Scope,
        channels: UpChannels,
        layers: i64,
        upsample: bool,
        resnet: ResnetShape,
        transformer: Option<TransformerShape>,
    ) -> Self {
        let UpChannels {
            skip,
            outputs,
            previous,
        } = channels;
        let resnets = (0..layers)
            .map(|i| {
                let inputs = if i == 0 { previous } else { outputs };
                let skip = if i == layers - 1 { skip } else { outputs };
                let scope = scope.at(format_args!("resnets.{i}"));
                Resnet::new(&scope, inputs + skip, outputs, resnet)
            })
            .collect();
        let attentions = transformers(scope, layers, transformer);
        let upsample = upsample.then(|| Upsample::new(scope, outputs));
        Self {
            resnets,
            attentions,
            upsample,
        }
    }

    pub(super) fn forward(
        &self,
        xs: &Tensor,
        time: &Tensor,
        context: &Tensor,
        skips: &mut Vec<Tensor>,
    ) -> Tensor {
        let mut xs = xs.shallow_clone();
        for (i, resnet) in self.resnets.iter().enumerate() {
            let joined = match skips.pop() {
                Some(skip) => Tensor::cat(&[&xs, &skip], 1),
                None => xs,
            };
            xs = resnet.forward(&joined, Some(time));
            if let Some(attention) = self.attentions.get(i) {
                xs = attention.forward(&xs, context);
            }
        }
        if let Some(upsample) = &self.upsample {
            // The next level's size is that of the skip it will consume first.
            let size = skips
                .last()
                .map_or_else(|| doubled(&xs), |skip| last_two(&skip.size()));
            xs = upsample.forward(&xs, size);
        }
        xs
    }
}

fn last_two(size: &[i64]) -> [i64; 2] {
    [size[size.len() - 2], size[size.len() - 1]]
}

fn doubled(xs: &Tensor) -> [i64; 2] {
    last_two(&xs.size()).map(|n| 2 * n)
}
