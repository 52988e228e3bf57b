//! `.tar` shards for `webdataset` and `datasets.load_dataset("webdataset")`.
//!
//! A sample is three members in a row, `KEY.png` (or another image), `KEY.cls`, `KEY.json`. A key
//! ends at the first dot of a name, so it has none; every sample has the same members and every
//! `.json` the same keys without nulls, because the readers take the first samples' for those of all.
//! Images of several kinds are therefore all named `.jpg`, with their bytes as they are: decoders go
//! by content.
//!
//! Members are old-fashioned `ustar` entries with time, owner and group 0: the same rows give the
//! same bytes. Read in webdataset 1.0.2, `tariterators.py`, and datasets 5.2.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use super::{ExportError, Facts, Item, Splits};
use crate::io::IoError;

/// A shard ends with the sample that brings it to this size.
pub(super) const SHARD_BYTES: u64 = 500_000_000;

/// Tar files are made of blocks.
const BLOCK: usize = 512;

pub(super) fn write(
    folder: &Path,
    splits: &Splits<'_>,
    shard_bytes: u64,
) -> Result<Vec<String>, ExportError> {
    let mut kinds: Vec<&str> = splits
        .values()
        .flatten()
        .map(|item| item.extension.as_str())
        .collect();
    kinds.sort_unstable();
    kinds.dedup();
    let (kind, notes) = match kinds[..] {
        [kind] if !kind.is_empty() => (kind, Vec::new()),
        _ => {
            let note = format!(
                "images of several kinds ({}) are all named .jpg, because every sample must have the \
                 same members; their bytes are as they were",
                kinds.join(", ")
            );
            ("jpg", vec![note])
        }
    };
    for (split, items) in splits {
        let mut number = 0;
        let mut shard: Option<Shard> = None;
        for item in items {
            let open = if let Some(open) = &mut shard {
                open
            } else {
                let path = folder.join(format!("{}-{number:06}.tar", split.name()));
                shard.insert(Shard::create(path)?)
            };
            sample(open, item, kind)?;
            if open.bytes >= shard_bytes {
                number += 1;
                if let Some(full) = shard.take() {
                    full.finish()?;
                }
            }
        }
        if let Some(last) = shard {
            last.finish()?;
        }
    }
    Ok(notes)
}

fn sample(shard: &mut Shard, item: &Item<'_>, kind: &str) -> Result<(), ExportError> {
    let image = item.content()?;
    let facts =
        serde_json::to_vec(&Facts::new(item.row)).map_err(|source| ExportError::Encode {
            path: shard.path.clone(),
            source,
        })?;
    let stem = &item.stem;
    shard.add(&format!("{stem}.{kind}"), &image)?;
    shard.add(
        &format!("{stem}.cls"),
        item.row.label.to_string().as_bytes(),
    )?;
    shard.add(&format!("{stem}.json"), &facts)?;
    Ok(())
}

/// A `.tar` being written.
struct Shard {
    path: PathBuf,
    file: BufWriter<File>,
    bytes: u64,
}

impl Shard {
    fn create(path: PathBuf) -> Result<Self, IoError> {
        match File::create(&path) {
            Ok(file) => Ok(Self {
                path,
                file: BufWriter::new(file),
                bytes: 0,
            }),
            Err(source) => Err(IoError::Write { path, source }),
        }
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), IoError> {
        self.bytes += bytes.len() as u64;
        self.file.write_all(bytes).map_err(|source| IoError::Write {
            path: self.path.clone(),
            source,
        })
    }

    fn add(&mut self, name: &str, content: &[u8]) -> Result<(), IoError> {
        self.put(&header(name, content.len()))?;
        self.put(content)?;
        let padding = content.len().next_multiple_of(BLOCK) - content.len();
        self.put(&[0; BLOCK][..padding])
    }

    /// Two blocks of zeros end the file.
    fn finish(mut self) -> Result<(), IoError> {
        self.put(&[0; 2 * BLOCK])?;
        let path = self.path;
        let synced = self
            .file
            .into_inner()
            .map_err(std::io::IntoInnerError::into_error)
            .and_then(|file| file.sync_all());
        synced.map_err(|source| IoError::Write { path, source })
    }
}

/// The header of a plain file (POSIX.1-1988, `ustar`); names here are short and ASCII.
fn header(name: &str, size: usize) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    let mut put =
        |at: usize, text: &str| block[at..at + text.len()].copy_from_slice(text.as_bytes());
    put(0, name);
    put(100, "0000644");
    put(108, "0000000");
    put(116, "0000000");
    put(124, &format!("{size:011o}"));
    put(136, "00000000000");
    // The checksum is summed over a header in which it is blank.
    put(148, "        ");
    put(156, "0");
    put(257, "ustar");
    put(263, "00");
    let sum: u32 = block.iter().copied().map(u32::from).sum();
    block[148..154].copy_from_slice(format!("{sum:06o}").as_bytes());
    block[154] = 0;
    block
}
