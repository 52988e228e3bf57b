//! One picture of a sheet, with its frame, its mark and its lines of text.

use image::imageops::{self, FilterType};
use image::{Rgb, RgbImage};

use super::text::{Style, blend, draw, wrap, wrap_at_most};

/// What became of a picture; shown by the frame's colour and, for those without colours, by a
/// tick or a cross with the word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// A real image, or one not judged.
    Plain,
    /// An image that counts: generated, or from the pool.
    Kept,
    /// A generated image that failed a filter.
    Rejected,
}

/// A picture with its text.
#[derive(Debug, Clone)]
pub struct Tile {
    /// The picture, of any size; one without pixels leaves its place grey.
    pub image: RgbImage,
    /// The caption, cut after four lines; then what is always shown whole, such as the alignment
    /// and the reason of a rejection. Each starts on a line of its own.
    pub lines: Vec<String>,
    /// What became of it.
    pub mark: Mark,
}

const FRAME_PX: u32 = 4;
const GAP_PX: u32 = 4;
const SIGN_PX: u32 = 18;
const CAPTION_LINES: usize = 4;
const EMPTY: Rgb<u8> = Rgb([241, 243, 244]);
const INK: Rgb<u8> = Rgb([60, 64, 67]);
const BODY: Style = Style {
    colour: INK,
    bold: false,
    large: false,
};

impl Mark {
    pub(super) fn colour(self) -> Rgb<u8> {
        match self {
            Self::Plain => Rgb([189, 193, 198]),
            Self::Kept => Rgb([24, 128, 56]),
            Self::Rejected => Rgb([197, 34, 31]),
        }
    }

    /// The word, and the strokes of the sign before it in a square of 12 px.
    fn sign(self) -> Option<(&'static str, [Stroke; 2])> {
        match self {
            Self::Plain => None,
            Self::Kept => Some(("kept", [((1., 6.5), (4.5, 10.)), ((4.5, 10.), (11., 2.))])),
            Self::Rejected => Some(("rejected", [((2., 2.), (10., 10.)), ((2., 10.), (10., 2.))])),
        }
    }
}

type Stroke = ((f32, f32), (f32, f32));

/// Width of a cell whose picture has `side` px.
pub(super) fn width(side: u32) -> u32 {
    side + 2 * FRAME_PX
}

/// Height of a cell whose picture has `side` px.
pub(super) fn height(cell: &Tile, side: u32) -> u32 {
    let sign = cell.mark.sign().map_or(0, |_| BODY.height());
    let lines = text_lines(cell, side).len() as u32;
    width(side) + GAP_PX + sign + lines * BODY.height()
}

fn text_lines(cell: &Tile, side: u32) -> Vec<String> {
    let columns = BODY.columns(width(side));
    let Some((caption, facts)) = cell.lines.split_first() else {
        return Vec::new();
    };
    let mut lines = wrap_at_most(caption, columns, CAPTION_LINES);
    lines.extend(facts.iter().flat_map(|fact| wrap(fact, columns)));
    lines
}

/// Draws a cell with its upper left corner at `(x, y)`.
pub(super) fn draw_cell(canvas: &mut RgbImage, x: u32, y: u32, cell: &Tile, side: u32) {
    let outer = width(side);
    let frame = RgbImage::from_pixel(outer, outer, cell.mark.colour());
    imageops::replace(canvas, &frame, i64::from(x), i64::from(y));
    let (left, top) = (x + FRAME_PX, y + FRAME_PX);
    let ground = RgbImage::from_pixel(side, side, EMPTY);
    imageops::replace(canvas, &ground, i64::from(left), i64::from(top));
    let picture = fit(&cell.image, side);
    let (w, h) = picture.dimensions();
    let (left, top) = (left + (side - w) / 2, top + (side - h) / 2);
    imageops::replace(canvas, &picture, i64::from(left), i64::from(top));

    let mut y = y + outer + GAP_PX;
    if let Some((word, strokes)) = cell.mark.sign() {
        let style = Style {
            colour: cell.mark.colour(),
            bold: true,
            ..BODY
        };
        for stroke in strokes {
            draw_stroke(canvas, x, y + 2, stroke, style.colour);
        }
        draw(canvas, x + SIGN_PX, y, word, style);
        y += BODY.height();
    }
    for line in text_lines(cell, side) {
        draw(canvas, x, y, &line, BODY);
        y += BODY.height();
    }
}

/// Draws a stroke two pixels wide, its edge softened by the distance to it.
fn draw_stroke(canvas: &mut RgbImage, x: u32, y: u32, (from, to): Stroke, colour: Rgb<u8>) {
    let (ux, uy) = (to.0 - from.0, to.1 - from.1);
    let length = ux * ux + uy * uy;
    for dy in 0..13 {
        for dx in 0..13 {
            let (px, py) = (dx as f32 + 0.5 - from.0, dy as f32 + 0.5 - from.1);
            let along = ((px * ux + py * uy) / length).clamp(0., 1.);
            let distance = (px - along * ux).hypot(py - along * uy);
            let ink = (1.5 - distance).clamp(0., 1.) * 255.;
            blend(canvas, x + dx, y + dy, colour, ink as u8);
        }
    }
}

/// The picture as large as a square of `side` px allows. Small ones grow by a whole factor, so that
/// their pixels stay what they are.
fn fit(image: &RgbImage, side: u32) -> RgbImage {
    let (w, h) = image.dimensions();
    let longest = w.max(h);
    if w == 0 || h == 0 || longest == side {
        return image.clone();
    }
    let factor = side / longest;
    if factor >= 2 {
        return imageops::resize(image, w * factor, h * factor, FilterType::Nearest);
    }
    let scale = f64::from(side) / f64::from(longest);
    let scaled = |px: u32| ((f64::from(px) * scale).round() as u32).clamp(1, side);
    imageops::resize(image, scaled(w), scaled(h), FilterType::Lanczos3)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLUE: Rgb<u8> = Rgb([10, 20, 200]);

    fn cell(lines: &[&str], mark: Mark) -> Tile {
        Tile {
            image: RgbImage::from_pixel(64, 32, BLUE),
            lines: lines.iter().map(ToString::to_string).collect(),
            mark,
        }
    }

    fn drawn(cell: &Tile) -> RgbImage {
        let mut canvas = RgbImage::from_pixel(width(160), height(cell, 160), Rgb([255; 3]));
        draw_cell(&mut canvas, 0, 0, cell, 160);
        canvas
    }

    #[test]
    fn pictures_keep_their_shape() {
        let size = |w, h| fit(&RgbImage::new(w, h), 160).dimensions();
        assert_eq!(size(64, 32), (128, 64));
        assert_eq!(size(32, 32), (160, 160));
        assert_eq!(size(100, 50), (160, 80));
        assert_eq!(size(160, 7), (160, 7));
        assert_eq!(size(1000, 500), (160, 80));
        assert_eq!(size(1, 5000), (1, 160));
    }

    #[test]
    fn small_pictures_keep_their_pixels() {
        let checks = RgbImage::from_fn(2, 1, |x, _| Rgb([255 * x as u8; 3]));
        let large = fit(&checks, 160);
        assert!(
            large
                .enumerate_pixels()
                .all(|(x, _, p)| p.0 == [if x < 80 { 0 } else { 255 }; 3])
        );
    }

    #[test]
    fn pictures_are_centred() {
        let canvas = drawn(&cell(&[], Mark::Plain));
        let blue: Vec<_> = canvas
            .enumerate_pixels()
            .filter(|(_, _, p)| **p == BLUE)
            .collect();
        let (first, last) = (blue[0], blue[blue.len() - 1]);
        assert_eq!((first.0, first.1), (20, 52));
        assert_eq!((last.0, last.1), (147, 115));
    }

    #[test]
    fn marks_differ_in_frame_and_in_sign() {
        let [plain, kept, rejected] =
            [Mark::Plain, Mark::Kept, Mark::Rejected].map(|mark| drawn(&cell(&[], mark)));
        assert_ne!(kept.get_pixel(1, 1), rejected.get_pixel(1, 1));
        assert_ne!(kept.get_pixel(1, 1), plain.get_pixel(1, 1));
        // Shapes alone: where there is ink below the picture, whatever its colour.
        let shape = |image: &RgbImage| -> Vec<bool> {
            image
                .rows()
                .skip(172)
                .flatten()
                .map(|p| p.0 != [255; 3])
                .collect()
        };
        assert_ne!(shape(&kept)[..], shape(&rejected)[..]);
        assert!(shape(&plain).is_empty());
    }

    #[test]
    fn captions_are_cut_and_facts_are_not() {
        let long = "word ".repeat(60);
        let lines = text_lines(&cell(&[&long, "alignment 1.42", &long], Mark::Plain), 160);
        assert!(lines[3].ends_with("..."), "{lines:?}");
        assert_eq!(lines[4], "alignment 1.42");
        assert_eq!(lines[5..].concat().matches("word").count(), 60);
        assert!(
            lines
                .iter()
                .all(|line| line.len() <= BODY.columns(width(160)))
        );
    }

    #[test]
    fn a_picture_without_pixels_leaves_its_place() {
        let mut empty = cell(&["a"], Mark::Kept);
        empty.image = RgbImage::new(0, 7);
        assert_eq!(*drawn(&empty).get_pixel(80, 80), EMPTY);
    }
}
