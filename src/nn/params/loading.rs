//! A checkpoint while a network takes its tensors.

use std::collections::BTreeSet;
use std::rc::Rc;

use tch::{Device, Kind, Tensor};

use super::{Checkpoint, Mismatch, ParamsError};

/// Buffers that older checkpoints carry and that hold no learned value.
const IGNORED_SUFFIXES: [&str; 1] = ["embeddings.position_ids"];

/// Changes weights while they are loaded, as a `LoRA` does.
pub trait Patch {
    /// Full names of the weights that it changes.
    fn targets(&self) -> Vec<String>;

    /// The changed weight of this name, from the float32 weight in the checkpoint; called for
    /// targets only. The shape must stay.
    ///
    /// # Errors
    ///
    /// What stands in the way of reading or computing the change.
    fn apply(&self, name: &str, weight: &Tensor) -> Result<Tensor, ParamsError>;
}

/// A checkpoint while a network takes its tensors.
pub(super) struct Loading {
    pub(super) file: Checkpoint,
    kind: Kind,
    /// Whether tensors are looked at only: zeros stand for all of them.
    inspect: bool,
    pub(super) patch: Option<Rc<dyn Patch>>,
    /// Names that the patch changes.
    pub(super) targets: BTreeSet<String>,
    report: Mismatch,
    asked: BTreeSet<String>,
    failed: Option<ParamsError>,
}

impl Loading {
    pub(super) fn new(file: Checkpoint, kind: Kind, inspect: bool) -> Self {
        Self {
            file,
            kind,
            inspect,
            patch: None,
            targets: BTreeSet::new(),
            report: Mismatch::default(),
            asked: BTreeSet::new(),
            failed: None,
        }
    }

    /// Whether the network was given all that it asked for, and asked for all that there is but what begins with
    /// one of `spare`; gives the names of that.
    pub(super) fn finish(&mut self, spare: &[&str]) -> Result<Vec<String>, ParamsError> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        let path = self.file.path().to_path_buf();
        let mut report = std::mem::take(&mut self.report);
        let mut passed = Vec::new();
        for (name, _, shape) in self.file.tensors() {
            let ignored = IGNORED_SUFFIXES.iter().any(|s| name.ends_with(s));
            if ignored || self.asked.contains(name) {
                continue;
            }
            if spare.iter().any(|begin| name.starts_with(begin)) {
                passed.push(name.to_owned());
            } else {
                report.unused.push((name.to_owned(), shape));
            }
        }
        if !report.is_empty() {
            return Err(ParamsError::Mismatch { path, report });
        }
        let names: Vec<String> = self.targets.difference(&self.asked).cloned().collect();
        if !names.is_empty() {
            return Err(ParamsError::Adapter { path, names });
        }
        Ok(passed)
    }

    /// The tensor `name`, or zeros and an entry in the report.
    pub(super) fn take(&mut self, name: String, shape: &[i64], device: Device) -> Tensor {
        self.asked.insert(name.clone());
        let taken = match self.file.shape(&name) {
            Some(found) if found == shape => self.load(&name, device),
            Some(found) => {
                self.report.wrong_shape.push((name, shape.to_vec(), found));
                Ok(None)
            }
            None => {
                self.report.missing.push((name, shape.to_vec()));
                Ok(None)
            }
        };
        // One number, whatever shape a hostile config asks for; no network works with what
        // [`Params::finish`] refuses.
        let zeros = || {
            let zero = Tensor::zeros([0_i64; 0], (self.kind, device));
            zero.f_expand(shape, false).unwrap_or(zero)
        };
        match taken {
            Ok(tensor) => tensor.unwrap_or_else(zeros),
            Err(error) => {
                let zeros = zeros();
                self.failed.get_or_insert(error);
                zeros
            }
        }
    }

    fn load(&self, name: &str, device: Device) -> Result<Option<Tensor>, ParamsError> {
        if self.inspect {
            return self.file.kind(name).map(|_| None);
        }
        let Some(patch) = self.patch.as_ref().filter(|_| self.targets.contains(name)) else {
            return self.file.take(name, self.kind, device);
        };
        // Half precision would round the small change away.
        let Some(weight) = self.file.take(name, Kind::Float, device)? else {
            return Ok(None);
        };
        patch
            .apply(name, &weight)?
            .f_to_kind(self.kind)
            .map(Some)
            .map_err(|source| ParamsError::Torch {
                name: name.to_owned(),
                source,
            })
    }
}
