//! What a file is that should be a TorchScript, told from its content.

use std::path::Path;

use crate::classifier::ClassifierError;
use crate::io;

/// A zip names its members in a directory at its end; no model has one larger than this.
const DIRECTORY: usize = 16 << 20;

/// Reads a TorchScript's bytes; anything else is refused unopened.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, ClassifierError> {
    let bytes = io::read(path)?;
    match refusal(&bytes) {
        None => Ok(bytes),
        Some(found) => Err(ClassifierError::NotAScript {
            path: path.to_owned(),
            found,
        }),
    }
}

/// What the content is, with its article; none for a TorchScript.
fn refusal(bytes: &[u8]) -> Option<&'static str> {
    const WEIGHTS: &str = "a PyTorch checkpoint (a pickle: weights without a network, which can run \
                           code when it is opened)";
    if bytes.is_empty() {
        return Some("empty");
    }
    if !bytes.starts_with(b"PK\x03\x04") {
        return Some(match io::matrix::pickle_kind(bytes) {
            Some(_) => WEIGHTS,
            None if bytes.get(8) == Some(&b'{') => "safetensors: weights without a network",
            None => "of unknown content",
        });
    }
    // A comment of 64 KiB may follow the end's record.
    let end = &bytes[bytes.len().saturating_sub(66 << 10)..];
    if !holds(end, b"PK\x05\x06") {
        return Some("a zip archive that is cut off");
    }
    let directory = &bytes[bytes.len().saturating_sub(DIRECTORY)..];
    let names = |name: &str| holds(directory, name.as_bytes());
    // `torch.jit.save` writes the constants of its code; nothing else of PyTorch does.
    if names("/constants.pkl") {
        None
    } else if names("serialized_exported_program.json") || names("/archive_format") {
        Some("a torch.export archive (.pt2), which libtorch cannot run")
    } else if names("/data.pkl") {
        Some(WEIGHTS)
    } else {
        Some("a zip archive of something else")
    }
}

fn holds(bytes: &[u8], text: &[u8]) -> bool {
    bytes.windows(text.len()).any(|window| window == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_decides() {
        let zip = |names: &str| format!("PK\x03\x04....{names}PK\x05\x06....").into_bytes();
        for (bytes, said) in [
            (b"".to_vec(), Some("empty")),
            (b"\x80\x02}q\x00.".to_vec(), Some("a PyTorch checkpoint")),
            (zip("model/data.pkl"), Some("a PyTorch checkpoint")),
            (zip("m/data.pkl m/constants.pkl m/code/"), None),
            (zip("m/archive_format m/data.pkl"), Some("a torch.export")),
            (zip("word/document.xml"), Some("a zip archive")),
            (
                b"PK\x03\x04m/data.pkl m/constants.pkl".to_vec(),
                Some("a zip archive that is cut"),
            ),
            (b"import torch".to_vec(), Some("of unknown content")),
            (b"\x10\0\0\0\0\0\0\0{\"a\":1}".to_vec(), Some("safetensors")),
        ] {
            let found = refusal(&bytes);
            match said {
                None => assert_eq!(found, None),
                Some(start) => assert!(found.unwrap().starts_with(start), "{found:?} {start}"),
            }
        }
    }
}
