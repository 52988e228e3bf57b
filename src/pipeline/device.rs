//! What the words for devices and number types mean.

use std::path::Path;

use super::error::Error;
use crate::nn::threads;
use tch::{Cuda, Device, Kind};

/// The last part of a model's path, as files name the model.
pub(crate) fn name_of(model: &Path) -> String {
    model
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default()
}

/// The device and number type that these words ask for; `auto` is the first GPU if there is one, and
/// half precision there. From here on libtorch's threads sleep while they wait.
///
/// # Errors
///
/// [`Error`] of kind usage for a word that means nothing, and for a GPU that is not there.
pub fn device(device: &str, dtype: &str) -> Result<(Device, Kind), Error> {
    let cuda = |index: usize| {
        let count = Cuda::device_count().max(0) as usize;
        if Cuda::is_available() && index < count {
            Ok(Device::Cuda(index))
        } else {
            Err(Error::usage(format!(
                "device cuda:{index} is not there ({count} CUDA devices): use --device cpu, or see \
                 `hardlight doctor`"
            )))
        }
    };
    let device = match device {
        "auto" if Cuda::is_available() => Device::Cuda(0),
        "auto" | "cpu" => Device::Cpu,
        "cuda" => cuda(0)?,
        other => match other.strip_prefix("cuda:").and_then(|n| n.parse().ok()) {
            Some(index) => cuda(index)?,
            None => {
                return Err(Error::usage(format!(
                    "device {other}: expected auto, cpu, cuda or cuda:N"
                )));
            }
        },
    };
    threads::sleep_while_waiting();
    let kind = match dtype {
        "auto" if device.is_cuda() => Kind::Half,
        "auto" | "fp32" => Kind::Float,
        "fp16" => Kind::Half,
        "bf16" => Kind::BFloat16,
        other => {
            return Err(Error::usage(format!(
                "dtype {other}: expected auto, fp32, fp16 or bf16"
            )));
        }
    };
    Ok((device, kind))
}
