//! What a module returned, as logits and features.

use tch::{IValue, Tensor};

/// Logits `[n, k]` and, where there are, features `[n, d]`; else what was found.
///
/// A tensor is logits; a tuple (also a named one) begins with logits, then features or None, then
/// nothing but None: torchvision's Inception returns `(logits, None)` when it is scripted. A vector
/// of `n` is one logit an image; features may end in sides of one pixel.
pub(super) fn split(said: IValue, n: usize) -> Result<(Tensor, Option<Tensor>), String> {
    match said {
        IValue::Tensor(logits) => Ok((logits_of(&logits, n)?, None)),
        IValue::Tuple(parts) => {
            let kinds: Vec<String> = parts.iter().map(kind).collect();
            let found = || format!("a tuple ({})", kinds.join(", "));
            let mut parts = parts.into_iter();
            let Some(IValue::Tensor(logits)) = parts.next() else {
                return Err(found());
            };
            let features = match parts.next() {
                None | Some(IValue::None) => None,
                Some(IValue::Tensor(features)) => Some(features),
                Some(_) => return Err(found()),
            };
            if parts.any(|part| !matches!(part, IValue::None)) {
                return Err(found());
            }
            let features = features.map(|f| features_of(&f, n)).transpose()?;
            Ok((logits_of(&logits, n)?, features))
        }
        other => Err(kind(&other)),
    }
}

fn logits_of(tensor: &Tensor, n: usize) -> Result<Tensor, String> {
    let tensor = match tensor.size()[..] {
        [rows] if rows as usize == n => tensor.f_unsqueeze(1),
        [rows, classes] if rows as usize == n && classes > 0 => Ok(tensor.shallow_clone()),
        _ => return Err(format!("logits {:?}", tensor.size())),
    };
    tensor.map_err(|error| error.to_string())
}

fn features_of(tensor: &Tensor, n: usize) -> Result<Tensor, String> {
    match tensor.size()[..] {
        [rows, width] | [rows, width, 1, 1] if rows as usize == n && width > 0 => {
            let flat = tensor.f_reshape([rows, width]);
            flat.map_err(|error| error.to_string())
        }
        _ => Err(format!("features {:?}", tensor.size())),
    }
}

/// What a value is, for a message.
fn kind(value: &IValue) -> String {
    match value {
        IValue::Tensor(tensor) => format!("tensor {:?}", tensor.size()),
        IValue::None => "None".to_owned(),
        IValue::GenericDict(_) => "a dict".to_owned(),
        IValue::GenericList(_) | IValue::TensorList(_) => "a list".to_owned(),
        IValue::Tuple(_) => "a tuple".to_owned(),
        _ => "a value that is no tensor".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind};

    use super::*;

    fn zeros(size: &[i64]) -> IValue {
        IValue::Tensor(Tensor::zeros(size, (Kind::Float, Device::Cpu)))
    }

    #[test]
    fn tensors_and_tuples_are_taken() {
        let sizes = |said: IValue| {
            let (logits, features) = split(said, 2).unwrap();
            (logits.size(), features.map(|f| f.size()))
        };
        assert_eq!(sizes(zeros(&[2, 3])), (vec![2, 3], None));
        assert_eq!(sizes(zeros(&[2])), (vec![2, 1], None));
        let tuple = |second| IValue::Tuple(vec![zeros(&[2, 3]), second]);
        assert_eq!(sizes(tuple(zeros(&[2, 5]))), (vec![2, 3], Some(vec![2, 5])));
        assert_eq!(
            sizes(tuple(zeros(&[2, 5, 1, 1]))),
            (vec![2, 3], Some(vec![2, 5]))
        );
        assert_eq!(sizes(tuple(IValue::None)), (vec![2, 3], None));
    }

    #[test]
    fn anything_else_is_said() {
        let said = |value| split(value, 2).unwrap_err();
        assert_eq!(said(zeros(&[1, 3])), "logits [1, 3]");
        assert_eq!(said(zeros(&[2, 3, 4])), "logits [2, 3, 4]");
        assert_eq!(said(IValue::GenericDict(Vec::new())), "a dict");
        let tuple = |second| IValue::Tuple(vec![zeros(&[2, 3]), second]);
        assert_eq!(said(tuple(zeros(&[2, 5, 7, 7]))), "features [2, 5, 7, 7]");
        assert_eq!(
            said(tuple(IValue::Int(3))),
            "a tuple (tensor [2, 3], a value that is no tensor)"
        );
        let three = IValue::Tuple(vec![zeros(&[2, 3]), zeros(&[2, 5]), zeros(&[2, 5])]);
        assert!(said(three).starts_with("a tuple (tensor [2, 3], tensor [2, 5]"));
    }
}
