//! The user's own classifier as TorchScript: a network with its code in one file.
//!
//! ```text
//! pixels f32 [n, 3, h, w] ──forward──▶ logits [n, k]  or  (logits [n, k], features [n, d])
//! ```
//!
//! Running one runs its author's code: TorchScript cannot reach the machine as Python can, but it is
//! a program, so open only what you trust. What is no TorchScript is told apart by content and never
//! given to libtorch.

mod file;
mod output;
mod steady;

use std::path::{Path, PathBuf};

use ndarray::{Array2, ArrayView4};
use tch::{CModule, Device, IValue, Kind, TchError, Tensor};

use super::ClassifierError;

/// What a classifier says of some images.
#[derive(Debug, Clone, PartialEq)]
pub struct Outputs {
    /// `[n, k]`.
    pub logits: Array2<f32>,
    /// `[n, d]`, where the module returns features.
    pub features: Option<Array2<f32>>,
}

/// A TorchScript module that takes images.
#[derive(Debug)]
pub struct Script {
    module: CModule,
    path: PathBuf,
    device: Device,
    sha256: String,
}

impl Script {
    /// Opens a TorchScript in evaluation mode.
    ///
    /// # Errors
    ///
    /// - [`ClassifierError::NotAScript`] for weights without a network (a pickle), a `torch.export`
    ///   archive, or anything else, by the file's content.
    /// - [`ClassifierError::Io`], [`ClassifierError::Torch`].
    pub fn open(path: &Path, device: Device) -> Result<Self, ClassifierError> {
        let bytes = file::read(path)?;
        let failed = |source| torch(path, "could not be opened", source);
        let mut module =
            CModule::load_data_on_device(&mut bytes.as_slice(), device).map_err(failed)?;
        module.f_set_eval().map_err(failed)?;
        // Otherwise the first batches run another program than the later ones, and a resumed run
        // gets other last digits.
        tch::jit::f_set_profiling_mode(false).map_err(failed)?;
        Ok(Self {
            module,
            path: path.to_owned(),
            device,
            sha256: crate::io::sha256_hex(&bytes),
        })
    }

    /// SHA-256 of the file.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// Runs a batch.
    ///
    /// # Shapes and units
    ///
    /// `pixels`: `[n, 3, h, w]`, normalised as the module expects.
    ///
    /// # Errors
    ///
    /// [`ClassifierError::Torch`] if the module throws, [`ClassifierError::Returned`] if it gives
    /// something else than [`Outputs`].
    pub fn run(&self, pixels: ArrayView4<'_, f32>) -> Result<Outputs, ClassifierError> {
        let n = pixels.dim().0;
        let shape: Vec<i64> = pixels.shape().iter().map(|&side| side as i64).collect();
        let pixels = pixels.as_standard_layout();
        let flat = pixels.as_slice().unwrap_or_default();
        let failed = |source| {
            let doing = format!("failed on images {shape:?}");
            torch(&self.path, &doing, source)
        };
        let said = tch::no_grad(|| -> Result<IValue, TchError> {
            let input = Tensor::f_from_slice(flat)?
                .f_reshape(&shape)?
                .f_to_device(self.device)?;
            self.module.forward_is(&[IValue::Tensor(input)])
        })
        .map_err(failed)?;
        let returned = |found| ClassifierError::Returned {
            path: self.path.clone(),
            batch: n,
            found,
        };
        let (logits, features) = output::split(said, n).map_err(returned)?;
        let array = |tensor: &Tensor| self.array(tensor);
        Ok(Outputs {
            logits: array(&logits)?,
            features: features.as_ref().map(array).transpose()?,
        })
    }

    fn array(&self, tensor: &Tensor) -> Result<Array2<f32>, ClassifierError> {
        let failed = |source| torch(&self.path, "gave numbers that cannot be read", source);
        let size = tensor.size();
        let (rows, columns) = match size[..] {
            [rows, columns] => (rows as usize, columns as usize),
            _ => (0, 0),
        };
        let mut flat = vec![0_f32; rows * columns];
        tensor
            .f_to_device(Device::Cpu)
            .and_then(|t| t.f_to_kind(Kind::Float))
            .and_then(|t| t.f_contiguous())
            .and_then(|t| t.f_copy_data(&mut flat, rows * columns))
            .map_err(failed)?;
        let shape = Array2::from_shape_vec((rows, columns), flat);
        shape.map_err(|error| failed(TchError::Shape(error.to_string())))
    }
}

/// libtorch's error, short: its first line, and the end of the traceback, which has the reason.
fn torch(path: &Path, doing: &str, source: TchError) -> ClassifierError {
    let source = match source {
        TchError::Torch(text) => TchError::Torch(brief(&text)),
        other => other,
    };
    ClassifierError::Torch {
        path: path.to_owned(),
        doing: doing.to_owned(),
        source,
    }
}

/// The first line of a message and its last lines, without the C++ frames below.
fn brief(text: &str) -> String {
    const LAST: usize = 5;
    let end = text.find("\nException raised from").unwrap_or(text.len());
    let lines: Vec<&str> = text[..end]
        .lines()
        .filter(|l| !l.trim().is_empty())
        .collect();
    if lines.len() <= LAST + 2 {
        return lines.join("\n");
    }
    let last = lines[lines.len() - LAST..].join("\n");
    format!("{}\n…\n{last}", lines[0])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_message_keeps_its_head_and_its_reason() {
        let traceback = "  a frame\n\n".repeat(40);
        let text = format!("It failed.\n{traceback}RuntimeError: no\nException raised from x\n#0");
        let short = brief(&text);
        assert!(short.starts_with("It failed.\n…\n"), "{short}");
        assert!(short.ends_with("RuntimeError: no"), "{short}");
        assert!(short.lines().count() < 9, "{short}");
        assert_eq!(brief("one line"), "one line");
    }
}
