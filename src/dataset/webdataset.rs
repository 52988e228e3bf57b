//! WebDataset: `.tar` shards in which the files of a sample share a key and follow each other.
//!
//! The key is a member's path up to the first dot of its base name, and what follows says what the
//! file is: an image (`jpg`, `png`, `webp`, …), `cls` (the label as text) or `json` (an object with
//! the label under `label`, or the name that was chosen, and the group). A `cls` counts before an
//! unchosen `label`. Other members are passed over, as are names that begin with two underscores.
//!
//! A shard's split is the first word of its path below the root that names one
//! (`train-000017.tar`, `val/000003.tar`). An image's id is its shard and key: `train-000017.tar/0042`.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::io::Read as _;
use std::path::Path;

use serde_json::{Map, Value};
use tar::{Archive, Entry};

use super::folder::{EXTENSIONS, folders};
use super::outputs::Classes;
use super::published::split_of;
use super::records::Place;
use super::table::in_order;
use super::{Dataset, DatasetError, Example, LayoutOptions, Split, checks};
use crate::io::source::Member;
use crate::io::{self, IoError};

/// The most bytes of a label or of the JSON about an image.
const MAX_TEXT: u64 = 1 << 20;

/// Archives are made of blocks of so many bytes.
const BLOCK: u64 = 512;

/// A sample of a shard, as far as it was read.
struct Sample {
    key: String,
    /// Path of the shard below the root.
    shard: String,
    split: Split,
    /// Number of its first member in the shard, from 1.
    at: usize,
    image: Option<Member>,
    cls: Option<Label>,
    /// The label in its `json`.
    named: Option<Label>,
    group: Option<String>,
}

/// A class by name, or by number.
struct Label {
    text: String,
    number: bool,
}

/// Reads the shards of a folder and of the folders in it, in order of their paths.
pub(super) fn read(root: &Path, options: &LayoutOptions) -> Result<Dataset, DatasetError> {
    let mut samples = Vec::new();
    for shard in shards(root)? {
        read_shard(root, &shard, options, &mut samples)?;
    }
    let place = |shard: &str, line| {
        let path = root.join(shard);
        Place { path: &path, line }.to_string()
    };
    let first = samples.first();
    let first = first.map_or_else(String::new, |first| place(&first.shard, first.at));
    let mut labels: Vec<Label> = Vec::with_capacity(samples.len());
    let mut examples = Vec::with_capacity(samples.len());
    for sample in &mut samples {
        let image = sample.image.take();
        let label = sample.cls.take().or(sample.named.take());
        let lacks = |reason| DatasetError::Disagreement {
            place: place(&sample.shard, sample.at),
            name: sample.key.clone(),
            reason,
        };
        let image = image.ok_or_else(|| lacks("has no image"))?;
        let label = label.ok_or_else(|| lacks("has no label, neither cls nor in json"))?;
        if labels
            .first()
            .is_some_and(|first| first.number != label.number)
        {
            return Err(DatasetError::MixedTypes {
                place: place(&sample.shard, sample.at),
                column: "label",
                number: label.number,
                first,
            });
        }
        labels.push(label);
        // The class is known when all labels are.
        let mut example = Example::new(sample.shard.clone(), 0, sample.split);
        example.id = format!("{}/{}", sample.shard, sample.key);
        example.group.clone_from(&sample.group);
        example.member = Some(image);
        examples.push(example);
    }
    if examples.is_empty() {
        return Err(DatasetError::NoExamples {
            path: root.to_owned(),
        });
    }
    let classes = options.classes.clone().unwrap_or_else(|| {
        let texts: BTreeSet<&str> = labels.iter().map(|label| label.text.as_str()).collect();
        in_order(texts)
    });
    checks::class_names(&classes)?;
    let index = Classes::new(&classes);
    for ((example, label), sample) in examples.iter_mut().zip(&labels).zip(&samples) {
        // A number counts the class names that were given.
        let number = label.text.parse().ok();
        let number = number.filter(|_| label.number && options.classes.is_some());
        let path = root.join(&sample.shard);
        let (path, line) = (path.as_path(), sample.at);
        example.label = match number {
            Some(number) => number,
            None => index.index(&label.text, "label", Place { path, line })?,
        };
    }
    let dataset = Dataset {
        root: root.to_owned(),
        classes,
        examples,
    };
    checks::check(&dataset, |index| {
        place(&samples[index].shard, samples[index].at)
    })?;
    Ok(dataset)
}

/// The shards by their paths below the root, sorted.
fn shards(root: &Path) -> Result<Vec<String>, DatasetError> {
    let mut shards = Vec::new();
    let inner = folders(root)?.into_iter().map(|name| format!("{name}/"));
    for prefix in inner.chain([String::new()]) {
        let path = root.join(&prefix);
        let failed = |source| DatasetError::List {
            path: path.clone(),
            source,
        };
        for entry in fs::read_dir(&path).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let Ok(name) = entry.file_name().into_string() else {
                return Err(DatasetError::NameNotUtf8 { path: entry.path() });
            };
            let hidden = name.starts_with('.');
            if !hidden
                && Path::new(&name)
                    .extension()
                    .is_some_and(|text| text == "tar")
            {
                shards.push(format!("{prefix}{name}"));
            }
        }
    }
    shards.sort();
    Ok(shards)
}

/// The split that a shard's path names.
fn split(root: &Path, shard: &str) -> Result<Split, DatasetError> {
    split_of(shard).ok_or_else(|| DatasetError::Disagreement {
        place: root.display().to_string(),
        name: shard.to_owned(),
        reason: "names no split: expected train, val, test or pool in the shard's name or folder",
    })
}

/// Adds the samples of a shard.
fn read_shard(
    root: &Path,
    shard: &str,
    options: &LayoutOptions,
    samples: &mut Vec<Sample>,
) -> Result<(), DatasetError> {
    let split = split(root, shard)?;
    let path = root.join(shard);
    let failed = |source| {
        DatasetError::Io(IoError::Read {
            path: path.clone(),
            source,
        })
    };
    let (file, size) = io::open(&path)?;
    let begin = samples.len();
    let mut archive = Archive::new(file);
    for (entry, line) in archive.entries_with_seek().map_err(failed)?.zip(1..) {
        let mut entry = entry.map_err(failed)?;
        let place = || Place { path: &path, line }.to_string();
        let name = member_name(&entry);
        let disagreement = |reason| DatasetError::Disagreement {
            place: place(),
            name: name.clone(),
            reason,
        };
        let kind = entry.header().entry_type();
        if kind.is_dir() || kind.is_pax_global_extensions() {
            continue;
        }
        checks::path(&name, place)?;
        if !kind.is_file() {
            return Err(disagreement("is a link or device, no file"));
        }
        let (offset, length) = (entry.raw_file_position(), entry.size());
        // With the zeros that fill its last block.
        let end = offset
            .saturating_add(length)
            .div_ceil(BLOCK)
            .saturating_mul(BLOCK);
        if end > size {
            return Err(disagreement("is cut off: fetch the shard again"));
        }
        let base = name.rfind('/').map_or(0, |at| at + 1);
        let Some((stem, extension)) = name[base..].split_once('.') else {
            continue;
        };
        if stem.starts_with("__") {
            continue;
        }
        let key = &name[..base + stem.len()];
        if samples[begin..].last().is_none_or(|last| last.key != key) {
            samples.push(Sample {
                key: key.to_owned(),
                shard: shard.to_owned(),
                split,
                at: line,
                image: None,
                cls: None,
                named: None,
                group: None,
            });
        }
        let Some(sample) = samples.last_mut() else {
            continue;
        };
        match extension.to_ascii_lowercase().as_str() {
            "cls" if options.label.is_none() => {
                let text = text(&mut entry, &failed, &place)?.trim().to_owned();
                let number = text.parse::<u64>().is_ok();
                put(&mut sample.cls, Label { text, number }, || {
                    disagreement("is a second cls of its sample")
                })?;
            }
            "json" => {
                let text = text(&mut entry, &failed, &place)?;
                let cells = serde_json::from_str(&text).map_err(|source| IoError::Json {
                    path: path.join(&name),
                    line: source.line(),
                    source,
                })?;
                let key = options.label.as_deref().unwrap_or("label");
                if let Some((text, number)) = cell(&cells, key, &place)? {
                    put(&mut sample.named, Label { text, number }, || {
                        disagreement("is a second json of its sample")
                    })?;
                }
                if let Some(key) = &options.group {
                    sample.group = cell(&cells, key, &place)?.map(|(text, _)| text);
                }
            }
            other if EXTENSIONS.contains(&other) => {
                let image = Member::File {
                    name: name.clone(),
                    offset,
                    length,
                };
                put(&mut sample.image, image, || {
                    disagreement("is a second image of its sample")
                })?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// The images of a shard by their names.
pub(super) fn images(path: &Path) -> Result<HashMap<String, Member>, DatasetError> {
    let failed = |source| {
        let path = path.to_owned();
        DatasetError::Io(IoError::Read { path, source })
    };
    let (file, _) = io::open(path)?;
    let mut images = HashMap::new();
    for entry in Archive::new(file).entries_with_seek().map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let name = member_name(&entry);
        let image = Member::File {
            name: name.clone(),
            offset: entry.raw_file_position(),
            length: entry.size(),
        };
        images.insert(name, image);
    }
    Ok(images)
}

/// The name of a member, without a leading `./`.
fn member_name(entry: &Entry<'_, fs::File>) -> String {
    let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
    name.strip_prefix("./").unwrap_or(&name).to_owned()
}

fn put<T>(
    slot: &mut Option<T>,
    value: T,
    second: impl Fn() -> DatasetError,
) -> Result<(), DatasetError> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(second()),
    }
}

/// The text of a small member.
fn text(
    entry: &mut Entry<'_, fs::File>,
    failed: &dyn Fn(std::io::Error) -> DatasetError,
    place: &dyn Fn() -> String,
) -> Result<String, DatasetError> {
    let expected = |what: &str| DatasetError::BadLine {
        place: place(),
        expected: what.to_owned(),
    };
    if entry.size() > MAX_TEXT {
        return Err(expected("at most 1 MiB of text"));
    }
    let mut bytes = Vec::new();
    entry.read_to_end(&mut bytes).map_err(failed)?;
    String::from_utf8(bytes).map_err(|_not| expected("UTF-8 text"))
}

/// A text or whole number of a JSON object, and whether it is a number.
fn cell(
    cells: &Map<String, Value>,
    key: &str,
    place: &dyn Fn() -> String,
) -> Result<Option<(String, bool)>, DatasetError> {
    match cells.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some((text.clone(), false))),
        Some(Value::Number(number)) if !number.is_f64() => Ok(Some((number.to_string(), true))),
        Some(other) => Err(DatasetError::BadCell {
            place: place(),
            column: key.to_owned(),
            value: other.to_string().chars().take(60).collect(),
            expected: "text or a whole number",
        }),
    }
}

#[cfg(test)]
mod tests;
