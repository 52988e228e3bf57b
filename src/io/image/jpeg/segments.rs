//! The segments of a JPEG, stepped over.

/// What the segments say, up to the end marker.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Segments<'a> {
    /// Width and height of the frame, px; none without a frame.
    pub(super) size: Option<(u16, u16)>,
    /// How many scans the compressed data come in.
    pub(super) scans: usize,
    /// The TIFF data of the first EXIF segment.
    pub(super) exif: Option<&'a [u8]>,
}

const END: u8 = 0xD9;
const START_OF_SCAN: u8 = 0xDA;
const APP1: u8 = 0xE1;
const EXIF: &[u8] = b"Exif\0\0";

impl<'a> Segments<'a> {
    /// Walks a file; none if it ends before its end marker.
    ///
    /// Segments with a length are stepped over, so the end marker of an embedded thumbnail does not count; what
    /// follows the image (a maker's trailer, a second picture) is not looked at.
    pub(super) fn walk(bytes: &'a [u8]) -> Option<Self> {
        let mut found = Self {
            size: None,
            scans: 0,
            exif: None,
        };
        let mut at = 2;
        loop {
            // Anything up to the next marker is the compressed data of a scan, or filling.
            at += bytes.get(at..)?.iter().position(|byte| *byte == 0xFF)? + 1;
            match *bytes.get(at)? {
                END => return Some(found),
                // 0xFF again is a fill byte: the marker may start there.
                0xFF => {}
                // A stuffed 0xFF of the data, or a marker without a length (restart, start, TEM).
                0x00 | 0x01 | 0xD0..=0xD8 => at += 1,
                marker => {
                    let begin = bytes.get(at + 1..at + 3)?;
                    let length = usize::from(u16::from_be_bytes([begin[0], begin[1]]));
                    let content = bytes
                        .get(at + 3..at + 1 + length.max(2))
                        .unwrap_or_default();
                    found.take(marker, content);
                    at += 1 + length;
                }
            }
        }
    }

    fn take(&mut self, marker: u8, content: &'a [u8]) {
        match marker {
            START_OF_SCAN => self.scans += 1,
            APP1 if self.exif.is_none() => self.exif = content.strip_prefix(EXIF),
            // Every start of frame; between them stand tables (C4, CC) and an extension (C8).
            0xC0..=0xC3 | 0xC5..=0xC7 | 0xC9..=0xCB | 0xCD..=0xCF if self.size.is_none() => {
                if let [_, h1, h0, w1, w0, ..] = content {
                    let pair = |high: u8, low: u8| u16::from_be_bytes([high, low]);
                    self.size = Some((pair(*w1, *w0), pair(*h1, *h0)));
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_counts_is_found_and_what_lies_inside_a_segment_is_not() {
        let mut file = vec![0xFF, 0xD8];
        let mut put = |marker: u8, content: &[u8]| {
            file.extend([0xFF, marker]);
            file.extend((content.len() as u16 + 2).to_be_bytes());
            file.extend(content);
        };
        // A thumbnail with a frame, a scan and an end of its own.
        let thumbnail = [0xFF, 0xC0, 0, 9, 8, 0, 1, 0, 1, 0xFF, 0xDA, 0xFF, 0xD9];
        put(0xE1, &[EXIF, b"II*\0", &thumbnail].concat());
        put(0xE1, &[EXIF, b"second"].concat());
        put(0xC4, &[8, 0, 7, 0, 7]);
        put(0xC2, &[8, 0, 3, 1, 2, 3]);
        put(0xDA, &[1, 2]);
        put(0xDA, &[1, 2]);
        file.extend([1, 2, 0xFF, 0x00, 0xFF, 0xD3, 5, 0xFF, 0xFF, 0xD9, 9, 9]);
        let found = Segments::walk(&file).unwrap();
        assert_eq!(found.size, Some((258, 3)));
        assert_eq!(found.scans, 2);
        assert!(found.exif.unwrap().starts_with(b"II*\0"));
        // But for the trailer nothing may lack.
        for end in 0..file.len() - 2 {
            assert_eq!(Segments::walk(&file[..end]), None, "{end}");
        }
    }
}
