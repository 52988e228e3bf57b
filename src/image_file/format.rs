//! The kinds of files that images are saved as.

use image::ImageFormat;

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

    /// Whether a reader of the file sees other pixels than were encoded.
    pub fn is_lossy(self) -> bool {
        match self {
            Self::Png | Self::WebP => false,
            Self::Jpeg => true,
        }
    }
}
