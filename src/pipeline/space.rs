//! Where directions live: CLIP, the classifier's features, or a matrix of the user's.

use std::path::{Path, PathBuf};

use super::error::Error;
use super::settings::CheckedSettings;
use crate::io;

/// A latent space.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Space {
    /// CLIP's, which has captions in it.
    Clip,
    /// The features of the analysed classifier.
    Classifier,
    /// Embeddings in a file of the user's.
    Matrix(PathBuf),
}

impl Space {
    /// The space of a run, in which it goes on after detection.
    pub fn of(settings: &CheckedSettings) -> Self {
        Self::named(&settings.embed.space, settings)
    }

    fn named(name: &str, settings: &CheckedSettings) -> Self {
        match name {
            // CLIP's space has captions in it; a classifier's own is the next best.
            "auto" if settings.embed.clip.is_none() && settings.data.classifier.is_some() => {
                Self::Classifier
            }
            "auto" | "clip" => Self::Clip,
            "classifier" => Self::Classifier,
            file => Self::Matrix(PathBuf::from(file)),
        }
    }

    /// The other spaces that detection is to be compared in, after all of them were checked against the
    /// settings.
    ///
    /// # Errors
    ///
    /// Of kind usage if a space is given twice or does not fit the settings.
    pub fn compared(settings: &CheckedSettings) -> Result<Vec<Self>, Error> {
        let own = Self::of(settings);
        own.check(settings)?;
        let mut seen = vec![own];
        for name in &settings.embed.compare {
            let space = Self::named(name, settings);
            space.check(settings)?;
            if seen.contains(&space) {
                let text = format!("the space {} is given twice", space.name());
                return Err(Error::usage(text));
            }
            seen.push(space);
        }
        seen.remove(0);
        Ok(seen)
    }

    fn check(&self, settings: &CheckedSettings) -> Result<(), Error> {
        let text = match self {
            Self::Clip if settings.embed.clip.is_none() => {
                "directions need a space: give --clip DIR, or --space classifier with --classifier \
                 DIR, or --space FILE with your own embeddings"
            }
            Self::Classifier if settings.data.classifier.is_none() => {
                "--space classifier needs --classifier DIR"
            }
            _ => return Ok(()),
        };
        Err(Error::usage(text.to_owned()))
    }

    /// What files and tables call it.
    pub fn name(&self) -> String {
        match self {
            Self::Clip => "clip".to_owned(),
            Self::Classifier => "classifier".to_owned(),
            Self::Matrix(path) => path.display().to_string(),
        }
    }

    /// A hash of its matrix, if it is one and can be read.
    pub(super) fn hash(&self) -> Option<String> {
        match self {
            Self::Matrix(path) => hash(path),
            _ => None,
        }
    }
}

/// A hash of a file, which need not fit into memory; none if it cannot be read.
pub(super) fn hash(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?;
    io::fingerprint(path.parent()?, &[name]).ok()
}
