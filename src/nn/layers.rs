//! Linear, convolution and normalisation layers, named as checkpoints name them.
//!
//! A layer whose parameters have another element type than its input casts them on the way: that
//! is how training keeps float32 parameters and computes in bfloat16.

use tch::Tensor;

use super::params::{Init, Scope};

fn like(parameter: &Tensor, xs: &Tensor) -> Tensor {
    if parameter.kind() == xs.kind() {
        parameter.shallow_clone()
    } else {
        parameter.to_kind(xs.kind())
    }
}

/// `y = x Wᵀ + b`.
#[derive(Debug)]
pub struct Linear {
    weight: Tensor,
    bias: Option<Tensor>,
}

impl Linear {
    /// Takes `weight` `[outputs, inputs]` and, with `bias`, `bias` `[outputs]`.
    pub fn new(scope: &Scope, inputs: i64, outputs: i64, bias: bool) -> Self {
        let weight = scope.param("weight", &[outputs, inputs], Init::FanIn(inputs));
        let bias = bias.then(|| scope.param("bias", &[outputs], Init::FanIn(inputs)));
        Self { weight, bias }
    }

    /// Of a weight `[outputs, inputs]` and a bias `[outputs]` that a checkpoint keeps in another
    /// form, such as several layers in one matrix.
    pub fn from_tensors(weight: Tensor, bias: Option<Tensor>) -> Self {
        Self { weight, bias }
    }

    /// # Shapes
    ///
    /// `[.., inputs]` to `[.., outputs]`.
    pub fn forward(&self, xs: &Tensor) -> Tensor {
        xs.linear(
            &like(&self.weight, xs),
            self.bias.as_ref().map(|b| like(b, xs)).as_ref(),
        )
    }
}

/// A two-dimensional convolution with a square kernel.
#[derive(Debug)]
pub struct Conv2d {
    weight: Tensor,
    bias: Option<Tensor>,
    stride: i64,
    padding: i64,
}

impl Conv2d {
    /// Takes `weight` `[outputs, inputs, kernel, kernel]` and `bias` `[outputs]`.
    pub fn new(
        scope: &Scope,
        inputs: i64,
        outputs: i64,
        kernel: i64,
        stride: i64,
        padding: i64,
    ) -> Self {
        let mut conv = Self::without_bias(scope, inputs, outputs, kernel, stride, padding);
        conv.bias = Some(scope.param("bias", &[outputs], Init::FanIn(inputs * kernel * kernel)));
        conv
    }

    /// As [`Conv2d::new`], without a bias.
    pub fn without_bias(
        scope: &Scope,
        inputs: i64,
        outputs: i64,
        kernel: i64,
        stride: i64,
        padding: i64,
    ) -> Self {
        let init = Init::FanIn(inputs * kernel * kernel);
        let weight = scope.param("weight", &[outputs, inputs, kernel, kernel], init);
        Self {
            weight,
            bias: None,
            stride,
            padding,
        }
    }

    /// # Shapes
    ///
    /// `[n, inputs, h, w]` to `[n, outputs, h', w']`.
    pub fn forward(&self, xs: &Tensor) -> Tensor {
        xs.conv2d(
            &like(&self.weight, xs),
            self.bias.as_ref().map(|b| like(b, xs)).as_ref(),
            [self.stride, self.stride],
            [self.padding, self.padding],
            [1, 1],
            1,
        )
    }
}

/// Normalises groups of channels (Wu and He 2018).
#[derive(Debug)]
pub struct GroupNorm {
    weight: Tensor,
    bias: Tensor,
    groups: i64,
    eps: f64,
}

impl GroupNorm {
    /// Takes `weight` and `bias`, `[channels]` each.
    pub fn new(scope: &Scope, groups: i64, channels: i64, eps: f64) -> Self {
        let weight = scope.param("weight", &[channels], Init::Const(1.0));
        let bias = scope.param("bias", &[channels], Init::Const(0.0));
        Self {
            weight,
            bias,
            groups,
            eps,
        }
    }

    /// # Shapes
    ///
    /// `[n, channels, ..]` to the same.
    pub fn forward(&self, xs: &Tensor) -> Tensor {
        xs.group_norm(
            self.groups,
            Some(&like(&self.weight, xs)),
            Some(&like(&self.bias, xs)),
            self.eps,
            true,
        )
    }
}

/// Normalises the last dimension (Ba, Kiros and Hinton 2016).
#[derive(Debug)]
pub struct LayerNorm {
    weight: Tensor,
    bias: Tensor,
    width: i64,
    eps: f64,
}

impl LayerNorm {
    /// Takes `weight` and `bias`, `[width]` each.
    pub fn new(scope: &Scope, width: i64, eps: f64) -> Self {
        let weight = scope.param("weight", &[width], Init::Const(1.0));
        let bias = scope.param("bias", &[width], Init::Const(0.0));
        Self {
            weight,
            bias,
            width,
            eps,
        }
    }

    /// # Shapes
    ///
    /// `[.., width]` to the same.
    pub fn forward(&self, xs: &Tensor) -> Tensor {
        let (weight, bias) = (like(&self.weight, xs), like(&self.bias, xs));
        xs.layer_norm([self.width], Some(&weight), Some(&bias), self.eps, true)
    }
}
