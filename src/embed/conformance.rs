//! What every encoder promises, as checks that run on any of them.

use image::{Rgb, RgbImage};
use ndarray::Array2;

use super::{ImageEncoder, TextEncoder};

/// Numbers of two batch sizes differ by rounding alone.
const ROUNDING: f32 = 1e-4;

/// Holds an image encoder to its promises; gives the first that it breaks.
///
/// - A row an image, of the width that it names, of finite numbers.
/// - An image gives the same row alone, among others, in any order (to rounding).
/// - Different images give different rows.
/// - No images give no rows.
///
/// # Errors
///
/// A sentence on the broken promise.
pub fn check_images(encoder: &dyn ImageEncoder) -> Result<(), String> {
    let images: Vec<RgbImage> = (0..5_u8)
        .map(|at| {
            RgbImage::from_fn(40, 30 + u32::from(at), |x, y| {
                Rgb([at * 50, (x * 5) as u8, (y * u32::from(at + 1)) as u8])
            })
        })
        .collect();
    let together = encoder.encode_images(&images).map_err(|e| e.to_string())?;
    check_rows(&together, images.len(), encoder.dim())?;
    for (at, image) in images.iter().enumerate() {
        let alone = encoder
            .encode_images(std::slice::from_ref(image))
            .map_err(|e| e.to_string())?;
        if !near(&alone, &together, at) {
            return Err(format!("image {at} depends on its neighbours"));
        }
    }
    let none = encoder.encode_images(&[]).map_err(|e| e.to_string())?;
    if none.nrows() != 0 {
        return Err("no images give rows".to_owned());
    }
    Ok(())
}

/// Holds a text encoder to the same promises, on two captions of different meaning.
///
/// # Errors
///
/// A sentence on the broken promise.
pub fn check_texts(encoder: &dyn TextEncoder, captions: [&str; 2]) -> Result<(), String> {
    let captions = captions.map(str::to_owned);
    let together = encoder.encode_texts(&captions).map_err(|e| e.to_string())?;
    check_rows(&together, captions.len(), together.ncols())?;
    for (at, caption) in captions.iter().enumerate() {
        let alone = encoder
            .encode_texts(std::slice::from_ref(caption))
            .map_err(|e| e.to_string())?;
        if !near(&alone, &together, at) {
            return Err(format!("caption {at} depends on its neighbours"));
        }
    }
    Ok(())
}

fn check_rows(rows: &Array2<f32>, count: usize, dim: usize) -> Result<(), String> {
    if rows.dim() != (count, dim) {
        return Err(format!(
            "{:?} numbers, expected {:?}",
            rows.dim(),
            (count, dim)
        ));
    }
    if rows.iter().any(|v| !v.is_finite()) {
        return Err("a number is not finite".to_owned());
    }
    for a in 0..count {
        if (0..a).any(|b| rows.row(a) == rows.row(b)) {
            return Err(format!("row {a} is another's"));
        }
    }
    Ok(())
}

/// Whether the only row of `alone` is row `at` of `together`, to rounding.
fn near(alone: &Array2<f32>, together: &Array2<f32>, at: usize) -> bool {
    let (a, b) = (alone.row(0), together.row(at));
    let scale = b.iter().fold(1e-6_f32, |most, v| most.max(v.abs()));
    a.iter()
        .zip(b)
        .all(|(a, b)| (a - b).abs() <= ROUNDING * scale)
}
