//! Files as other readers see them.

use serde_json::json;

use super::*;

const FORMATS: [FileFormat; 3] = [FileFormat::Png, FileFormat::Jpeg, FileFormat::WebP];

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
            strength: None,
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
    let bytes = encode(&picture(), FileFormat::Png, Some(&marks("a café"))).unwrap();
    assert_eq!(decode_rgb(&bytes, Exif::Ignore).unwrap(), picture());
    assert_eq!(chunks(&bytes), ["IHDR", "tEXt", "iTXt", "IDAT", "IEND"]);
    let reader = ::png::Decoder::new(std::io::Cursor::new(&bytes))
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
    let bytes = encode(&picture(), FileFormat::Png, Some(&marks("猫 🐈"))).unwrap();
    let reader = ::png::Decoder::new(std::io::Cursor::new(&bytes))
        .read_info()
        .unwrap();
    assert_eq!(reader.info().uncompressed_latin1_text, []);
    let text = &reader.info().utf8_text[0];
    assert_eq!(text.keyword, "parameters");
    assert!(text.get_text().unwrap().starts_with("猫 🐈\nSteps: 20, "));
}

#[test]
fn the_bytes_are_the_same_each_time() {
    for format in FORMATS {
        let bytes = || encode(&picture(), format, Some(&marks("a"))).unwrap();
        assert_eq!(bytes(), bytes());
    }
}

#[test]
fn without_marks_there_is_no_text() {
    let bytes = encode(&picture(), FileFormat::Png, None).unwrap();
    assert_eq!(chunks(&bytes), ["IHDR", "IDAT", "IEND"]);
    let plain = encode(&picture(), FileFormat::Jpeg, None).unwrap();
    let marked = encode(&picture(), FileFormat::Jpeg, Some(&marks("a"))).unwrap();
    assert!(plain.len() + 300 < marked.len());
    assert_eq!(
        decode_rgb(&plain, Exif::Ignore).unwrap(),
        decode_rgb(&marked, Exif::Apply).unwrap()
    );
}

#[test]
fn a_jpeg_is_near_the_pixels_and_holds_the_texts() {
    let bytes = encode(&picture(), FileFormat::Jpeg, Some(&marks("猫"))).unwrap();
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
    let error = encode(&empty, FileFormat::Png, None).unwrap_err();
    assert!(
        matches!(error, EncodeError::Png { width: 0, .. }),
        "{error:?}"
    );
    let error = encode(
        &picture(),
        FileFormat::Jpeg,
        Some(&marks(&"x".repeat(40_000))),
    )
    .unwrap_err();
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

#[test]
fn our_json_comes_back_from_every_format() {
    // What XML, JSON and Latin-1 would each stumble over.
    for caption in [
        "a",
        "<b> & \"c\" &lt; ]]>",
        "猫 🐈\n\u{1}",
        "</hardlight:json>",
    ] {
        for format in FORMATS {
            let bytes = encode(&picture(), format, Some(&marks(caption))).unwrap();
            assert_eq!(FileFormat::of(&bytes), Some(format));
            assert_eq!(
                read_marks(&bytes),
                Some(marks(caption).hardlight),
                "{format:?}"
            );
            let plain = encode(&picture(), format, None).unwrap();
            assert_eq!(read_marks(&plain), None, "{format:?}");
        }
    }
}

#[test]
fn a_cut_file_has_no_marks() {
    for format in FORMATS {
        let bytes = encode(&picture(), format, Some(&marks("a"))).unwrap();
        for kept in [0, 2, 30, bytes.len() / 2, bytes.len() - 20] {
            assert_eq!(read_marks(&bytes[..kept]), None, "{format:?} cut to {kept}");
        }
    }
    assert_eq!(read_marks(b"no image"), None);
}

#[test]
fn pixels_and_texts_come_back_from_a_webp() {
    let bytes = encode(&picture(), FileFormat::WebP, Some(&marks("猫"))).unwrap();
    assert_eq!(decode_rgb(&bytes, Exif::Ignore).unwrap(), picture());
    let mut reader = image_webp::WebPDecoder::new(std::io::Cursor::new(&bytes)).unwrap();
    assert!(!reader.is_lossy());
    let exif = reader.exif_metadata().unwrap().unwrap();
    assert_eq!(
        exif,
        exif::user_comment(&marks("猫").parameters.to_string())
    );
    let xmp = String::from_utf8(reader.xmp_metadata().unwrap().unwrap()).unwrap();
    assert!(
        xmp.contains("digitalsourcetype/trainedAlgorithmicMedia<"),
        "{xmp}"
    );
    assert!(xmp.contains("<hardlight:json>{\"schema\":1,"), "{xmp}");
}

#[test]
fn marks_go_into_a_jpeg_afterwards() {
    let plain = encode(&picture(), FileFormat::Jpeg, None).unwrap();
    let marked = encode(&picture(), FileFormat::Jpeg, Some(&marks("a"))).unwrap();
    assert_eq!(add_marks_to_jpeg(plain, &marks("a")).unwrap(), marked);
    let png = encode(&picture(), FileFormat::Png, None).unwrap();
    let error = add_marks_to_jpeg(png, &marks("a")).unwrap_err();
    assert!(matches!(error, EncodeError::NotAJpeg { .. }), "{error:?}");
}
