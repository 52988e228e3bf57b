//! The images that recipes start from, found by the hash of their bytes.

use std::collections::BTreeMap;

use image::RgbImage;

use super::recipe::ImageRef;
use crate::io::image::Exif;
use crate::io::source::ImageSource;
use crate::io::{self, Classified, ErrorKind, IoError};

/// How an image is turned that a picture starts from: upright, as Diffusers' `load_image` does it. It is no setting,
/// because a recipe names bytes, and must alone tell the pixels.
const EXIF: Exif = Exif::Apply;

/// Why a picture cannot start from an image.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OriginalError {
    /// Nobody said where it lies.
    #[error(
        "the image {id} that the recipe starts from is not at hand: say where it lies with --image FILE"
    )]
    Unknown {
        /// The name that the recipe has for it.
        id: String,
    },
    /// Other bytes lie there.
    #[error(
        "{place} is not the image {id} that the recipe starts from: its SHA-256 is {found}, the recipe says {wanted}; \
         give the file as it was"
    )]
    Changed {
        /// The file, and the member in it.
        place: String,
        /// The name that the recipe has for it.
        id: String,
        /// The recipe's hash.
        wanted: String,
        /// That of the bytes that lie there.
        found: String,
    },
    /// It could not be read, or is no image.
    #[error(transparent)]
    Io(#[from] IoError),
}

impl Classified for OriginalError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Unknown { .. } | Self::Changed { .. } => ErrorKind::Input,
            Self::Io(error) => error.kind(),
        }
    }
}

/// Where images lie that recipes may start from.
#[derive(Debug, Clone, Default)]
pub struct Originals {
    /// By the SHA-256 of their bytes.
    places: BTreeMap<String, ImageSource>,
}

impl Originals {
    /// Makes an image known, which `id` names for people; gives what a recipe says of it and its size, px.
    ///
    /// # Errors
    ///
    /// [`OriginalError::Io`] for a file that cannot be read or is no image.
    pub fn add(
        &mut self,
        id: &str,
        source: ImageSource,
    ) -> Result<(ImageRef, (u32, u32)), OriginalError> {
        let bytes = source.bytes()?;
        // Whether it is an image is known before anything is made of it.
        let size = decoded(&source, &bytes)?.dimensions();
        let sha256 = io::sha256_hex(&bytes);
        self.places.insert(sha256.clone(), source);
        let id = id.to_owned();
        Ok((ImageRef { id, sha256 }, size))
    }

    /// Says where the image of a recipe lies now.
    ///
    /// # Errors
    ///
    /// [`OriginalError::Changed`] if other bytes lie there; [`OriginalError::Io`].
    pub fn add_known(
        &mut self,
        image: &ImageRef,
        source: ImageSource,
    ) -> Result<(), OriginalError> {
        unchanged(image, &source, &source.bytes()?)?;
        self.places.insert(image.sha256.clone(), source);
        Ok(())
    }

    /// Says where the image of a recipe lies, without reading it: what lies there is held against the recipe when it is
    /// first needed.
    pub fn expect(&mut self, image: &ImageRef, source: ImageSource) {
        self.places.insert(image.sha256.clone(), source);
    }

    /// The pixels of an image, upright.
    ///
    /// # Errors
    ///
    /// [`OriginalError::Unknown`]; [`OriginalError::Changed`] if it changed since it was added;
    /// [`OriginalError::Io`].
    pub fn image(&self, image: &ImageRef) -> Result<RgbImage, OriginalError> {
        let source = self
            .places
            .get(&image.sha256)
            .ok_or_else(|| OriginalError::Unknown {
                id: image.id.clone(),
            })?;
        let bytes = source.bytes()?;
        unchanged(image, source, &bytes)?;
        decoded(source, &bytes)
    }
}

fn decoded(source: &ImageSource, bytes: &[u8]) -> Result<RgbImage, OriginalError> {
    let decoded = source.decode(bytes, EXIF);
    let failed = |error| IoError::Image {
        path: source.place(),
        source: error,
    };
    Ok(decoded.map_err(failed)?)
}

fn unchanged(image: &ImageRef, source: &ImageSource, bytes: &[u8]) -> Result<(), OriginalError> {
    let found = io::sha256_hex(bytes);
    if found == image.sha256 {
        return Ok(());
    }
    Err(OriginalError::Changed {
        place: source.to_string(),
        id: image.id.clone(),
        wanted: image.sha256.clone(),
        found,
    })
}

#[cfg(test)]
mod tests {
    use image::Rgb;

    use super::*;

    #[test]
    fn an_image_is_found_by_its_hash_and_refused_once_it_changed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("cat.png");
        RgbImage::from_pixel(3, 2, Rgb([7, 8, 9]))
            .save(&path)
            .unwrap();
        let place = || ImageSource::new(path.clone(), None);
        let mut originals = Originals::default();
        let (image, size) = originals.add("train/cat", place()).unwrap();
        assert_eq!(size, (3, 2));
        assert_eq!(image.sha256, io::sha256_of(&path).unwrap());
        assert_eq!(
            originals.image(&image).unwrap().get_pixel(2, 1).0,
            [7, 8, 9]
        );
        let error = Originals::default().image(&image).unwrap_err();
        assert!(
            error.to_string().starts_with("the image train/cat that"),
            "{error}"
        );
        // Another picture in its place.
        RgbImage::new(3, 2).save(&path).unwrap();
        let changed = originals.image(&image).unwrap_err();
        let again = Originals::default().add_known(&image, place()).unwrap_err();
        assert_eq!(changed.to_string(), again.to_string());
        assert_eq!(changed.kind(), ErrorKind::Input);
        let begin = format!("{} is not the image train/cat", path.display());
        assert!(changed.to_string().starts_with(&begin), "{changed}");
        // No picture at all.
        std::fs::write(&path, "a cat").unwrap();
        let error = originals.add("cat", place()).unwrap_err();
        assert!(
            matches!(error, OriginalError::Io(IoError::Image { .. })),
            "{error:?}"
        );
    }
}
