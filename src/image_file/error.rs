//! Why an image could not be encoded.

use crate::io::{Classified, ErrorKind};

/// Why an image could not be encoded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// The PNG encoder refused.
    #[error("could not encode a PNG of {width}×{height}")]
    Png {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
        /// What it said.
        #[source]
        source: png::EncodingError,
    },

    /// The JPEG encoder refused.
    #[error("could not encode a JPEG of {width}×{height}")]
    Jpeg {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
        /// What it said.
        #[source]
        source: image::ImageError,
    },

    /// The WebP encoder refused.
    #[error("could not encode a WebP of {width}×{height}")]
    WebP {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
        /// What it said.
        #[source]
        source: image_webp::EncodingError,
    },

    /// Marks were to be added to bytes that are no JPEG.
    #[error("marks cannot be added: not a whole JPEG ({reason})")]
    NotAJpeg {
        /// What the reader said.
        reason: img_parts::Error,
    },

    /// A text is longer than a JPEG can hold.
    #[error("{what} has {bytes} bytes, a JPEG holds {limit}: save as PNG")]
    TooLong {
        /// Which text.
        what: &'static str,
        /// Its length.
        bytes: usize,
        /// The longest text that fits.
        limit: usize,
    },
}

impl Classified for EncodeError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Png { .. } | Self::Jpeg { .. } | Self::WebP { .. } => ErrorKind::Other,
            Self::NotAJpeg { .. } | Self::TooLong { .. } => ErrorKind::Input,
        }
    }
}
