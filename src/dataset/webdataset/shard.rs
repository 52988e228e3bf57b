//! One shard, member by member: samples, and where their images lie.

use std::collections::HashMap;
use std::fs;
use std::io::Read as _;
use std::path::Path;

use serde_json::{Map, Value};
use tar::{Archive, Entry};

use crate::dataset::folder::EXTENSIONS;
use crate::dataset::published::split_of;
use crate::dataset::records::Location;
use crate::dataset::{DatasetError, LayoutOptions, Split, checks};
use crate::io::source::Member;
use crate::io::{self, IoError};

/// The most bytes of a label or of the JSON about an image.
const MAX_TEXT: u64 = 1 << 20;

/// Archives are made of blocks of so many bytes.
const BLOCK: u64 = 512;

/// A sample of a shard, as far as it was read.
pub(super) struct Sample {
    pub(super) key: String,
    /// Path of the shard below the root.
    pub(super) shard: String,
    pub(super) split: Split,
    /// Number of its first member in the shard, from 1.
    pub(super) at: usize,
    /// Its image, of the member that is called after the key alone.
    image: Option<Member>,
    /// Images called otherwise, each with the end of its name.
    others: Vec<(String, Member)>,
    /// Whether it has any image.
    pub(super) has_image: bool,
    /// The ends of its members' names.
    pub(super) kinds: Vec<String>,
    pub(super) cls: Option<Label>,
    /// The label in its `json`.
    pub(super) named: Option<Label>,
    pub(super) group: Option<String>,
}

/// A class by name, or by number.
pub(super) struct Label {
    pub(super) text: String,
    pub(super) number: bool,
}

/// Adds the samples of a shard.
pub(super) fn read(
    root: &Path,
    shard: &str,
    options: &LayoutOptions,
    samples: &mut Vec<Sample>,
) -> Result<(), DatasetError> {
    let split = split(root, shard)?;
    let path = root.join(shard);
    let failed = |source| unread(&path, source);
    let (file, size) = io::open(&path)?;
    let begin = samples.len();
    let mut archive = Archive::new(file);
    for (entry, line) in archive.entries_with_seek().map_err(failed)?.zip(1..) {
        let mut entry = entry.map_err(failed)?;
        let place = Location { path: &path, line };
        let Some(file) = Header::read(&entry, place, size)? else {
            continue;
        };
        let Some((key, kind)) = file.key_and_kind() else {
            continue;
        };
        if samples[begin..].last().is_none_or(|last| last.key != key) {
            samples.push(Sample {
                key: key.to_owned(),
                shard: shard.to_owned(),
                split,
                at: line,
                image: None,
                others: Vec::new(),
                has_image: false,
                kinds: Vec::new(),
                cls: None,
                named: None,
                group: None,
            });
        }
        if let Some(sample) = samples.last_mut() {
            sample.take(&mut entry, &file, kind, options)?;
        }
    }
    Ok(())
}

/// The split that a shard's path names.
fn split(root: &Path, shard: &str) -> Result<Split, DatasetError> {
    split_of(root, shard)?.ok_or_else(|| DatasetError::Disagreement {
        place: root.display().to_string(),
        name: shard.to_owned(),
        reason: "names no split: expected train, val, test or pool in the shard's name or folder",
    })
}

impl Sample {
    /// Where it begins.
    pub(super) fn place(&self, root: &Path) -> String {
        let path = root.join(&self.shard);
        let (path, line) = (path.as_path(), self.at);
        Location { path, line }.to_string()
    }

    /// Takes what a member says of it; `kind` is the end of the member's name.
    fn take(
        &mut self,
        entry: &mut Entry<'_, fs::File>,
        file: &Header<'_>,
        kind: &str,
        options: &LayoutOptions,
    ) -> Result<(), DatasetError> {
        self.kinds.push(kind.to_owned());
        let kind = kind.to_ascii_lowercase();
        let last = kind.rsplit('.').next().unwrap_or_default();
        match last {
            "cls" if options.label.is_none() => {
                let text = file.text(entry)?.trim().to_owned();
                let number = text.parse::<i64>().is_ok();
                put(&mut self.cls, Label { text, number }, || {
                    file.disagreement("is a second cls of its sample")
                })
            }
            "json" => self.take_json(&file.text(entry)?, file, options),
            other if EXTENSIONS.contains(&other) => {
                self.has_image = true;
                if kind == other {
                    return put(&mut self.image, file.member(), || {
                        file.disagreement("is a second image of its sample")
                    });
                }
                self.others.push((kind, file.member()));
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Its image: the one that is called after the key alone, else the only one.
    pub(super) fn the_image(&mut self, root: &Path) -> Result<Option<Member>, DatasetError> {
        if let Some(image) = self.image.take() {
            return Ok(Some(image));
        }
        if let [(first, _), (second, _), ..] = self.others.as_slice() {
            return Err(DatasetError::Incomplete {
                place: self.place(root),
                name: self.key.clone(),
                lacks: "has no image called after it alone",
                hint: format!("it has {first} and {second}: leave one of them in the shard"),
            });
        }
        Ok(self.others.pop().map(|(_, image)| image))
    }

    /// Takes the label and the group that an object has.
    fn take_json(
        &mut self,
        text: &str,
        file: &Header<'_>,
        options: &LayoutOptions,
    ) -> Result<(), DatasetError> {
        let cells = serde_json::from_str(text).map_err(|source| IoError::Json {
            path: file.place.path.join(&file.name),
            line: source.line(),
            source,
        })?;
        let key = options.label.as_deref().unwrap_or("label");
        if let Some((text, number)) = cell(&cells, key, file.place)? {
            put(&mut self.named, Label { text, number }, || {
                file.disagreement("is a second json of its sample")
            })?;
        }
        if let Some(key) = &options.group {
            let group = cell(&cells, key, file.place)?.map(|(text, _)| text);
            self.group = group.filter(|text| !text.is_empty());
        }
        Ok(())
    }
}

/// What the archive says of a file in it, before its bytes are read.
struct Header<'a> {
    place: Location<'a>,
    name: String,
    /// Where its bytes begin in the shard.
    offset: u64,
    /// How many they are.
    length: u64,
}

impl<'a> Header<'a> {
    /// Checks that a member is a file of which all bytes are there; none for a folder or a global header.
    /// `size` is that of the shard.
    fn read(
        entry: &Entry<'_, fs::File>,
        place: Location<'a>,
        size: u64,
    ) -> Result<Option<Self>, DatasetError> {
        let kind = entry.header().entry_type();
        if kind.is_dir() || kind.is_pax_global_extensions() {
            return Ok(None);
        }
        let file = Self {
            place,
            name: member_name(entry),
            offset: entry.raw_file_position(),
            length: entry.size(),
        };
        checks::path(&file.name, || place.to_string())?;
        if !kind.is_file() {
            return Err(file.disagreement("is a link or device, no file"));
        }
        // With the zeros that fill its last block.
        let end = file
            .offset
            .saturating_add(file.length)
            .div_ceil(BLOCK)
            .saturating_mul(BLOCK);
        if end > size {
            return Err(file.disagreement("is cut off: fetch the shard again"));
        }
        Ok(Some(file))
    }

    /// The sample that it belongs to, and what of it this is; none if it belongs to no sample.
    fn key_and_kind(&self) -> Option<(&str, &str)> {
        let name = &self.name;
        let base = name.rfind('/').map_or(0, |at| at + 1);
        let (stem, kind) = name[base..].split_once('.')?;
        // Hidden files, such as those that macOS puts beside others, have no stem.
        let is_sample = !stem.is_empty() && !stem.starts_with("__");
        is_sample.then_some((&name[..base + stem.len()], kind))
    }

    fn member(&self) -> Member {
        Member::File {
            name: self.name.clone(),
            offset: self.offset,
            length: self.length,
        }
    }

    fn disagreement(&self, reason: &'static str) -> DatasetError {
        DatasetError::Disagreement {
            place: self.place.to_string(),
            name: self.name.clone(),
            reason,
        }
    }

    /// The text of a small file.
    fn text(&self, entry: &mut Entry<'_, fs::File>) -> Result<String, DatasetError> {
        let expected = |what: &str| DatasetError::BadLine {
            place: self.place.to_string(),
            expected: what.to_owned(),
        };
        if self.length > MAX_TEXT {
            return Err(expected("at most 1 MiB of text"));
        }
        let mut bytes = Vec::new();
        entry
            .read_to_end(&mut bytes)
            .map_err(|source| unread(self.place.path, source))?;
        String::from_utf8(bytes).map_err(|_not| expected("UTF-8 text"))
    }
}

/// The images of a shard by their names.
pub(in crate::dataset) fn images(path: &Path) -> Result<HashMap<String, Member>, DatasetError> {
    let failed = |source| unread(path, source);
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

fn unread(shard: &Path, source: std::io::Error) -> DatasetError {
    let path = shard.to_owned();
    DatasetError::Io(IoError::Read { path, source })
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

/// A text or whole number of a JSON object, and whether it is a number.
fn cell(
    cells: &Map<String, Value>,
    key: &str,
    place: Location<'_>,
) -> Result<Option<(String, bool)>, DatasetError> {
    match cells.get(key) {
        None => Ok(None),
        // It is there, and says that it is not known.
        Some(Value::Null) => Ok(Some((String::new(), false))),
        Some(Value::String(text)) => Ok(Some((text.clone(), false))),
        Some(Value::Number(number)) if !number.is_f64() => Ok(Some((number.to_string(), true))),
        Some(other) => Err(DatasetError::BadCell {
            place: place.to_string(),
            column: key.to_owned(),
            value: other.to_string().chars().take(60).collect(),
            expected: "text or a whole number",
        }),
    }
}
