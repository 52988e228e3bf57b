//! Words on pictures, in an embedded font of fixed width (Noto Sans Mono).

use std::slice::ChunksExact;

use image::{Rgb, RgbImage};
use noto_sans_mono_bitmap::{FontWeight, RasterHeight, get_raster, get_raster_width};

/// How text looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Style {
    /// The letters' colour.
    pub(super) colour: Rgb<u8>,
    /// Whether letters are bold.
    pub(super) bold: bool,
    /// Whether letters are 20 px high rather than 16.
    pub(super) large: bool,
}

impl Style {
    fn font(self) -> (FontWeight, RasterHeight) {
        let weight = if self.bold {
            FontWeight::Bold
        } else {
            FontWeight::Regular
        };
        let size = if self.large {
            RasterHeight::Size20
        } else {
            RasterHeight::Size16
        };
        (weight, size)
    }

    /// Height of a line with its leading, px.
    pub(super) fn height(self) -> u32 {
        self.font().1.val() as u32 + 2
    }

    /// Width of any character, px.
    pub(super) fn advance(self) -> u32 {
        let (weight, size) = self.font();
        (get_raster_width(weight, size) as u32).max(1)
    }

    /// Characters that fit into `width` px.
    pub(super) fn columns(self, width: u32) -> usize {
        (width / self.advance()) as usize
    }
}

/// Draws one line. What the font lacks becomes `?` in a box, what leaves the picture is cut.
pub(super) fn draw(canvas: &mut RgbImage, x: u32, y: u32, line: &str, style: Style) {
    let (weight, size) = style.font();
    let mut x = x;
    for c in line.chars().map(plain) {
        if let Some(glyph) = get_raster(c, weight, size) {
            draw_glyph(canvas, x, y, glyph.rows(), style.colour);
        } else {
            if let Some(glyph) = get_raster('?', weight, size) {
                draw_glyph(canvas, x, y, glyph.rows(), style.colour);
            }
            draw_box(canvas, x, y, style);
        }
        x += style.advance();
    }
}

/// The ASCII character that reads the same as one of common typography the font lacks.
fn plain(c: char) -> char {
    match c {
        '\u{2010}'..='\u{2015}' | '\u{2212}' => '-',
        '\u{2018}' | '\u{2019}' => '\'',
        '\u{201c}' | '\u{201d}' => '"',
        '\u{a0}' | '\u{2009}' | '\u{202f}' => ' ',
        other => other,
    }
}

fn draw_glyph(canvas: &mut RgbImage, x: u32, y: u32, rows: ChunksExact<'_, u8>, colour: Rgb<u8>) {
    for (dy, row) in (0..).zip(rows) {
        for (dx, &ink) in (0..).zip(row) {
            blend(canvas, x + dx, y + dy, colour, ink);
        }
    }
}

fn draw_box(canvas: &mut RgbImage, x: u32, y: u32, style: Style) {
    let (w, h) = (style.advance(), style.height() - 2);
    for dy in 0..h {
        for dx in 0..w {
            if dx == 0 || dy == 0 || dx + 1 == w || dy + 1 == h {
                blend(canvas, x + dx, y + dy, style.colour, u8::MAX);
            }
        }
    }
}

/// Covers a pixel with `ink` of 255 parts of a colour; nothing outside the picture.
pub(super) fn blend(canvas: &mut RgbImage, x: u32, y: u32, colour: Rgb<u8>, ink: u8) {
    if let Some(pixel) = canvas.get_pixel_mut_checked(x, y) {
        for (channel, colour) in pixel.0.iter_mut().zip(colour.0) {
            let (ink, below) = (u16::from(ink), u16::from(*channel));
            *channel = ((u16::from(colour) * ink + below * (255 - ink)) / 255) as u8;
        }
    }
}

/// Breaks text into lines of at most `columns` (at least 4) characters, at spaces, and inside words
/// longer than a line.
pub(super) fn wrap(text: &str, columns: usize) -> Vec<String> {
    let columns = columns.max(4);
    let mut out: Vec<String> = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        let mut word: Vec<char> = word.chars().collect();
        let used = line.chars().count();
        if used > 0 && used + 1 + word.len() > columns {
            out.push(std::mem::take(&mut line));
        }
        while word.len() > columns {
            out.push(word.drain(..columns).collect());
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.extend(word);
    }
    if !line.is_empty() {
        out.push(line);
    }
    out
}

/// [`wrap`], and at most `lines` lines; the last ends in `...` where something is left out.
pub(super) fn wrap_at_most(text: &str, columns: usize, lines: usize) -> Vec<String> {
    let columns = columns.max(4);
    let mut out = wrap(text, columns);
    if out.len() > lines {
        out.truncate(lines);
        if let Some(last) = out.last_mut() {
            if last.chars().count() + 3 > columns {
                let kept: String = last.chars().take(columns - 2).collect();
                // Back to the last whole word; a line of one long word is cut inside.
                *last = match kept.rsplit_once(' ') {
                    Some((words, _)) => words.to_owned(),
                    None => kept.chars().take(columns - 3).collect(),
                };
            }
            last.push_str("...");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const STYLE: Style = Style {
        colour: Rgb([0, 0, 0]),
        bold: false,
        large: false,
    };

    fn drawn(text: &str, x: u32) -> RgbImage {
        let mut canvas = RgbImage::from_pixel(60, 20, Rgb([255; 3]));
        draw(&mut canvas, x, 0, text, STYLE);
        canvas
    }

    #[test]
    fn lines_break_at_spaces() {
        assert_eq!(wrap("a photo of a cat", 8), ["a photo", "of a cat"]);
        assert_eq!(wrap("abcdefghij", 4), ["abcd", "efgh", "ij"]);
        assert_eq!(wrap("a\nb\t c", 8), ["a b c"]);
        assert!(wrap("  ", 8).is_empty());
        assert_eq!(wrap("ééé ééé", 4), ["ééé", "ééé"]);
    }

    #[test]
    fn what_is_left_out_is_dotted() {
        let text = "a photo of a cat on grass";
        assert_eq!(wrap_at_most(text, 8, 2), ["a photo", "of a..."]);
        assert_eq!(wrap_at_most(text, 8, 9), wrap(text, 8));
        assert_eq!(
            wrap_at_most("in heavy rain, seen from above", 12, 1),
            ["in heavy..."]
        );
        assert_eq!(wrap_at_most("seen from above", 11, 1), ["seen..."]);
        assert_eq!(wrap_at_most("abcdefghij", 6, 1), ["abc..."]);
        for columns in 0..30 {
            for line in wrap_at_most(text, columns, 2) {
                assert!(line.chars().count() <= columns.max(4), "{line:?}");
            }
        }
    }

    #[test]
    fn a_missing_letter_is_a_question_mark_in_a_box() {
        assert_ne!(drawn("a", 0), drawn("", 0));
        assert_ne!(drawn("é", 0), drawn("e", 0));
        assert_eq!(drawn("猫", 0), drawn("\u{10ffff}", 0));
        assert_ne!(drawn("猫", 0), drawn("?", 0));
        assert_eq!(drawn("\u{2212}1", 0), drawn("-1", 0));
    }

    #[test]
    fn text_is_cut_at_the_edge() {
        let long = drawn(&"W".repeat(50), 55);
        assert_ne!(long, drawn("", 0));
        assert_eq!(drawn("W", 4000), drawn("", 0));
    }
}
