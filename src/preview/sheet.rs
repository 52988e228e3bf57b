//! A contact sheet: sections of cells below one another.

use std::path::Path;

use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder as _, Rgb, RgbImage};

use super::error::PreviewError;
use super::text::{Style, draw, wrap};
use super::tile::{self, Tile};
use crate::io;

/// Everything on one sheet.
#[derive(Debug, Clone)]
pub struct Sheet {
    /// The heading.
    pub title: String,
    /// Below it, wrapped; may be empty.
    pub sentence: String,
    /// The sections, from above.
    pub sections: Vec<Section>,
}

/// A heading with its pictures.
#[derive(Debug, Clone)]
pub struct Section {
    /// The heading; the number of cells is added.
    pub title: String,
    /// Below it, wrapped; may be empty. Where there are no cells, says why.
    pub note: String,
    /// The pictures, row by row.
    pub cells: Vec<Tile>,
}

/// How a sheet is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SheetOptions {
    /// Cells in a row; held to 1 to 32.
    pub columns: u32,
    /// The longest side of a picture, px; held to 80 (below, words no longer fit) to 512.
    pub cell: u32,
}

impl Default for SheetOptions {
    fn default() -> Self {
        Self {
            columns: 6,
            cell: 160,
        }
    }
}

const MARGIN_PX: u32 = 24;
const GAP_PX: u32 = 16;
const INK: Rgb<u8> = Rgb([60, 64, 67]);
const FAINT: Rgb<u8> = Rgb([95, 99, 104]);
const PAPER: Rgb<u8> = Rgb([255, 255, 255]);
const TITLE: Style = Style {
    colour: INK,
    bold: true,
    large: true,
};
const HEADING: Style = Style {
    large: false,
    ..TITLE
};
const BODY: Style = Style {
    bold: false,
    ..HEADING
};
const NOTE: Style = Style {
    colour: FAINT,
    ..BODY
};

/// Something to draw across the sheet.
enum Item<'a> {
    Line(String, Style),
    Row(&'a [Tile]),
    Space(u32),
}

impl Item<'_> {
    fn height(&self, side: u32) -> u32 {
        match self {
            Self::Line(_, style) => style.height(),
            Self::Row(cells) => {
                let highest = cells.iter().map(|cell| tile::height(cell, side)).max();
                highest.unwrap_or(0) + GAP_PX
            }
            Self::Space(height) => *height,
        }
    }
}

/// Draws a sheet. Its width follows from the options alone.
pub fn render(sheet: &Sheet, options: &SheetOptions) -> RgbImage {
    let (columns, side) = (options.columns.clamp(1, 32), options.cell.clamp(80, 512));
    let inner = columns * (tile::width(side) + GAP_PX) - GAP_PX;
    let items = items(sheet, columns, inner);
    let height = items.iter().map(|item| item.height(side)).sum::<u32>() + 2 * MARGIN_PX;
    let mut canvas = RgbImage::from_pixel(inner + 2 * MARGIN_PX, height, PAPER);
    let mut y = MARGIN_PX;
    for item in &items {
        match item {
            Item::Line(line, style) => draw(&mut canvas, MARGIN_PX, y, line, *style),
            Item::Row(cells) => {
                for (column, cell) in (0..).zip(*cells) {
                    let x = MARGIN_PX + column * (tile::width(side) + GAP_PX);
                    tile::draw_cell(&mut canvas, x, y, cell, side);
                }
            }
            Item::Space(_) => {}
        }
        y += item.height(side);
    }
    canvas
}

/// What is drawn, from above, on a sheet of `inner` px between its margins.
fn items(sheet: &Sheet, columns: u32, inner: u32) -> Vec<Item<'_>> {
    let paragraph = |text: &str, style: Style| -> Vec<Item<'_>> {
        let lines = wrap(text, style.columns(inner)).into_iter();
        lines.map(|line| Item::Line(line, style)).collect()
    };
    let mut items = paragraph(&sheet.title, TITLE);
    items.push(Item::Space(4));
    items.extend(paragraph(&sheet.sentence, BODY));
    for section in &sheet.sections {
        items.push(Item::Space(GAP_PX));
        let heading = format!("{} ({})", section.title, section.cells.len());
        items.extend(paragraph(&heading, HEADING));
        items.extend(paragraph(&section.note, NOTE));
        items.push(Item::Space(6));
        items.extend(section.cells.chunks(columns as usize).map(Item::Row));
    }
    items
}

/// Draws a sheet and writes it as a PNG; its folder is made if absent.
///
/// # Errors
///
/// - [`PreviewError::Io`] if the folder or the file cannot be written.
/// - [`PreviewError::Encode`] if the PNG encoder refuses.
pub fn write(sheet: &Sheet, options: &SheetOptions, path: &Path) -> Result<(), PreviewError> {
    let image = render(sheet, options);
    let (width, height) = image.dimensions();
    let mut bytes = Vec::new();
    PngEncoder::new_with_quality(&mut bytes, CompressionType::Best, FilterType::Adaptive)
        .write_image(&image, width, height, ExtendedColorType::Rgb8)
        .map_err(|source| PreviewError::Encode {
            path: path.to_owned(),
            width,
            height,
            source,
        })?;
    if let Some(folder) = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
    {
        io::create_dir_all(folder)?;
    }
    Ok(io::write_atomic(path, &bytes)?)
}

#[cfg(test)]
mod tests;
