//! A generated image as a file: its pixels, how they were made, and the mark that they are
//! synthetic.
//!
//! | In a PNG | In a JPEG | Content |
//! | --- | --- | --- |
//! | tEXt `parameters` (iTXt if not Latin-1) | EXIF `UserComment` | [`Parameters`], as AUTOMATIC1111's web UI writes them |
//! | iTXt `hardlight` | comment | our own JSON |
//! | iTXt `XML:com.adobe.xmp` | APP1 | XMP with IPTC's [`DigitalSource`] |
//!
//! Text stands before the pixels, so readers find it without decoding them. The same image and
//! marks give the same bytes; nothing is taken from the clock.

use std::fmt::{self, Display};

use image::{ExtendedColorType, ImageEncoder as _, RgbImage};
use png::text_metadata::{ITXtChunk, TEXtChunk};
use serde_json::Value;

use crate::io::{Classified, ErrorKind};

/// Quality of a JPEG, of 100: what ImageNet-like sets were mostly saved with or above.
const JPEG_QUALITY: u8 = 95;

/// The marker of a JPEG comment.
const COMMENT: u8 = 0xfe;

/// The marker of EXIF and XMP.
const APP1: u8 = 0xe1;

/// The most bytes a JPEG segment may hold, besides its length.
const MAX_SEGMENT: usize = 65_533;

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

    /// A text is longer than a JPEG can hold.
    #[error("{what} has {bytes} bytes, a JPEG holds {MAX_SEGMENT}: save as PNG")]
    TooLong {
        /// Which text.
        what: &'static str,
        /// Its length.
        bytes: usize,
    },
}

impl Classified for EncodeError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Png { .. } | Self::Jpeg { .. } => ErrorKind::Other,
            Self::TooLong { .. } => ErrorKind::Input,
        }
    }
}

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
}

impl FileFormat {
    /// The extension of its files.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Png => "png",
            Self::Jpeg => "jpg",
        }
    }
}

/// Where the pixels come from, in the words of the IPTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DigitalSource {
    /// A trained model made them from text.
    TrainedAlgorithmicMedia,
    /// A trained model changed a photograph.
    CompositeWithTrainedAlgorithmicMedia,
    /// A program drew them.
    AlgorithmicMedia,
}

impl DigitalSource {
    /// Its name in the vocabulary `http://cv.iptc.org/newscodes/digitalsourcetype/`.
    pub fn name(self) -> &'static str {
        match self {
            Self::TrainedAlgorithmicMedia => "trainedAlgorithmicMedia",
            Self::CompositeWithTrainedAlgorithmicMedia => "compositeWithTrainedAlgorithmicMedia",
            Self::AlgorithmicMedia => "algorithmicMedia",
        }
    }

    /// Its address, as XMP and the manifest write it.
    pub fn uri(self) -> String {
        format!(
            "http://cv.iptc.org/newscodes/digitalsourcetype/{}",
            self.name()
        )
    }
}

/// How an image was made; shown as AUTOMATIC1111's web UI writes and reads it.
///
/// ```
/// let parameters = hardlight::run::png::Parameters {
///     caption: "a photo of a cat".to_owned(),
///     negative_prompt: "blurry".to_owned(),
///     steps: 20,
///     scheduler: "euler-ancestral".to_owned(),
///     guidance: 7.0,
///     seed: 1,
///     width: 512,
///     height: 512,
///     model: "sd-v1-5".to_owned(),
/// };
/// assert_eq!(
///     parameters.to_string(),
///     "a photo of a cat\nNegative prompt: blurry\n\
///      Steps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1, Size: 512x512, Model: sd-v1-5"
/// );
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Parameters {
    /// The prompt.
    pub caption: String,
    /// The negative prompt; empty for none.
    pub negative_prompt: String,
    /// Denoising steps.
    pub steps: u32,
    /// Name of the scheduler, ours or anyone's.
    pub scheduler: String,
    /// Guidance scale.
    pub guidance: f64,
    /// Seed of the noise.
    pub seed: u64,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Name of the model.
    pub model: String,
}

impl Display for Parameters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            caption,
            negative_prompt,
            steps,
            scheduler,
            guidance,
            seed,
            width,
            height,
            model,
        } = self;
        writeln!(f, "{caption}")?;
        if !negative_prompt.is_empty() {
            writeln!(f, "Negative prompt: {negative_prompt}")?;
        }
        let sampler = quote(sampler(scheduler));
        write!(
            f,
            "Steps: {steps}, Sampler: {sampler}, CFG scale: {guidance}, Seed: {seed}, \
             Size: {width}x{height}"
        )?;
        if !model.is_empty() {
            write!(f, ", Model: {}", quote(model))?;
        }
        Ok(())
    }
}

/// What the web UI calls a scheduler of ours; other names stay.
fn sampler(scheduler: &str) -> &str {
    match scheduler {
        "ddim" => "DDIM",
        "ddpm" => "DDPM",
        "pndm" => "PLMS",
        "euler" => "Euler",
        "euler-ancestral" => "Euler a",
        "dpm++" => "DPM++ 2M",
        "heun" => "Heun",
        "lms" => "LMS",
        "lcm" => "LCM",
        "unipc" => "UniPC",
        other => other,
    }
}

/// A value of the last line: one that could be taken for more than one is quoted as JSON
/// (`modules/infotext_utils.py`, `quote`).
fn quote(text: &str) -> String {
    if text.contains([',', ':', '\n']) {
        Value::from(text).to_string()
    } else {
        text.to_owned()
    }
}

/// What a file says about its image.
#[derive(Debug, Clone, PartialEq)]
pub struct Marks {
    /// How it was made.
    pub parameters: Parameters,
    /// Our own JSON: schema, run id, item id, hashes.
    pub hardlight: Value,
    /// Where the pixels come from.
    pub source: DigitalSource,
}

/// Encodes an image in the format of the training set.
///
/// Without marks the file holds the pixels only.
///
/// # Errors
///
/// Those of [`encode_png`] and [`encode_jpeg`].
pub fn encode_matching(
    image: &RgbImage,
    format: FileFormat,
    marks: Option<&Marks>,
) -> Result<Vec<u8>, EncodeError> {
    match format {
        FileFormat::Png => encode_png(image, marks),
        FileFormat::Jpeg => encode_jpeg(image, marks),
    }
}

/// Encodes an image as an 8-bit RGB PNG.
///
/// # Errors
///
/// [`EncodeError::Png`], for an image without pixels.
pub fn encode_png(image: &RgbImage, marks: Option<&Marks>) -> Result<Vec<u8>, EncodeError> {
    let (width, height) = image.dimensions();
    let failed = |source| EncodeError::Png {
        width,
        height,
        source,
    };
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    // Named, because the crate's defaults may change and the bytes must not.
    encoder.set_deflate_compression(png::DeflateCompression::Level(6));
    encoder.set_filter(png::Filter::Adaptive);
    let mut writer = encoder.write_header().map_err(failed)?;
    if let Some(marks) = marks {
        let parameters = marks.parameters.to_string();
        if is_latin1(&parameters) {
            writer.write_text_chunk(&TEXtChunk::new("parameters", parameters))
        } else {
            writer.write_text_chunk(&ITXtChunk::new("parameters", parameters))
        }
        .map_err(failed)?;
        for (keyword, text) in [
            ("hardlight", marks.hardlight.to_string()),
            ("XML:com.adobe.xmp", xmp(marks.source)),
        ] {
            writer
                .write_text_chunk(&ITXtChunk::new(keyword, text))
                .map_err(failed)?;
        }
    }
    writer.write_image_data(image).map_err(failed)?;
    writer.finish().map_err(failed)?;
    Ok(bytes)
}

/// The `hardlight` JSON of a PNG that [`encode_png`] made; none in any other file.
pub fn hardlight_text(png: &[u8]) -> Option<Value> {
    let mut reader = png::Decoder::new(std::io::Cursor::new(png))
        .read_info()
        .ok()?;
    // A file that was cut has no whole picture, whatever its texts say.
    let mut pixels = vec![0; reader.output_buffer_size()?];
    reader.next_frame(&mut pixels).ok()?;
    let text = reader
        .info()
        .utf8_text
        .iter()
        .find(|t| t.keyword == "hardlight")?;
    serde_json::from_str(&text.get_text().ok()?).ok()
}

/// Encodes an image as a JPEG of quality 95.
///
/// # Errors
///
/// [`EncodeError::Jpeg`] for an image without pixels or too large, [`EncodeError::TooLong`].
pub fn encode_jpeg(image: &RgbImage, marks: Option<&Marks>) -> Result<Vec<u8>, EncodeError> {
    let (width, height) = image.dimensions();
    let mut bytes = Vec::new();
    image::codecs::jpeg::JpegEncoder::new_with_quality(&mut bytes, JPEG_QUALITY)
        .write_image(image, width, height, ExtendedColorType::Rgb8)
        .map_err(|source| EncodeError::Jpeg {
            width,
            height,
            source,
        })?;
    match marks {
        Some(marks) => mark_jpeg(bytes, marks),
        None => Ok(bytes),
    }
}

/// Adds marks to a JPEG that [`encode_jpeg`] made without; its pixels stay.
///
/// # Errors
///
/// [`EncodeError::TooLong`].
pub fn mark_jpeg(mut bytes: Vec<u8>, marks: &Marks) -> Result<Vec<u8>, EncodeError> {
    let mut segments = Vec::new();
    let comment = exif_comment(&marks.parameters.to_string());
    segment(&mut segments, APP1, "the EXIF comment", &[&comment])?;
    let packet = xmp(marks.source);
    let parts: [&[u8]; 2] = [b"http://ns.adobe.com/xap/1.0/\0", packet.as_bytes()];
    segment(&mut segments, APP1, "the XMP packet", &parts)?;
    let own = marks.hardlight.to_string();
    segment(
        &mut segments,
        COMMENT,
        "the JSON comment",
        &[own.as_bytes()],
    )?;
    let at = after_jfif(&bytes);
    bytes.splice(at..at, segments);
    Ok(bytes)
}

/// Where segments may be added: after the start marker and the JFIF segment, which must be first.
fn after_jfif(jpeg: &[u8]) -> usize {
    match jpeg {
        [0xff, 0xd8, 0xff, 0xe0, high, low, ..] => {
            4 + usize::from(u16::from_be_bytes([*high, *low]))
        }
        _ => 2,
    }
}

/// Adds a JPEG segment.
fn segment(
    bytes: &mut Vec<u8>,
    marker: u8,
    what: &'static str,
    parts: &[&[u8]],
) -> Result<(), EncodeError> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let Some(size) = u16::try_from(length + 2)
        .ok()
        .filter(|_| length <= MAX_SEGMENT)
    else {
        let bytes = length;
        return Err(EncodeError::TooLong { what, bytes });
    };
    bytes.extend_from_slice(&[0xff, marker]);
    bytes.extend_from_slice(&size.to_be_bytes());
    for part in parts {
        bytes.extend_from_slice(part);
    }
    Ok(())
}

/// An EXIF block that holds a user comment in UTF-16 and nothing else.
fn exif_comment(text: &str) -> Vec<u8> {
    const EXIF_FOLDER: u16 = 0x8769;
    const USER_COMMENT: u16 = 0x9286;
    const LONG: u16 = 4;
    const UNDEFINED: u16 = 7;
    let mut comment = b"UNICODE\0".to_vec();
    comment.extend(text.encode_utf16().flat_map(u16::to_be_bytes));
    // Two tables of one entry each: count (2 bytes), entry (12), offset of the next table (4).
    let table = |tag: u16, kind: u16, count: u32, value: u32| {
        let mut bytes = vec![0, 1];
        bytes.extend(tag.to_be_bytes());
        bytes.extend(kind.to_be_bytes());
        bytes.extend(count.to_be_bytes());
        bytes.extend(value.to_be_bytes());
        bytes.extend([0; 4]);
        bytes
    };
    let mut block = b"Exif\0\0".to_vec();
    // Offsets count from here: the header has 8 bytes, a table 18.
    block.extend(b"MM\0\x2a\0\0\0\x08");
    block.extend(table(EXIF_FOLDER, LONG, 1, 26));
    // A comment too long for 32 bits is refused by its segment.
    block.extend(table(USER_COMMENT, UNDEFINED, comment.len() as u32, 44));
    block.extend(comment);
    block
}

/// Whether a text can stand in a tEXt chunk.
fn is_latin1(text: &str) -> bool {
    // Control characters have no place there, but for the line break.
    text.chars()
        .all(|c| c == '\n' || (!c.is_control() && u32::from(c) < 256))
}

/// An XMP packet with the digital source type.
///
/// Source: IPTC Photo Metadata Standard, `Iptc4xmpExt:DigitalSourceType`.
fn xmp(source: DigitalSource) -> String {
    format!(
        "<?xpacket begin=\"\u{feff}\" id=\"W5M0MpCehiHzreSzNTczkc9d\"?>\n\
         <x:xmpmeta xmlns:x=\"adobe:ns:meta/\">\n\
         <rdf:RDF xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\">\n\
         <rdf:Description rdf:about=\"\" \
         xmlns:Iptc4xmpExt=\"http://iptc.org/std/Iptc4xmpExt/2008-02-29/\">\n\
         <Iptc4xmpExt:DigitalSourceType>{}</Iptc4xmpExt:DigitalSourceType>\n\
         </rdf:Description>\n</rdf:RDF>\n</x:xmpmeta>\n<?xpacket end=\"r\"?>",
        source.uri()
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::io::image::{Exif, decode_rgb};

    fn picture() -> RgbImage {
        RgbImage::from_fn(33, 17, |x, y| image::Rgb([x as u8 * 7, y as u8 * 11, 90]))
    }

    fn marks(caption: &str) -> Marks {
        Marks {
            parameters: Parameters {
                caption: caption.to_owned(),
                negative_prompt: String::new(),
                steps: 20,
                scheduler: "ddim".to_owned(),
                guidance: 7.5,
                seed: 42,
                width: 33,
                height: 17,
                model: "org/sd: v1".to_owned(),
            },
            hardlight: json!({"schema": 1, "id": "00ff", "caption": caption}),
            source: DigitalSource::TrainedAlgorithmicMedia,
        }
    }

    /// The kinds of chunks in order, equal neighbours once.
    fn chunks(png: &[u8]) -> Vec<String> {
        let mut kinds = Vec::new();
        let mut at = 8;
        while at < png.len() {
            let length = u32::from_be_bytes(png[at..at + 4].try_into().unwrap()) as usize;
            kinds.push(String::from_utf8(png[at + 4..at + 8].to_vec()).unwrap());
            at += length + 12;
        }
        kinds.dedup();
        kinds
    }

    #[test]
    fn pixels_and_text_come_back_from_a_png() {
        let bytes = encode_png(&picture(), Some(&marks("a café"))).unwrap();
        assert_eq!(decode_rgb(&bytes, Exif::Ignore).unwrap(), picture());
        assert_eq!(chunks(&bytes), ["IHDR", "tEXt", "iTXt", "IDAT", "IEND"]);
        let reader = png::Decoder::new(std::io::Cursor::new(&bytes))
            .read_info()
            .unwrap();
        let info = reader.info();
        let [parameters] = &info.uncompressed_latin1_text[..] else {
            panic!("{info:?}");
        };
        assert_eq!(parameters.keyword, "parameters");
        assert_eq!(
            parameters.text,
            "a café\nSteps: 20, Sampler: DDIM, CFG scale: 7.5, Seed: 42, Size: 33x17, \
             Model: \"org/sd: v1\""
        );
        let [own, xmp] = &info.utf8_text[..] else {
            panic!("{info:?}");
        };
        assert_eq!(
            (own.keyword.as_str(), xmp.keyword.as_str()),
            ("hardlight", "XML:com.adobe.xmp")
        );
        let json: Value = serde_json::from_str(&own.get_text().unwrap()).unwrap();
        assert_eq!(json, marks("a café").hardlight);
        assert!(xmp.get_text().unwrap().contains(
            "DigitalSourceType>http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia<"
        ));
    }

    #[test]
    fn captions_outside_latin_1_are_kept() {
        let bytes = encode_png(&picture(), Some(&marks("猫 🐈"))).unwrap();
        let reader = png::Decoder::new(std::io::Cursor::new(&bytes))
            .read_info()
            .unwrap();
        assert_eq!(reader.info().uncompressed_latin1_text, []);
        let text = &reader.info().utf8_text[0];
        assert_eq!(text.keyword, "parameters");
        assert!(text.get_text().unwrap().starts_with("猫 🐈\nSteps: 20, "));
    }

    #[test]
    fn the_bytes_are_the_same_each_time() {
        for format in [FileFormat::Png, FileFormat::Jpeg] {
            let encode = || encode_matching(&picture(), format, Some(&marks("a"))).unwrap();
            assert_eq!(encode(), encode());
        }
    }

    #[test]
    fn without_marks_there_is_no_text() {
        let bytes = encode_png(&picture(), None).unwrap();
        assert_eq!(chunks(&bytes), ["IHDR", "IDAT", "IEND"]);
        let plain = encode_jpeg(&picture(), None).unwrap();
        let marked = encode_jpeg(&picture(), Some(&marks("a"))).unwrap();
        assert!(plain.len() + 300 < marked.len());
        assert_eq!(
            decode_rgb(&plain, Exif::Ignore).unwrap(),
            decode_rgb(&marked, Exif::Apply).unwrap()
        );
    }

    #[test]
    fn a_jpeg_is_near_the_pixels_and_holds_the_texts() {
        let bytes = encode_matching(&picture(), FileFormat::Jpeg, Some(&marks("猫"))).unwrap();
        let back = decode_rgb(&bytes, Exif::Ignore).unwrap();
        assert_eq!(back.dimensions(), (33, 17));
        let worst = back
            .iter()
            .zip(picture().iter())
            .map(|(a, b)| a.abs_diff(*b))
            .max();
        assert!(worst < Some(40), "{worst:?}");
        let holds = |part: &[u8]| bytes.windows(part.len()).any(|window| window == part);
        assert!(holds(b"http://ns.adobe.com/xap/1.0/\0<?xpacket"));
        assert!(holds(marks("猫").hardlight.to_string().as_bytes()));
        let utf16: Vec<u8> = "猫\nSteps: 20"
            .encode_utf16()
            .flat_map(u16::to_be_bytes)
            .collect();
        assert!(holds(&utf16));
        // JFIF comes first, and every segment before the tables is whole.
        assert_eq!(&bytes[..4], [0xff, 0xd8, 0xff, 0xe0]);
        let mut at = 2;
        let mut markers = Vec::new();
        while bytes[at + 1] != 0xda {
            assert_eq!(bytes[at], 0xff);
            markers.push(bytes[at + 1]);
            at += 2 + usize::from(u16::from_be_bytes([bytes[at + 2], bytes[at + 3]]));
        }
        assert_eq!(markers[..4], [0xe0, 0xe1, 0xe1, 0xfe]);
    }

    #[test]
    fn what_cannot_be_encoded_is_refused() {
        let empty = RgbImage::new(0, 4);
        let error = encode_png(&empty, None).unwrap_err();
        assert!(
            matches!(error, EncodeError::Png { width: 0, .. }),
            "{error:?}"
        );
        let error = encode_jpeg(&picture(), Some(&marks(&"x".repeat(40_000)))).unwrap_err();
        assert!(
            matches!(
                error,
                EncodeError::TooLong {
                    what: "the EXIF comment",
                    ..
                }
            ),
            "{error:?}"
        );
    }
}
