use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::super::{Exif, MAX_PIXELS, decode_rgb};
use super::*;
use crate::io::sha256_hex;

/// Small files of every kind, made by `tests/oracle/golden/jpeg.py`.
fn golden() -> Vec<(Value, Vec<u8>)> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/jpeg.json");
    let rows: Vec<Value> = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let bytes = |row: &Value| STANDARD.decode(row["file"].as_str().unwrap()).unwrap();
    rows.into_iter()
        .map(|row| (row.clone(), bytes(&row)))
        .collect()
}

fn of_kind(kind: &str) -> Vec<u8> {
    let mut rows = golden().into_iter();
    rows.find(|(row, _)| row["kind"] == kind).unwrap().1
}

#[test]
fn every_pixel_is_pillows() {
    let golden = golden();
    assert!(golden.len() >= 22);
    for (row, bytes) in golden {
        let image = decode_rgb(&bytes, Exif::Ignore).unwrap();
        let size = [image.width(), image.height()];
        assert_eq!(row["size"], Value::from(size.to_vec()), "{}", row["kind"]);
        assert_eq!(row["rgb"], sha256_hex(image.as_raw()), "{}", row["kind"]);
    }
}

#[test]
fn hostile_bytes_end_in_an_image_or_an_error() {
    let mut state = 7_u32;
    let mut random = move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as usize
    };
    let (mut images, mut errors) = (0, 0);
    for (_, bytes) in golden() {
        for _ in 0..100 {
            let mut damaged = bytes.clone();
            for _ in 0..=random() % 3 {
                let at = 2 + random() % (damaged.len() - 2);
                damaged[at] = random() as u8;
            }
            match decode(&damaged, 10_000) {
                Ok(_) => images += 1,
                Err(_) => errors += 1,
            }
        }
    }
    assert!(images > 100 && errors > 100, "{images} {errors}");
}

#[test]
fn more_scans_than_any_encoder_writes_are_refused() {
    let bytes = of_kind("gray");
    let end = bytes.len() - 2;
    let scan = bytes
        .windows(2)
        .position(|pair| pair == [0xFF, 0xDA])
        .unwrap();
    let scans = [
        &bytes[..end],
        &bytes[scan..end].repeat(MAX_SCANS),
        &bytes[end..],
    ]
    .concat();
    let error = decode(&scans, MAX_PIXELS).unwrap_err();
    assert!(error.to_string().contains("501 scans"), "{error}");
}

#[test]
fn a_file_without_a_frame_is_an_error_and_the_size_is_looked_at_first() {
    let bytes = of_kind("gray");
    let frame = bytes
        .windows(2)
        .position(|pair| pair == [0xFF, 0xC0])
        .unwrap();
    let mut without = bytes.clone();
    // An application's segment in its place.
    without[frame + 1] = 0xEB;
    assert!(decode(&without, MAX_PIXELS).is_err());
    let mut large = bytes;
    large[frame + 5..frame + 9].fill(0xFF);
    let error = decode(&large, MAX_PIXELS).unwrap_err();
    assert!(matches!(error, DecodeError::TooLarge { .. }), "{error:?}");
}
