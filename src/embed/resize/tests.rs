use super::*;

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/resize.json");

#[derive(serde::Deserialize)]
struct Golden {
    resize: Vec<Case>,
}

/// Made by `tests/oracle/golden/resize.py`.
#[derive(serde::Deserialize)]
struct Case {
    from: (u32, u32),
    to: (u32, u32),
    image: String,
    bilinear: Resized,
    bicubic: Resized,
}

#[derive(serde::Deserialize)]
struct Resized {
    pil: String,
    /// Where it differs from `pil`.
    pil12: Option<String>,
    /// Where it differs from Pillow 12's.
    torchvision: Option<String>,
}

impl Resized {
    fn pil12(&self) -> &str {
        self.pil12.as_ref().unwrap_or(&self.pil)
    }

    fn torchvision(&self) -> &str {
        self.torchvision.as_deref().unwrap_or(self.pil12())
    }
}

impl Case {
    fn all() -> Vec<Self> {
        let golden: Golden =
            serde_json::from_str(&std::fs::read_to_string(GOLDEN).unwrap()).unwrap();
        assert!(golden.resize.len() >= 15);
        golden.resize
    }

    fn filters(&self) -> [(Filter, &Resized); 2] {
        [
            (Filter::Bilinear, &self.bilinear),
            (Filter::Bicubic, &self.bicubic),
        ]
    }

    fn assert_same(&self, filter: Filter, kernel: Kernel, theirs: &str) {
        let Self { from, to, .. } = *self;
        let image = RgbImage::from_raw(from.0, from.1, bytes(&self.image)).unwrap();
        let ours = resize(&image, to.0, to.1, filter, kernel).into_raw();
        let what = format!("{from:?} to {to:?}, {filter:?}, {}", kernel.name());
        assert_eq!(ours, bytes(theirs), "{what}");
    }
}

fn bytes(hex: &str) -> Vec<u8> {
    hex.as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

#[test]
fn pillow_13_and_12_are_matched_bit_for_bit() {
    let mut differ = 0;
    for case in Case::all() {
        for (filter, theirs) in case.filters() {
            case.assert_same(filter, Kernel::Pil, &theirs.pil);
            case.assert_same(filter, Kernel::Pil12, theirs.pil12());
            differ += usize::from(theirs.pil != theirs.pil12());
        }
    }
    assert!(
        differ >= 5,
        "the golden cases must tell the two orders of passes apart"
    );
}

#[test]
fn torchvision_is_matched_bit_for_bit() {
    let mut differ = 0;
    for case in Case::all() {
        for (filter, theirs) in case.filters() {
            case.assert_same(filter, Kernel::Torchvision, theirs.torchvision());
            differ += usize::from(theirs.torchvision() != theirs.pil12());
        }
    }
    assert!(
        differ >= 5,
        "the golden cases must tell torchvision from Pillow"
    );
}

#[test]
fn a_window_equals_that_part_of_the_whole() {
    for kernel in [Kernel::Pil, Kernel::Pil12, Kernel::Torchvision] {
        for (width, height) in [(23, 31), (31, 90)] {
            let image = RgbImage::from_fn(width, height, |x, y| {
                image::Rgb([(x * 37 + y * 11) as u8, (x * y) as u8, (y * 53) as u8])
            });
            let whole = resize(&image, 17, 19, Filter::Bicubic, kernel);
            let window = Window {
                size: (17, 19),
                columns: 4..12,
                rows: 7..10,
                filter: Filter::Bicubic,
                kernel,
            };
            let part = window.bytes::<3>(Raster::of(&image));
            let expected: Vec<u8> = (7..10)
                .flat_map(|y| (4..12).map(move |x| (x, y)))
                .flat_map(|(x, y)| whole.get_pixel(x, y).0)
                .collect();
            assert_eq!(part, expected, "{}", kernel.name());
        }
    }
}

#[test]
fn a_thin_strip_costs_no_more_than_its_window() {
    // The whole resized strip would hold 224 × 22 400 000 pixels.
    let strip = RgbImage::from_pixel(100_000, 1, image::Rgb([9, 120, 255]));
    let window = Window {
        size: (22_400_000, 224),
        columns: 50..60,
        rows: 0..224,
        filter: Filter::Bicubic,
        kernel: Kernel::Pil,
    };
    let part = window.bytes::<3>(Raster::of(&strip));
    assert_eq!(part.len(), 10 * 224 * 3);
    assert!(part.chunks(3).all(|pixel| pixel == [9, 120, 255]));
}

#[test]
fn nothing_in_gives_black_and_nothing_out_gives_nothing() {
    let one = resize(&RgbImage::new(0, 4), 2, 2, Filter::Bilinear, Kernel::Pil);
    assert_eq!(one, RgbImage::new(2, 2));
    let none = resize(&RgbImage::new(3, 3), 0, 2, Filter::Bilinear, Kernel::Pil);
    assert_eq!(none.dimensions(), (0, 2));
}
