//! What an image is compared with others by, small enough for a ledger line.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use half::f16;
use ndarray::ArrayView1;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Against, Thumbnail, Twin};

/// An image's embedding, of length 1, and its thumbnail, as 16-bit floats.
///
/// Comparisons use these numbers, also in the process that made them: a run that goes on decides as one
/// that was never interrupted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "Text", into = "Text")]
pub struct Descriptor {
    unit: Vec<f16>,
    thumbnail: Vec<f16>,
}

/// A [`Descriptor`] as files have it: little-endian float16 in base 64.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Descriptor")]
struct Text {
    /// The embedding, of length 1.
    embedding: String,
    /// 16 × 16 gray pixels, less their mean and of length 1.
    thumbnail: String,
}

/// A text that holds no descriptor.
#[derive(Debug, thiserror::Error)]
#[error("a descriptor is two lists of float16 in base 64, the second of 256 numbers")]
struct NoDescriptor;

impl Descriptor {
    /// From an embedding `[d]`, before normalisation, and a thumbnail.
    pub fn new(embedding: ArrayView1<'_, f32>, thumbnail: &Thumbnail) -> Self {
        let norm = embedding
            .iter()
            .map(|&v| f64::from(v) * f64::from(v))
            .sum::<f64>()
            .sqrt()
            .max(f64::MIN_POSITIVE);
        let unit = embedding
            .iter()
            .map(|&v| f16::from_f64(f64::from(v) / norm));
        let thumbnail = thumbnail.values().iter().map(|&v| f16::from_f32(v));
        Self {
            unit: unit.collect(),
            thumbnail: thumbnail.collect(),
        }
    }

    fn open(&self) -> Option<Item> {
        let wide = |numbers: &[f16]| -> Vec<f32> { numbers.iter().map(|v| v.to_f32()).collect() };
        Some(Item {
            unit: wide(&self.unit),
            thumbnail: Thumbnail::from_values(&wide(&self.thumbnail))?,
        })
    }
}

impl From<Descriptor> for Text {
    fn from(descriptor: Descriptor) -> Self {
        let encode = |numbers: &[f16]| {
            let bytes: Vec<u8> = numbers.iter().flat_map(|v| v.to_le_bytes()).collect();
            STANDARD.encode(bytes)
        };
        Self {
            embedding: encode(&descriptor.unit),
            thumbnail: encode(&descriptor.thumbnail),
        }
    }
}

impl TryFrom<Text> for Descriptor {
    type Error = NoDescriptor;

    fn try_from(text: Text) -> Result<Self, NoDescriptor> {
        let decode = |text: &str| -> Option<Vec<f16>> {
            let bytes = STANDARD.decode(text).ok()?;
            let numbers = bytes.chunks_exact(2);
            let whole = numbers.remainder().is_empty();
            whole.then(|| {
                numbers
                    .map(|pair| f16::from_le_bytes([pair[0], pair[1]]))
                    .collect()
            })
        };
        let descriptor = Self {
            unit: decode(&text.embedding).ok_or(NoDescriptor)?,
            thumbnail: decode(&text.thumbnail).ok_or(NoDescriptor)?,
        };
        descriptor.open().map(|_| ()).ok_or(NoDescriptor)?;
        Ok(descriptor)
    }
}

/// One image that was kept before.
#[derive(Debug, Clone)]
struct Item {
    unit: Vec<f32>,
    thumbnail: Thumbnail,
}

/// The images kept so far, for those to come to be compared with.
#[derive(Debug, Clone, Default)]
pub struct KeptImages {
    items: Vec<(String, Item)>,
}

impl KeptImages {
    /// Adds an image.
    pub fn add(&mut self, id: &str, descriptor: &Descriptor) {
        self.items
            .extend(descriptor.open().map(|item| (id.to_owned(), item)));
    }

    /// The most similar image of those whose embeddings have at least this cosine; of equals the first.
    pub(super) fn twin(&self, own: &Descriptor, least: f64) -> Option<Twin> {
        let own = own.open()?;
        let twins = self.items.iter().filter_map(|(id, item)| {
            let products = own.unit.iter().zip(&item.unit);
            let similarity: f64 = products.map(|(&a, &b)| f64::from(a) * f64::from(b)).sum();
            (similarity >= least).then(|| Twin {
                against: Against::Kept,
                id: id.clone(),
                similarity,
                correlation: item.thumbnail.correlation(&own.thumbnail),
            })
        });
        twins.reduce(|a, b| if b.correlation > a.correlation { b } else { a })
    }
}

#[cfg(test)]
mod tests {
    use image::{Rgb, RgbImage};
    use ndarray::array;

    use super::*;

    fn descriptor(bar: u32, embedding: [f32; 2]) -> Descriptor {
        let picture = RgbImage::from_fn(32, 32, |x, y| {
            let level = if x.abs_diff(bar) < 4 { 220 } else { 30 };
            Rgb([level, level, (y * 3) as u8])
        });
        Descriptor::new(
            array![embedding[0], embedding[1]].view(),
            &Thumbnail::of(&picture),
        )
    }

    #[test]
    fn it_comes_back_from_json_and_garbage_does_not() {
        let own = descriptor(5, [3.0, 4.0]);
        let text = serde_json::to_string(&own).unwrap();
        assert_eq!(serde_json::from_str::<Descriptor>(&text).unwrap(), own);
        for (from, to) in [
            ("\"embedding\":\"", "\"embedding\":\"A"),
            ("\"thumbnail\":\"", "\"thumbnail\":\"AAAA"),
        ] {
            let broken = text.replacen(from, to, 1);
            assert!(
                serde_json::from_str::<Descriptor>(&broken).is_err(),
                "{broken}"
            );
        }
    }

    #[test]
    fn the_nearest_of_those_near_enough_is_the_twin() {
        let mut earlier = KeptImages::default();
        assert_eq!(earlier.twin(&descriptor(5, [3.0, 4.0]), 0.9), None);
        earlier.add("first", &descriptor(5, [3.0, 4.0]));
        earlier.add("second", &descriptor(5, [3.0, 4.0]));
        earlier.add("other", &descriptor(20, [3.0, 4.0]));
        let twin = earlier.twin(&descriptor(5, [6.0, 8.1]), 0.9).unwrap();
        assert_eq!(
            (twin.id.as_str(), twin.against),
            ("first", Against::Kept),
            "of equals the first"
        );
        assert!(
            twin.similarity > 0.999 && twin.correlation > 0.999,
            "{twin:?}"
        );
        let twin = earlier.twin(&descriptor(20, [6.0, 8.1]), 0.9).unwrap();
        assert_eq!(twin.id, "other");
        assert_eq!(
            earlier.twin(&descriptor(5, [4.0, -3.0]), 0.9),
            None,
            "another kind of thing"
        );
    }
}
