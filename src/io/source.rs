//! Images that are files of their own, and images that are a part of a larger file.

use std::fmt;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use ::image::RgbImage;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::image::{DecodeError, Exif, MAX_FILE_BYTES, decode_rgb};
use super::parquet::rows;
use super::{IoError, open, read_at_most};

/// The part of a file that is an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Member {
    /// A file in an archive, stored as it is.
    File {
        /// Its name there.
        name: String,
        /// Where its bytes begin.
        offset: u64,
        /// How many bytes it has.
        length: u64,
    },
    /// A record of pixels: planes of red, green and blue bytes, which follow each other.
    Record {
        /// Its number, from 0.
        row: u64,
        /// Where its red plane begins.
        offset: u64,
        /// Width and height, px.
        side: u32,
    },
    /// The bytes in a row of a Parquet file.
    Row {
        /// Its number in the file, from 0.
        row: u64,
        /// The column, counted from 0 as in the schema.
        column: u32,
    },
}

impl Member {
    /// Its name in an archive, or the number of its row.
    pub fn name(&self) -> String {
        match self {
            Self::File { name, .. } => name.clone(),
            Self::Record { row, .. } | Self::Row { row, .. } => row.to_string(),
        }
    }
}

/// Where the bytes of an image lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageSource {
    file: PathBuf,
    member: Option<Member>,
}

impl ImageSource {
    /// A whole file, or a part of it.
    pub fn new(file: PathBuf, member: Option<Member>) -> Self {
        Self { file, member }
    }

    /// The file that it is, or is in.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// The part of the file that it is; none for the whole.
    pub fn member(&self) -> Option<&Member> {
        self.member.as_ref()
    }

    /// Its bytes.
    ///
    /// # Errors
    ///
    /// [`IoError::Read`], [`IoError::NotAFile`]; [`IoError::TooLarge`] over [`MAX_FILE_BYTES`];
    /// [`IoError::Parquet`].
    pub fn bytes(&self) -> Result<Vec<u8>, IoError> {
        match self.member.as_ref() {
            None => read_at_most(&self.file, MAX_FILE_BYTES),
            Some(Member::File { offset, length, .. }) => self.part(*offset, *length),
            Some(Member::Record { offset, side, .. }) => {
                let plane = u64::from(*side) * u64::from(*side);
                self.part(*offset, plane.saturating_mul(3))
            }
            Some(Member::Row { row, column }) => rows::image(&self.file, *column, *row),
        }
    }

    /// Some bytes of the file.
    fn part(&self, offset: u64, length: u64) -> Result<Vec<u8>, IoError> {
        if length > MAX_FILE_BYTES {
            return Err(IoError::TooLarge {
                path: self.place(),
                bytes: length,
                limit: MAX_FILE_BYTES,
            });
        }
        let (mut file, size) = open(&self.file)?;
        let failed = |source| IoError::Read {
            path: self.place(),
            source,
        };
        // Before memory is taken for it.
        if offset.saturating_add(length) > size {
            return Err(failed(std::io::ErrorKind::UnexpectedEof.into()));
        }
        file.seek(SeekFrom::Start(offset)).map_err(failed)?;
        let mut bytes = vec![0; length as usize];
        file.read_exact(&mut bytes).map_err(failed)?;
        Ok(bytes)
    }

    /// The pixels of [`ImageSource::bytes`].
    ///
    /// # Errors
    ///
    /// Every [`DecodeError`].
    pub fn decode(&self, bytes: &[u8], exif: Exif) -> Result<RgbImage, DecodeError> {
        match self.member {
            Some(Member::Record { side, .. }) => planes(bytes, side),
            _ => decode_rgb(bytes, exif),
        }
    }

    /// Reads and decodes it.
    ///
    /// # Errors
    ///
    /// Those of [`ImageSource::bytes`], and [`IoError::Image`].
    pub fn rgb(&self, exif: Exif) -> Result<RgbImage, IoError> {
        let decoded = self.decode(&self.bytes()?, exif);
        decoded.map_err(|source| IoError::Image {
            path: self.place(),
            source,
        })
    }

    /// The file, with the member as if it were a file in a folder.
    pub fn place(&self) -> PathBuf {
        match &self.member {
            None => self.file.clone(),
            Some(member) => self.file.join(member.name()),
        }
    }
}

impl fmt::Display for ImageSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.place().display())
    }
}

/// An image of three planes, one after the other.
fn planes(bytes: &[u8], side: u32) -> Result<RgbImage, DecodeError> {
    let plane = side as usize * side as usize;
    if bytes.len() != plane.saturating_mul(3) {
        return Err(DecodeError::Truncated {
            format: "record",
            bytes: bytes.len(),
        });
    }
    Ok(RgbImage::from_fn(side, side, |x, y| {
        let at = (y * side + x) as usize;
        ::image::Rgb([bytes[at], bytes[plane + at], bytes[2 * plane + at]])
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(offset: u64, length: u64) -> Member {
        Member::File {
            name: "a/7".to_owned(),
            offset,
            length,
        }
    }

    #[test]
    fn a_part_of_a_file_is_read_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pack");
        std::fs::write(&path, [9, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 99]).unwrap();
        let part = |member| ImageSource::new(path.clone(), Some(member));
        let record = |side| Member::Record {
            row: 7,
            offset: 1,
            side,
        };
        let image = part(record(2));
        assert_eq!(image.bytes().unwrap(), (1..=12).collect::<Vec<u8>>());
        let pixels = image.rgb(Exif::Ignore).unwrap();
        assert_eq!(pixels.get_pixel(0, 0).0, [1, 5, 9]);
        assert_eq!(pixels.get_pixel(1, 0).0, [2, 6, 10]);
        assert_eq!(pixels.get_pixel(0, 1).0, [3, 7, 11]);

        // Beyond the end, and so far that memory for it must not be taken.
        for (offset, length) in [(10, 5), (u64::MAX, 2), (0, 400 << 20)] {
            let error = part(member(offset, length)).bytes().unwrap_err();
            assert!(matches!(&error, IoError::Read { path, .. } if path.ends_with("pack/a/7")));
        }
        let error = part(member(0, u64::MAX)).bytes().unwrap_err();
        assert!(matches!(error, IoError::TooLarge { .. }), "{error:?}");
        let error = part(member(0, 3)).rgb(Exif::Ignore).unwrap_err();
        assert!(matches!(&error, IoError::Image { path, .. } if path.ends_with("pack/a/7")));
        let error = part(record(3)).rgb(Exif::Ignore).unwrap_err();
        assert!(matches!(&error, IoError::Read { path, .. } if path.ends_with("pack/7")));
        let error = part(record(u32::MAX)).bytes().unwrap_err();
        assert!(matches!(error, IoError::TooLarge { .. }), "{error:?}");
    }

    #[test]
    fn a_whole_file_is_an_image_too() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.png");
        let image = RgbImage::from_pixel(2, 1, ::image::Rgb([1, 2, 3]));
        image.save(&path).unwrap();
        let source = ImageSource::new(path.clone(), None);
        assert_eq!(source.rgb(Exif::Ignore).unwrap(), image);
        assert_eq!(source.to_string(), path.display().to_string());
    }
}
