//! Images that cannot be used: an error, or passed over up to a limit and listed in `skipped.jsonl`.
//!
//! An example whose image is missing, truncated or corrupt takes no part in anything: it is neither
//! embedded nor fitted, judged, shown or written into the manifest. [`Skips`] counts them against the
//! limit and builds the mask that takes them out of the data set, [`Skips::unusable`].

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::cache::CacheError;
use crate::dataset::{Dataset, Example, ExampleId, Unusable};
use crate::io::source::Member;
use crate::io::{self, Classified, ErrorKind, IoError};

/// How many of them a message names.
const SHOWN: usize = 5;

/// What an image that cannot be used does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnBadImage {
    /// It ends the command.
    #[default]
    Fail,
    /// It is passed over.
    Skip,
}

/// How many images may be passed over.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(untagged, into = "MaxBadText", try_from = "MaxBadText")]
pub enum MaxBad {
    /// So many.
    Count(usize),
    /// This percentage of all images of the data set, rounded up.
    Percent(f64),
}

/// [`MaxBad`] as settings write it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(untagged, expecting = "expected a count, or a share such as \"1%\"")]
enum MaxBadText {
    Count(usize),
    Text(String),
}

/// A text that is no limit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no limit of bad images: use a count such as 100, or a share such as 1%")]
pub struct UnknownLimit {
    /// The text.
    pub text: String,
}

impl Classified for UnknownLimit {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Usage
    }
}

/// A text that is neither `fail` nor `skip`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?}: use fail or skip")]
pub struct UnknownOnBad {
    /// The text.
    pub text: String,
}

impl Classified for UnknownOnBad {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Usage
    }
}

impl FromStr for OnBadImage {
    type Err = UnknownOnBad;

    fn from_str(text: &str) -> Result<Self, UnknownOnBad> {
        match text {
            "fail" => Ok(Self::Fail),
            "skip" => Ok(Self::Skip),
            _ => Err(UnknownOnBad {
                text: text.to_owned(),
            }),
        }
    }
}

impl Default for MaxBad {
    fn default() -> Self {
        Self::Percent(1.0)
    }
}

impl MaxBad {
    /// The limit for so many images.
    pub fn of(self, images: usize) -> usize {
        match self {
            Self::Count(count) => count,
            Self::Percent(percent) => (images as f64 * percent / 100.0).ceil() as usize,
        }
    }
}

impl FromStr for MaxBad {
    type Err = UnknownLimit;

    fn from_str(text: &str) -> Result<Self, UnknownLimit> {
        let limit = match text.trim().strip_suffix('%') {
            None => text.trim().parse().ok().map(Self::Count),
            Some(share) => {
                let share = share.trim().parse().ok();
                let share = share.filter(|s: &f64| (0.0..=100.0).contains(s));
                share.map(Self::Percent)
            }
        };
        limit.ok_or_else(|| UnknownLimit {
            text: text.to_owned(),
        })
    }
}

impl fmt::Display for MaxBad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(count) => write!(f, "{count}"),
            Self::Percent(share) => write!(f, "{share}%"),
        }
    }
}

impl From<MaxBad> for MaxBadText {
    fn from(limit: MaxBad) -> Self {
        match limit {
            MaxBad::Count(count) => Self::Count(count),
            MaxBad::Percent(_) => Self::Text(limit.to_string()),
        }
    }
}

impl TryFrom<MaxBadText> for MaxBad {
    type Error = UnknownLimit;

    fn try_from(text: MaxBadText) -> Result<Self, UnknownLimit> {
        match text {
            MaxBadText::Count(count) => Ok(Self::Count(count)),
            MaxBadText::Text(text) => text.parse(),
        }
    }
}

/// A line of `skipped.jsonl`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    /// Id of the example.
    pub id: String,
    /// Its path below the data's root.
    pub path: String,
    /// The name of its part of that file, in an archive.
    pub member: Option<String>,
    /// Its split.
    pub split: String,
    /// What is wrong with its image.
    pub reason: String,
}

/// What is passed over, held against the limit.
#[derive(Debug, Clone)]
pub struct Skips {
    on_bad: OnBadImage,
    limit: usize,
    images: usize,
    found: Vec<Skipped>,
    unusable: Unusable,
}

impl Skips {
    /// Nothing yet, of so many images.
    pub fn new(on_bad: OnBadImage, max: MaxBad, images: usize) -> Self {
        Self {
            on_bad,
            limit: max.of(images),
            images,
            found: Vec::new(),
            unusable: Unusable::default(),
        }
    }

    /// Passes an example over, whose image gave this error.
    ///
    /// # Errors
    ///
    /// The error itself where bad images are fatal; [`CacheError::TooManyBad`] over the limit.
    pub fn add(
        &mut self,
        id: ExampleId,
        example: &Example,
        error: CacheError,
    ) -> Result<(), CacheError> {
        if self.on_bad == OnBadImage::Fail {
            return Err(error);
        }
        let reason = reason(&error);
        self.unusable.add(id, reason.clone());
        self.found.push(Skipped {
            id: example.id.clone(),
            path: example.path.clone(),
            member: example.member.as_ref().map(Member::name),
            split: example.split.name().to_owned(),
            reason,
        });
        if self.found.len() > self.limit {
            let first = self.found.iter().take(SHOWN);
            return Err(CacheError::TooManyBad {
                limit: self.limit,
                images: self.images,
                first: first.map(ToString::to_string).collect(),
            });
        }
        Ok(())
    }

    /// What was passed over, in the order in which it was met.
    pub fn found(&self) -> &[Skipped] {
        &self.found
    }

    /// The same as a mask over the data set.
    pub fn unusable(&self) -> &Unusable {
        &self.unusable
    }

    /// What to warn of, where something was passed over.
    pub fn warning(&self) -> Option<String> {
        let first = self.found.first()?;
        Some(format!(
            "{} of {} images cannot be used and were passed over (skipped.jsonl has all), the first: \
             {first}",
            self.found.len(),
            self.images
        ))
    }
}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.id, self.reason)
    }
}

/// What is wrong, without the image's path: that differs from machine to machine.
fn reason(error: &CacheError) -> String {
    let outer: &dyn std::error::Error = match error {
        CacheError::Io(error) => error,
        error => error,
    };
    let Some(first) = outer.source() else {
        return match error {
            CacheError::Io(IoError::NotAFile { found, .. }) => format!("it is {found}"),
            CacheError::Io(IoError::TooLarge { bytes, limit, .. }) => {
                format!("it has {bytes} bytes, the limit is {limit}")
            }
            _ => outer.to_string(),
        };
    };
    let mut text = first.to_string();
    let mut cause = first.source();
    while let Some(next) = cause {
        text = format!("{text}: {next}");
        cause = next.source();
    }
    text
}

/// Reads the list of an earlier command; none if there is no file.
///
/// # Errors
///
/// Those of [`io::jsonl::read`].
pub fn read(path: &Path) -> Result<Option<Vec<Skipped>>, IoError> {
    if !path.exists() {
        return Ok(None);
    }
    let rows = io::jsonl::read(path)?;
    Ok(Some(rows.into_iter().map(|(_, row)| row).collect()))
}

/// The list of an earlier command as a mask over the data set, by the ids in files. What the data no
/// longer has is left out.
pub fn unusable(dataset: &Dataset, list: &[Skipped]) -> Unusable {
    let by_id = list.iter().map(|row| (row.id.as_str(), &row.reason));
    let by_id: BTreeMap<&str, &String> = by_id.collect();
    let mut unusable = Unusable::default();
    for (id, example) in dataset.iter() {
        if let Some(reason) = by_id.get(example.id.as_str()) {
            unusable.add(id, reason.as_str());
        }
    }
    unusable
}

/// Writes the list; no list for nothing.
///
/// # Errors
///
/// [`IoError::Write`].
pub fn write(path: &Path, skipped: &[Skipped]) -> Result<(), IoError> {
    if !skipped.is_empty() {
        return io::jsonl::write(path, skipped);
    }
    match std::fs::remove_file(path) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => Err(IoError::Write {
            path: path.to_owned(),
            source,
        }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::dataset::Split;
    use crate::io::image::DecodeError;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Settings {
        max_bad: MaxBad,
    }

    fn example(name: &str) -> Example {
        Example::new(format!("val/cat/{name}"), 0, Split::Val)
    }

    fn empty() -> CacheError {
        CacheError::Decode {
            image: PathBuf::from("/data/val/cat/a.png"),
            source: DecodeError::Empty,
        }
    }

    #[test]
    fn limits_are_counts_or_shares() {
        for (text, of_150) in [
            ("7", 7),
            ("0", 0),
            ("1%", 2),
            ("0%", 0),
            ("100%", 150),
            ("0.5 %", 1),
        ] {
            assert_eq!(text.parse::<MaxBad>().unwrap().of(150), of_150, "{text}");
        }
        for text in ["", "-1", "1.5", "101%", "-1%", "nan%", "%"] {
            assert!(text.parse::<MaxBad>().is_err(), "{text}");
        }
        for (text, max_bad) in [
            ("max_bad = 12\n", MaxBad::Count(12)),
            ("max_bad = \"2.5%\"\n", MaxBad::Percent(2.5)),
        ] {
            let settings: Settings = toml::from_str(text).unwrap();
            assert_eq!(settings, Settings { max_bad });
            assert_eq!(toml::to_string(&settings).unwrap(), text);
        }
        let error = toml::from_str::<Settings>("max_bad = \"few\"").unwrap_err();
        assert!(error.to_string().contains("use a count"), "{error}");
    }

    #[test]
    fn the_first_is_fatal_or_the_one_over_the_limit() {
        let mut fatal = Skips::new(OnBadImage::Fail, MaxBad::Count(9), 100);
        let ids = ExampleId::numbered(3);
        let error = fatal.add(ids[0], &example("a.png"), empty()).unwrap_err();
        assert!(matches!(error, CacheError::Decode { .. }), "{error:?}");
        let mut skips = Skips::new(OnBadImage::Skip, MaxBad::Percent(2.0), 100);
        assert_eq!(skips.warning(), None);
        skips.add(ids[0], &example("a.png"), empty()).unwrap();
        skips.add(ids[2], &example("b.png"), empty()).unwrap();
        let masked: Vec<_> = skips.unusable().iter().collect();
        assert_eq!(
            masked,
            [
                (ids[0], "the file is empty (0 bytes)"),
                (ids[2], "the file is empty (0 bytes)")
            ]
        );
        assert!(skips.warning().unwrap().starts_with("2 of 100 images"));
        let error = skips.add(ids[1], &example("c.png"), empty()).unwrap_err();
        let text = error.to_string();
        for part in [
            "more than 2 of 100",
            "val/cat/a.png: the file is empty",
            "c.png",
        ] {
            assert!(text.contains(part), "{text}");
        }
    }

    #[test]
    fn a_list_comes_back_and_nothing_leaves_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("skipped.jsonl");
        let mut skips = Skips::new(OnBadImage::Skip, MaxBad::default(), 100);
        let missing = CacheError::Io(IoError::Read {
            path: PathBuf::from("/data/x"),
            source: std::io::ErrorKind::NotFound.into(),
        });
        let id = ExampleId::numbered(1)[0];
        skips.add(id, &example("a.png"), missing).unwrap();
        write(&path, skips.found()).unwrap();
        let rows = read(&path).unwrap().unwrap();
        assert_eq!(rows, skips.found());
        assert_eq!(rows[0].reason, "entity not found");
        write(&path, &[]).unwrap();
        assert_eq!(read(&path).unwrap(), None);
        write(&path, &[]).unwrap();
    }
}
