//! Named tensors to and from one `.safetensors` file.

use std::collections::BTreeMap;
use std::path::Path;

use safetensors::tensor::{Dtype, TensorView};
use tch::{Device, Kind, Tensor};

use super::{Checkpoint, ParamsError};
use crate::io;

/// Writes tensors as one `.safetensors` file of element type `kind` (half or float), sorted by name.
///
/// # Errors
///
/// [`ParamsError::Torch`] if a tensor cannot be copied, [`ParamsError::Io`] if the file cannot be
/// written.
pub fn save(
    path: &Path,
    tensors: &BTreeMap<String, Tensor>,
    kind: Kind,
) -> Result<(), ParamsError> {
    let dtype = match kind {
        Kind::Half => Dtype::F16,
        Kind::BFloat16 => Dtype::BF16,
        _ => Dtype::F32,
    };
    let kind = if dtype == Dtype::F32 {
        Kind::Float
    } else {
        kind
    };
    let mut blobs = Vec::new();
    for (name, tensor) in tensors {
        let torch = |source| ParamsError::Torch {
            name: name.clone(),
            source,
        };
        let flat = tensor
            .f_detach()
            .and_then(|t| t.f_to_device(Device::Cpu))
            .and_then(|t| t.f_to_kind(kind))
            .and_then(|t| t.f_contiguous())
            .map_err(torch)?;
        let mut bytes = vec![0_u8; flat.numel() * kind.elt_size_in_bytes()];
        flat.f_copy_data_u8(&mut bytes, flat.numel())
            .map_err(torch)?;
        let shape = flat.size().iter().map(|&n| n as usize).collect::<Vec<_>>();
        blobs.push((name.clone(), shape, bytes));
    }
    let layout = |source| ParamsError::Layout {
        path: path.to_path_buf(),
        source,
    };
    let mut views = Vec::new();
    for (name, shape, bytes) in &blobs {
        views.push((
            name,
            TensorView::new(dtype, shape.clone(), bytes).map_err(layout)?,
        ));
    }
    // Transformers refuses a file that does not say which framework wrote it.
    let metadata = [("format".to_owned(), "pt".to_owned())].into();
    let bytes = safetensors::serialize(views, Some(metadata)).map_err(layout)?;
    io::write_atomic(path, &bytes)?;
    Ok(())
}

/// All float tensors of a `.safetensors` file, as float32 on the CPU.
///
/// # Errors
///
/// As [`Checkpoint::open`], and [`ParamsError::Dtype`].
pub fn load_all(path: &Path) -> Result<BTreeMap<String, Tensor>, ParamsError> {
    let file = Checkpoint::open(path)?;
    let mut all = BTreeMap::new();
    for (name, _, _) in file.tensors() {
        if let Some(tensor) = file.take(name, Kind::Float, Device::Cpu)? {
            all.insert(name.to_owned(), tensor);
        }
    }
    Ok(all)
}
