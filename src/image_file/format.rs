//! The kinds of files that images are saved as.

use std::io::{BufRead, Seek};

use image::ImageFormat;
use image_webp::WebPDecoder;

/// The kind of file an image is saved as.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum FileFormat {
    /// Pixels as they are.
    #[default]
    Png,
    /// Compressed at quality 95, for training sets of JPEGs: a classifier would otherwise learn
    /// that images without JPEG noise are the synthetic ones.
    Jpeg,
    /// Pixels as they are, in a smaller file than a PNG.
    WebP,
}

impl FileFormat {
    /// The extension of its files.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Png => "png",
            Self::Jpeg => "jpg",
            Self::WebP => "webp",
        }
    }

    /// The format of a file's content, if it is one of these; its name does not count.
    pub fn of(bytes: &[u8]) -> Option<Self> {
        match image::guess_format(bytes).ok()? {
            ImageFormat::Png => Some(Self::Png),
            ImageFormat::Jpeg => Some(Self::Jpeg),
            ImageFormat::WebP => Some(Self::WebP),
            _ => None,
        }
    }

    /// What a WebP is like: itself if nothing was lost, and a JPEG if something was.
    pub fn like_webp(content: impl BufRead + Seek) -> Self {
        let lossy = WebPDecoder::new(content).is_ok_and(|mut decoder| decoder.is_lossy());
        if lossy { Self::Jpeg } else { Self::WebP }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    /// One pixel.
    const LOSSY: &[u8] = b"RIFF\x22\0\0\0WEBPVP8 \x16\0\0\0\x30\x01\0\
        \x9d\x01\x2a\x01\0\x01\0\x0e\xc0\xfe\x25\xa4\0\x03\x70\0\0\0\0";

    #[test]
    fn a_webp_that_lost_something_is_like_a_jpeg() {
        assert_eq!(FileFormat::like_webp(Cursor::new(LOSSY)), FileFormat::Jpeg);
        assert_eq!(FileFormat::of(LOSSY), Some(FileFormat::WebP));
    }
}
