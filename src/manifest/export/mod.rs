//! The manifest as folders that particular readers load: one format a file.
//!
//! ```text
//! rows ──check──▶ items, by split ──┬──▶ imagefolder   SPLIT/CLASS/IMAGE, class_to_idx.json
//!                                   ├──▶ hf            SPLIT/metadata.jsonl, SPLIT/images/IMAGE
//!                                   ├──▶ webdataset    SPLIT-000000.tar
//!                                   └──▶ fiftyone      SPLIT/labels.json, SPLIT/data/IMAGE
//! ```
//!
//! Readers drop in silence what they do not expect, so what a format cannot hold is refused. Rows of
//! weight 0 are left out. An image is named `NUMBER-STEM`, by its row in the manifest, counted from
//! 0: unique, in the manifest's order, without dots.
//!
//! An export is built in a temporary folder beside its place and renamed: it is there whole or not at
//! all. Images are hard links where the file system has them, else copies; those inside larger files
//! are taken out, encoded ones as they are, records of pixels as PNG. Hashes are checked where bytes
//! are read: of what was taken out, and for `webdataset` of all ([`super::verify`] checks all).

mod error;
mod fiftyone;
mod hf;
mod imagefolder;
mod webdataset;

pub use error::ExportError;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use image::ImageFormat;
use serde::Serialize;

use super::{Row, Source};
use crate::dataset::{Members, Split};
use crate::io::image::Exif;
use crate::io::source::{ImageSource, Member};
use crate::io::{self, IoError};

/// As much of a file's name stays in an export.
const STEM: usize = 40;

/// Who is to read an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `torchvision.datasets.ImageFolder`.
    ImageFolder,
    /// `datasets.load_dataset("imagefolder")`.
    Hf,
    /// `webdataset`, and `datasets.load_dataset("webdataset")`.
    WebDataset,
    /// `fiftyone.types.FiftyOneImageClassificationDataset`.
    FiftyOne,
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exported {
    /// Images.
    pub images: usize,
    /// Rows of weight 0.
    pub left_out: usize,
    /// What is not as one would expect.
    pub notes: Vec<String>,
}

/// An image on its way out.
struct Item<'a> {
    row: &'a Row,
    /// The row's number, from 0.
    number: usize,
    /// Where it lies.
    image: ImageSource,
    /// Its new name, without dots.
    stem: String,
    /// Lower case, `jpg` for every JPEG; empty if there is none.
    extension: String,
}

impl Item<'_> {
    fn name(&self) -> String {
        if self.extension.is_empty() {
            return self.stem.clone();
        }
        format!("{}.{}", self.stem, self.extension)
    }

    /// The image as a file in an image format, after its hash was checked.
    fn content(&self) -> Result<Vec<u8>, ExportError> {
        let bytes = self.image.bytes()?;
        let expected = self.row.sha256.as_deref();
        if expected.is_some_and(|expected| expected != io::sha256_hex(&bytes)) {
            let path = self.image.place();
            return Err(ExportError::Changed { path });
        }
        let Some(Member::Record { .. }) = self.image.member() else {
            return Ok(bytes);
        };
        let failed = |source| IoError::Image {
            path: self.image.place(),
            source,
        };
        let pixels = self.image.decode(&bytes, Exif::Ignore).map_err(failed)?;
        let mut png = std::io::Cursor::new(Vec::new());
        let written = pixels.write_to(&mut png, ImageFormat::Png);
        written.map_err(|source| IoError::Write {
            path: self.image.place(),
            source: std::io::Error::other(source),
        })?;
        Ok(png.into_inner())
    }
}

/// What formats with columns say of an image: always the same keys and types, never a null, because
/// readers guess types from the first rows they see. Everything else is in the manifest, by `id`.
#[derive(Serialize)]
struct Facts<'a> {
    id: &'a str,
    label: usize,
    class: &'a str,
    source: &'static str,
    synthetic: bool,
    weight: f64,
    caption: &'a str,
    caption_kind: &'a str,
    scheduler: &'a str,
    negative_prompt: &'a str,
    model: &'a str,
    sha256: &'a str,
    digital_source_type: &'a str,
}

impl<'a> Facts<'a> {
    fn new(row: &'a Row) -> Self {
        fn text(value: Option<&String>) -> &str {
            value.map(String::as_str).unwrap_or_default()
        }
        Self {
            id: &row.id,
            label: row.label,
            class: &row.class,
            source: row.source.name(),
            synthetic: row.source == Source::Synthetic,
            weight: row.weight,
            caption: text(row.caption.as_ref()),
            caption_kind: text(row.caption_kind.as_ref()),
            scheduler: text(row.scheduler.as_ref()),
            negative_prompt: text(row.negative_prompt.as_ref()),
            model: text(row.model.as_ref()),
            sha256: text(row.sha256.as_ref()),
            digital_source_type: text(row.digital_source_type.as_ref()),
        }
    }
}

/// The items of a split, in the manifest's order.
type Splits<'a> = BTreeMap<Split, Vec<Item<'a>>>;

/// Writes the rows of a run folder's manifest to `to`, which must not exist or be an empty folder.
///
/// `classes` are the class names in the order of labels. With `copy`, images are never hard links.
///
/// # Errors
///
/// [`ExportError`]; nothing is then left behind, and `to` is as it was.
pub fn export(
    run: &Path,
    rows: &[Row],
    classes: &[String],
    format: Format,
    to: &Path,
    copy: bool,
) -> Result<Exported, ExportError> {
    check_target(to)?;
    let splits = items(run, rows, classes)?;
    let images = splits.values().map(Vec::len).sum();
    if images == 0 {
        return Err(ExportError::Empty);
    }
    let write = |path: &Path| {
        let path = path.to_owned();
        move |source| IoError::Write { path, source }
    };
    let parent = match to.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    io::create_dir_all(parent)?;
    // The temporary folder is private; the one inside has the mode that new folders have.
    let temporary = tempfile::Builder::new()
        .prefix(".tmp-")
        .tempdir_in(parent)
        .map_err(write(parent))?;
    let folder = temporary.path().join("export");
    io::create_dir_all(&folder)?;
    let place = Placer { copy };
    let notes = match format {
        Format::ImageFolder => imagefolder::write(&folder, &splits, classes, &place)?,
        Format::Hf => hf::write(&folder, &splits, &place)?,
        Format::WebDataset => webdataset::write(&folder, &splits, webdataset::SHARD_BYTES)?,
        Format::FiftyOne => fiftyone::write(&folder, &splits, classes, &place)?,
    };
    match fs::remove_dir(to) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(write(to)(error)),
        _ => fs::rename(&folder, to).map_err(write(to)),
    }?;
    Ok(Exported {
        images,
        left_out: rows.len() - images,
        notes,
    })
}

/// Only an empty folder, or none, may be replaced.
fn check_target(to: &Path) -> Result<(), ExportError> {
    let taken = match fs::read_dir(to) {
        Ok(mut entries) => entries.next().is_some(),
        Err(error) => error.kind() != std::io::ErrorKind::NotFound,
    };
    if taken {
        let path = to.to_owned();
        return Err(ExportError::Taken { path });
    }
    Ok(())
}

/// The rows that are not left out, checked, by split.
fn items<'a>(run: &Path, rows: &'a [Row], classes: &[String]) -> Result<Splits<'a>, ExportError> {
    let mut splits = Splits::new();
    let mut members = Members::default();
    for (number, row) in rows.iter().enumerate() {
        if row.weight == 0.0 {
            continue;
        }
        let refused = |reason: String| ExportError::Row {
            row: number + 1,
            id: row.id.clone(),
            reason,
        };
        if classes.get(row.label) != Some(&row.class) {
            let reason = format!(
                "its label {} is not the index of its class {:?} among {classes:?}",
                row.label, row.class
            );
            return Err(refused(reason));
        }
        if row.split == Split::Pool {
            let reason = "no reader knows a split named pool: give it another split";
            return Err(refused(reason.to_owned()));
        }
        let file = run.join(&row.root).join(&row.path);
        let metadata = fs::metadata(&file).map_err(|source| IoError::Read {
            path: file.clone(),
            source,
        })?;
        if !metadata.is_file() {
            return Err(refused(format!("{} is not a file", file.display())));
        }
        let member = row.member.as_ref();
        let member = member.map(|name| members.find(&file, name)).transpose()?;
        let image = ImageSource::new(file, member);
        let (stem, extension) = named(row, &image)?;
        splits.entry(row.split).or_default().push(Item {
            row,
            number,
            image,
            stem: format!("{number:08}-{stem}"),
            extension,
        });
    }
    Ok(splits)
}

/// What an image's name begins and ends with.
fn named(row: &Row, image: &ImageSource) -> Result<(String, String), IoError> {
    fn text(part: Option<&std::ffi::OsStr>) -> &str {
        part.and_then(std::ffi::OsStr::to_str).unwrap_or_default()
    }
    let path = Path::new(&row.path);
    let (stem, extension) = match image.member() {
        None => (text(path.file_stem()).to_owned(), text(path.extension())),
        Some(Member::File { name, .. }) => {
            let path = Path::new(name);
            (text(path.file_stem()).to_owned(), text(path.extension()))
        }
        Some(Member::Record { row, .. }) => (format!("{}_{row}", text(path.file_stem())), "png"),
        // The name it had, if any, need not be true; its content is.
        Some(Member::Row { row, .. }) => {
            let kind = io::image::extension(&image.bytes()?);
            (format!("{}_{row}", text(path.file_stem())), kind)
        }
    };
    let extension = match extension.to_lowercase() {
        jpeg if jpeg == "jpeg" => "jpg".to_owned(),
        odd if !odd.bytes().all(|b| b.is_ascii_alphanumeric()) => String::new(),
        other => other,
    };
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    Ok((stem.chars().map(plain).take(STEM).collect(), extension))
}

/// Refuses weights, for formats that cannot hold them.
fn refuse_weights(splits: &Splits<'_>, format: &'static str) -> Result<(), ExportError> {
    let rows = splits.values().flatten();
    let weighted = rows.filter(|item| item.row.weight != 1.0).count();
    if weighted > 0 {
        return Err(ExportError::Weights { format, weighted });
    }
    Ok(())
}

/// Puts images into place.
struct Placer {
    copy: bool,
}

impl Placer {
    /// Links an image to a new name, or copies it where that cannot be; one that is a part of a
    /// larger file is taken out of it.
    fn put(&self, item: &Item<'_>, to: &Path) -> Result<(), ExportError> {
        let write = |source| IoError::Write {
            path: to.to_owned(),
            source,
        };
        if item.image.member().is_some() {
            return Ok(fs::write(to, item.content()?).map_err(write)?);
        }
        let from = item.image.file();
        // A link to a symbolic link would be one too, and lead nowhere from its new place.
        let read = |source| IoError::Read {
            path: from.to_owned(),
            source,
        };
        let real = from.canonicalize().map_err(read)?;
        if !self.copy && fs::hard_link(&real, to).is_ok() {
            return Ok(());
        }
        fs::File::open(&real).map_err(read)?;
        fs::copy(&real, to).map_err(write)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
