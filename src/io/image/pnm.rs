//! PPM, PGM and PBM, plain and raw, as Pillow reads them.
//!
//! | | Pillow's mode | values |
//! | --- | --- | --- |
//! | `P1`, `P4` | `1` | 1 is black |
//! | `P2`, `P5` | `L`; with a largest value above 255 `I` | scaled to 255, or to 65535 |
//! | `P3`, `P6` | `RGB` | scaled to 255 |
//!
//! Source: Pillow 12, `PpmImagePlugin.py` (`PpmImageFile`, `PpmPlainDecoder`, `PpmDecoder`); its `round` is to even.
//! Its own extensions (`Pf`, `PyRGBA` and the like) are not read.

use ::image::{GrayImage, Luma, RgbImage};

use super::decoded::{DecodedImage, Gray16Image, Pixels, triple};
use super::{DecodeError, check_size};

const NAME: &str = "PNM";

/// The longest number of a header or of a plain file, in digits.
const MAX_DIGITS: usize = 10;

/// Whether the content begins as such a file.
pub(super) fn is_pnm(bytes: &[u8]) -> bool {
    matches!(bytes, [b'P', b'1'..=b'6', next, ..] if next.is_ascii_whitespace() || *next == b'#')
}

/// What names of files of this content end in.
pub(super) fn extension(bytes: &[u8]) -> &'static str {
    match bytes.get(1) {
        Some(b'1' | b'4') => "pbm",
        Some(b'2' | b'5') => "pgm",
        _ => "ppm",
    }
}

/// Decodes an image of at most so many pixels.
pub(super) fn decode(bytes: &[u8], max_pixels: u64) -> Result<DecodedImage, DecodeError> {
    let kind = bytes.get(1).copied().unwrap_or_default();
    let mut text = Text {
        bytes: bytes.get(2..).unwrap_or_default(),
        whole: bytes.len(),
    };
    let (width, height) = (text.number()?, text.number()?);
    check_size(NAME, width, height, max_pixels)?;
    let bits = matches!(kind, b'1' | b'4');
    let most = if bits { 1 } else { text.number()? };
    if !(1..65_536).contains(&most) {
        return Err(corrupt(format!("its largest value is {most}")));
    }
    // One blank stands between the header and raw values; the number before took it.
    let (width, height) = (width as u32, height as u32);
    let bands = if matches!(kind, b'3' | b'6') { 3 } else { 1 };
    let count = width as usize * height as usize * bands;
    let values = match kind {
        b'1' => text.bits(count)?,
        b'4' => text.packed(width as usize, height as usize)?,
        b'2' | b'3' => text.plain(count, most)?,
        _ => text.raw(count, most)?,
    };
    let wide = bands == 1 && most > 255;
    let scaled = |value: u16| {
        let top = if wide { 65_535.0 } else { 255.0 };
        (f64::from(value) / most as f64 * top)
            .round_ties_even()
            .min(top)
    };
    let lost = || DecodeError::TooMuchMemory { format: NAME };
    Ok(if bits {
        let gray = values.into_iter().map(|bit| if bit == 0 { 255 } else { 0 });
        let gray = GrayImage::from_vec(width, height, gray.collect()).ok_or_else(lost)?;
        Pixels::Palette(triple(gray)).into()
    } else if wide {
        let values: Vec<u16> = values
            .into_iter()
            .map(|value| scaled(value) as u16)
            .collect();
        let at = |x: u32, y: u32| Luma([values[y as usize * width as usize + x as usize]]);
        Pixels::Gray16(Gray16Image::from_fn(width, height, at)).into()
    } else {
        let bytes = values
            .into_iter()
            .map(|value| scaled(value) as u8)
            .collect();
        let rgb = if bands == 3 {
            RgbImage::from_vec(width, height, bytes).ok_or_else(lost)?
        } else {
            triple(GrayImage::from_vec(width, height, bytes).ok_or_else(lost)?)
        };
        Pixels::Rgb(rgb).into()
    })
}

/// What is left of a file.
struct Text<'a> {
    bytes: &'a [u8],
    /// Bytes of the whole file.
    whole: usize,
}

impl Text<'_> {
    fn next(&mut self) -> Option<u8> {
        let (first, rest) = self.bytes.split_first()?;
        self.bytes = rest;
        Some(*first)
    }

    fn truncated(&self) -> DecodeError {
        DecodeError::Truncated {
            format: NAME,
            bytes: self.whole,
        }
    }

    /// A byte that is no blank and in no comment, and all before it.
    fn solid(&mut self) -> Option<u8> {
        loop {
            match self.next()? {
                b'#' => while !matches!(self.next()?, b'\n' | b'\r') {},
                byte if is_blank(byte) => {}
                byte => return Some(byte),
            }
        }
    }

    /// A number and one blank after it.
    fn number(&mut self) -> Result<u64, DecodeError> {
        let mut digits = Vec::new();
        let mut next = self.solid();
        while let Some(byte) = next.filter(|byte| !is_blank(*byte)) {
            // A comment may follow a number at once.
            if byte == b'#' {
                while !matches!(self.next(), None | Some(b'\n' | b'\r')) {}
                break;
            }
            digits.push(byte);
            if digits.len() > MAX_DIGITS {
                return Err(corrupt("a number has more than 10 digits".to_owned()));
            }
            next = self.next();
        }
        if digits.is_empty() {
            return Err(self.truncated());
        }
        let text = String::from_utf8_lossy(&digits).into_owned();
        text.parse()
            .map_err(|_not| corrupt(format!("{text:?} is no number")))
    }

    /// Digits 0 and 1, with or without blanks between.
    fn bits(&mut self, count: usize) -> Result<Vec<u16>, DecodeError> {
        let mut values = Vec::with_capacity(count.min(self.bytes.len()));
        while values.len() < count {
            match self.solid() {
                Some(bit @ (b'0' | b'1')) => values.push(u16::from(bit - b'0')),
                Some(other) => return Err(corrupt(format!("{:?} is no bit", char::from(other)))),
                None => return Err(self.truncated()),
            }
        }
        Ok(values)
    }

    /// Bits, eight a byte, rows beginning with a byte.
    fn packed(&mut self, width: usize, height: usize) -> Result<Vec<u16>, DecodeError> {
        let row = width.div_ceil(8);
        let bytes = self.take(row * height)?;
        let mut values = Vec::with_capacity(width * height);
        for row in bytes.chunks_exact(row) {
            let bit = |x: usize| u16::from(row[x / 8] >> (7 - x % 8) & 1);
            values.extend((0..width).map(bit));
        }
        Ok(values)
    }

    /// Numbers in digits.
    fn plain(&mut self, count: usize, most: u64) -> Result<Vec<u16>, DecodeError> {
        let mut values = Vec::with_capacity(count.min(self.bytes.len()));
        while values.len() < count {
            let value = self.number()?;
            if value > most {
                return Err(corrupt(format!(
                    "{value} is above its largest value, {most}"
                )));
            }
            values.push(value as u16);
        }
        Ok(values)
    }

    /// Numbers of one byte, or of two with the higher first.
    fn raw(&mut self, count: usize, most: u64) -> Result<Vec<u16>, DecodeError> {
        if most < 256 {
            return Ok(self.take(count)?.iter().map(|&byte| byte.into()).collect());
        }
        let pairs = self.take(2 * count)?.chunks_exact(2);
        Ok(pairs
            .map(|pair| u16::from_be_bytes([pair[0], pair[1]]))
            .collect())
    }

    fn take(&mut self, count: usize) -> Result<&[u8], DecodeError> {
        self.bytes.get(..count).ok_or_else(|| self.truncated())
    }
}

fn is_blank(byte: u8) -> bool {
    byte.is_ascii_whitespace() || byte == 0x0b
}

fn corrupt(reason: String) -> DecodeError {
    DecodeError::Corrupt {
        format: NAME,
        source: reason.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rgb(bytes: &[u8]) -> Vec<u8> {
        decode(bytes, 100).unwrap().into_rgb().into_vec()
    }

    #[test]
    fn every_kind_as_pillow_reads_it() {
        assert_eq!(
            rgb(b"P6 2 1\n255\n\x01\x02\x03\x0a\x0b\x0c"),
            [1, 2, 3, 10, 11, 12]
        );
        assert_eq!(
            rgb(b"P5\n# made by hand\n2 1 255\n\x07\xff"),
            [7, 7, 7, 255, 255, 255]
        );
        assert_eq!(rgb(b"P3 1 1 255 9 8 7"), [9, 8, 7]);
        assert_eq!(
            rgb(b"P2\n1 2\n15\n15 # full\n4\n"),
            [255, 255, 255, 68, 68, 68]
        );
        // 128/256 of 255 is 127.5, and to even 128; 126/252 is 127.5 too.
        assert_eq!(rgb(b"P6 1 1 252\n\x7e\x00\xfc"), [128, 0, 255]);
        assert_eq!(rgb(b"P1 3 1 1 0\n1"), [0, 0, 0, 255, 255, 255, 0, 0, 0]);
        assert_eq!(rgb(b"P1 3 1 101"), [0, 0, 0, 255, 255, 255, 0, 0, 0]);
        // Ten pixels take two bytes a row.
        let bits = rgb(b"P4 10 1\n\xff\x40");
        assert_eq!((bits[3 * 7], bits[3 * 8], bits[3 * 9]), (0, 255, 0));
        // Gray of 16 bits is cut off at 255, color is scaled.
        assert_eq!(
            rgb(b"P5 2 1 65535\n\x00\x09\x02\x00"),
            [9, 9, 9, 255, 255, 255]
        );
        assert_eq!(
            rgb(b"P6 1 1 65535\n\xff\xff\x80\x80\x00\x00"),
            [255, 128, 0]
        );
    }

    #[test]
    fn what_is_not_whole_or_not_sound_is_refused() {
        for bytes in [
            &b"P6 2 1 255\n\x01"[..],
            b"P6 2",
            b"P5 1 1 255",
            b"P2 1 1 255",
            b"P1 2 1 1",
        ] {
            let error = decode(bytes, 100).unwrap_err();
            assert!(matches!(error, DecodeError::Truncated { .. }), "{error:?}");
        }
        for bytes in [
            &b"P5 1 1 0\n\x01"[..],
            b"P5 1 1 65536\n\x01",
            b"P5 x 1 255\n\x01",
            b"P2 1 1 9 10",
            b"P1 1 1 2",
            b"P5 -1 1 255\n\x01",
            b"P5 99999999999 1 255\n\x01",
        ] {
            let error = decode(bytes, 100).unwrap_err();
            assert!(matches!(error, DecodeError::Corrupt { .. }), "{error:?}");
        }
        let error = decode(b"P5 60000 60000 255\n", 100).unwrap_err();
        assert!(matches!(error, DecodeError::TooLarge { .. }), "{error:?}");
        let error = decode(b"P5 0 1 255\n", 100).unwrap_err();
        assert!(matches!(error, DecodeError::NoPixels { .. }), "{error:?}");
        assert!(!is_pnm(b"P7 1") && !is_pnm(b"P6x") && !is_pnm(b"P6"));
    }
}
