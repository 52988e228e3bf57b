use ::image::codecs::jpeg::JpegEncoder;
use ::image::{
    DynamicImage, GrayImage, ImageBuffer, ImageEncoder as _, Luma, LumaA, Rgb, Rgba, RgbaImage,
};

use super::*;

/// A picture with enough detail that every part of its file matters.
fn picture() -> RgbImage {
    RgbImage::from_fn(96, 64, |x, y| {
        Rgb([(x * 2) as u8, (y * 3) as u8, ((x * y) % 251) as u8])
    })
}

fn encode(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

fn encoded(format: ImageFormat) -> Vec<u8> {
    encode(&DynamicImage::ImageRgb8(picture()), format)
}

/// A JPEG with the given EXIF data.
fn jpeg_with(exif: Option<Vec<u8>>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = JpegEncoder::new_with_quality(&mut bytes, 95);
    if let Some(exif) = exif {
        encoder.set_exif_metadata(exif).unwrap();
    }
    encoder.encode_image(&picture()).unwrap();
    bytes
}

/// EXIF data of one entry: the orientation.
fn orientation_exif(value: u8) -> Vec<u8> {
    let mut exif = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".to_vec();
    exif.extend_from_slice(&[value, 0, 0, 0, 0, 0, 0, 0]);
    exif
}

fn decode(bytes: &[u8]) -> Result<RgbImage, DecodeError> {
    decode_rgb(bytes, Exif::Ignore)
}

/// A PNG of one row of bytes.
fn one_row_png(width: u32, depth: u8, color: u8, row: &[u8], height: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    png_header(&mut bytes, width, height, depth, color);
    // Deflate, one stored block: filter byte and the row.
    let mut data = vec![0x78, 0x01, 0x01];
    let length = row.len() as u16 + 1;
    data.extend_from_slice(&length.to_le_bytes());
    data.extend_from_slice(&(!length).to_le_bytes());
    data.push(0);
    data.extend_from_slice(row);
    let (mut a, mut b) = (1_u32, 0_u32);
    for byte in std::iter::once(&0).chain(row) {
        a = (a + u32::from(*byte)) % 65_521;
        b = (b + a) % 65_521;
    }
    data.extend_from_slice(&((b << 16) | a).to_be_bytes());
    chunk(&mut bytes, *b"IDAT", &data);
    chunk(&mut bytes, *b"IEND", &[]);
    bytes
}

fn png_header(bytes: &mut Vec<u8>, width: u32, height: u32, depth: u8, color: u8) {
    bytes.extend_from_slice(b"\x89PNG\r\n\x1a\n");
    let mut header = [width.to_be_bytes(), height.to_be_bytes()].concat();
    header.extend_from_slice(&[depth, color, 0, 0, 0]);
    chunk(bytes, *b"IHDR", &header);
}

fn chunk(bytes: &mut Vec<u8>, kind: [u8; 4], data: &[u8]) {
    let mut body = kind.to_vec();
    body.extend_from_slice(data);
    let crc = body.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |c, _| {
            if c & 1 == 1 {
                (c >> 1) ^ 0xEDB8_8320
            } else {
                c >> 1
            }
        })
    });
    bytes.extend_from_slice(&(data.len() as u32).to_be_bytes());
    bytes.extend_from_slice(&body);
    bytes.extend_from_slice(&(!crc).to_be_bytes());
}

#[test]
fn lossless_formats_give_the_pixels_back() {
    for format in [
        ImageFormat::Png,
        ImageFormat::Bmp,
        ImageFormat::Tiff,
        ImageFormat::WebP,
    ] {
        assert_eq!(decode(&encoded(format)).unwrap(), picture(), "{format:?}");
    }
}

#[test]
fn a_jpeg_is_close_to_its_source() {
    let image = decode(&jpeg_with(None)).unwrap();
    assert_eq!(image.dimensions(), (96, 64));
    let error: i64 = image
        .iter()
        .zip(picture().iter())
        .map(|(a, b)| i64::from(a.abs_diff(*b)))
        .sum();
    assert!(error / (96 * 64 * 3) < 12, "{error}");
}

#[test]
fn truncated_files_are_errors() {
    let formats = [
        ImageFormat::Jpeg,
        ImageFormat::Png,
        ImageFormat::Bmp,
        ImageFormat::Tiff,
        ImageFormat::WebP,
        ImageFormat::Gif,
    ];
    for format in formats {
        let whole = encoded(format);
        decode(&whole).unwrap();
        for length in [12, whole.len() / 4, whole.len() / 2, whole.len() - 200] {
            let error = decode(&whole[..length]).unwrap_err();
            assert!(
                matches!(
                    error,
                    DecodeError::Truncated { .. } | DecodeError::Corrupt { .. }
                ),
                "{format:?} cut to {length}: {error:?}"
            );
        }
    }
}

#[test]
fn a_jpeg_is_truncated_at_every_length() {
    let whole = jpeg_with(None);
    for length in 3..whole.len() {
        let error = decode(&whole[..length]).unwrap_err();
        assert!(
            matches!(error, DecodeError::Truncated { .. }),
            "cut to {length}: {error:?}"
        );
    }
}

#[test]
fn a_trailer_after_a_jpeg_is_no_harm_and_a_thumbnail_end_does_not_count() {
    let mut trailer = jpeg_with(None);
    trailer.extend_from_slice(b"maker's trailer");
    decode(&trailer).unwrap();

    // The EXIF data hold an end marker, as a thumbnail does; the image's own is cut.
    let mut exif = orientation_exif(1);
    exif.extend_from_slice(&[0xFF, 0xD8, 0xFF, 0xD9]);
    let whole = jpeg_with(Some(exif));
    decode(&whole).unwrap();
    let error = decode(&whole[..whole.len() - 2]).unwrap_err();
    assert!(
        matches!(error, DecodeError::Truncated { format: "JPEG", .. }),
        "{error:?}"
    );
}

#[test]
fn a_damaged_jpeg_header_is_corrupt() {
    let mut bytes = jpeg_with(None);
    let frame = bytes
        .windows(2)
        .position(|pair| pair == [0xFF, 0xC0])
        .unwrap();
    // The number of components, which the segment's length contradicts.
    bytes[frame + 9] = 9;
    let error = decode(&bytes).map(|image| image.dimensions()).unwrap_err();
    assert!(
        matches!(error, DecodeError::Corrupt { format: "JPEG", .. }),
        "{error:?}"
    );
}

#[test]
fn a_flipped_byte_in_a_png_is_corrupt() {
    let mut bytes = encoded(ImageFormat::Png);
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x55;
    let error = decode(&bytes).unwrap_err();
    assert!(
        matches!(error, DecodeError::Corrupt { format: "PNG", .. }),
        "{error:?}"
    );
}

#[test]
fn no_input_makes_the_decoders_panic() {
    // Every byte of each header in turn set to its extremes: any answer but a panic will do.
    for format in [
        ImageFormat::Jpeg,
        ImageFormat::Png,
        ImageFormat::WebP,
        ImageFormat::Gif,
    ] {
        let whole = encoded(format);
        for at in 0..whole.len().min(300) {
            for value in [0, 0x7F, 0xFF] {
                let mut bytes = whole.clone();
                bytes[at] = value;
                let _ = decode_rgb_within(&bytes, Exif::Apply, 100_000);
            }
        }
    }
}

#[test]
fn empty_and_foreign_content_is_named() {
    assert!(matches!(decode(b"").unwrap_err(), DecodeError::Empty));
    let cases: [(&[u8], &str); 5] = [
        (
            b"version https://git-lfs.github.com/spec/v1\n",
            "git lfs pull",
        ),
        (b"<!DOCTYPE html><html>404</html>", "HTML"),
        (b"PK\x03\x04rest", "zip"),
        (b"\0\0\0\x1cftypavif", "AVIF"),
        (b"hello", "68, 65"),
    ];
    for (bytes, word) in cases {
        let error = decode(bytes).unwrap_err();
        assert!(matches!(error, DecodeError::NotAnImage { .. }), "{error:?}");
        assert!(error.to_string().contains(word), "{error}");
    }
}

#[test]
fn the_name_does_not_count() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("picture.jpg");
    std::fs::write(&path, encoded(ImageFormat::Png)).unwrap();
    assert_eq!(read_rgb(&path, Exif::Ignore).unwrap(), picture());
    std::fs::write(&path, b"").unwrap();
    let error = read_rgb(&path, Exif::Ignore).unwrap_err();
    assert!(
        matches!(
            error,
            IoError::Image {
                source: DecodeError::Empty,
                ..
            }
        ),
        "{error:?}"
    );
    assert_eq!(error.path(), path);
}

#[test]
fn size_limits_are_inclusive_and_held_for_every_format() {
    let pixels = 96 * 64;
    for format in [
        ImageFormat::Jpeg,
        ImageFormat::Png,
        ImageFormat::Bmp,
        ImageFormat::Tiff,
        ImageFormat::WebP,
        ImageFormat::Gif,
    ] {
        let bytes = encoded(format);
        decode_rgb_within(&bytes, Exif::Ignore, pixels).unwrap();
        let error = decode_rgb_within(&bytes, Exif::Ignore, pixels - 1).unwrap_err();
        assert!(
            matches!(
                error,
                DecodeError::TooLarge {
                    width: 96,
                    height: 64,
                    ..
                }
            ),
            "{format:?}: {error:?}"
        );
    }
}

#[test]
fn bombs_are_refused_from_the_header() {
    // Headers only: were the pixels looked at, the error would be another.
    for (width, height) in [
        (20_000, 20_000),
        (30_000, 30_000),
        (1, 100_000),
        (u32::MAX >> 1, 1),
    ] {
        let bytes = one_row_png(width, 8, 0, &[0], height);
        let error = decode(&bytes).unwrap_err();
        assert!(
            matches!(error, DecodeError::TooLarge { .. }),
            "{width}x{height}: {error:?}"
        );
    }
}

#[test]
fn gray_and_alpha_become_rgb_without_blending() {
    let gray = GrayImage::from_pixel(2, 2, Luma([7]));
    let bytes = encode(&DynamicImage::ImageLuma8(gray), ImageFormat::Png);
    assert_eq!(decode(&bytes).unwrap().get_pixel(1, 1), &Rgb([7, 7, 7]));

    let transparent = RgbaImage::from_pixel(2, 2, Rgba([200, 100, 50, 0]));
    for format in [ImageFormat::Png, ImageFormat::WebP] {
        let bytes = encode(&DynamicImage::ImageRgba8(transparent.clone()), format);
        assert_eq!(
            decode(&bytes).unwrap().get_pixel(0, 1),
            &Rgb([200, 100, 50]),
            "{format:?}"
        );
    }

    let two = ImageBuffer::from_pixel(2, 2, LumaA([9_u8, 0]));
    let bytes = encode(&DynamicImage::ImageLumaA8(two), ImageFormat::Png);
    assert_eq!(decode(&bytes).unwrap().get_pixel(0, 0), &Rgb([9, 9, 9]));
}

#[test]
fn sixteen_bit_gray_clips_and_sixteen_bit_color_keeps_the_high_byte() {
    // Pillow 13.0: Image.open(…).convert("RGB") of the same values.
    let gray = ImageBuffer::from_fn(3, 1, |x, _| Luma([[0_u16, 255, 40_000][x as usize]]));
    for format in [ImageFormat::Png, ImageFormat::Tiff] {
        let image = decode(&encode(&DynamicImage::ImageLuma16(gray.clone()), format)).unwrap();
        let reds: Vec<u8> = image.pixels().map(|p| p[0]).collect();
        assert_eq!(reds, [0, 255, 255], "{format:?}");
    }
    let color = ImageBuffer::from_pixel(1, 1, Rgb([0x12FF_u16, 0x00FF, 0xFFFF]));
    let image = decode(&encode(&DynamicImage::ImageRgb16(color), ImageFormat::Png)).unwrap();
    assert_eq!(image.get_pixel(0, 0), &Rgb([0x12, 0x00, 0xFF]));
}

#[test]
fn few_bits_are_expanded() {
    let image = decode(&one_row_png(4, 2, 0, &[0b0001_1011], 1)).unwrap();
    let reds: Vec<u8> = image.pixels().map(|p| p[0]).collect();
    assert_eq!(reds, [0, 85, 170, 255]);
}

#[test]
fn floating_point_tiffs_are_not_supported() {
    let image = ImageBuffer::from_pixel(1, 1, Rgb([0.5_f32, 0.5, 0.5]));
    let bytes = encode(&DynamicImage::ImageRgb32F(image), ImageFormat::Tiff);
    let error = decode(&bytes).unwrap_err();
    assert!(
        matches!(error, DecodeError::Unsupported { format: "TIFF", .. }),
        "{error:?}"
    );
}

#[test]
fn orientation_is_applied_only_when_asked_for() {
    let bytes = jpeg_with(Some(orientation_exif(6)));
    let stored = decode_rgb(&bytes, Exif::Ignore).unwrap();
    assert_eq!(stored.dimensions(), (96, 64));
    let upright = decode_rgb(&bytes, Exif::Apply).unwrap();
    assert_eq!(upright, ::image::imageops::rotate90(&stored));
    let plain = jpeg_with(None);
    assert_eq!(
        decode_rgb(&plain, Exif::Apply).unwrap(),
        decode_rgb(&plain, Exif::Ignore).unwrap()
    );
}
