//! What a stroke stands for. The style sheet gives it its colour, once for light and once for dark pages.

use plotters::style::{RGBColor, ShapeStyle};

/// What a stroke or an area stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::report::html) enum Ink {
    /// Letters and axes.
    Text,
    /// Lines behind the figures.
    Grid,
    /// What the model gets right.
    Right,
    /// What it gets wrong.
    Wrong,
    /// Images that were kept, and what is better.
    Kept,
    /// What something is compared with.
    Other,
    /// A threshold or a base rate, as a broken line.
    Line,
}

const ALL: [(Ink, &str); 7] = [
    (Ink::Text, "text"),
    (Ink::Grid, "grid"),
    (Ink::Right, "right"),
    (Ink::Wrong, "wrong"),
    (Ink::Kept, "kept"),
    (Ink::Other, "other"),
    (Ink::Line, "line"),
];

static KEYS: [RGBColor; 7] = [
    RGBColor(0, 0, 0),
    RGBColor(1, 0, 0),
    RGBColor(2, 0, 0),
    RGBColor(3, 0, 0),
    RGBColor(4, 0, 0),
    RGBColor(5, 0, 0),
    RGBColor(6, 0, 0),
];

impl Ink {
    /// The colour by which plotters carries it to the canvas; nobody sees it.
    pub(super) fn key(self) -> &'static RGBColor {
        &KEYS[self as usize]
    }

    /// What a colour that came to the canvas stands for.
    pub(super) fn of(rgb: (u8, u8, u8)) -> Self {
        ALL.get(usize::from(rgb.0))
            .map_or(Self::Text, |&(ink, _)| ink)
    }

    /// Its name in the style sheet.
    pub(super) fn name(self) -> &'static str {
        ALL[self as usize].1
    }

    /// A stroke of so many px.
    pub(super) fn stroke(self, width: u32) -> ShapeStyle {
        ShapeStyle {
            color: (*self.key()).into(),
            filled: false,
            stroke_width: width,
        }
    }

    /// An area.
    pub(super) fn area(self) -> ShapeStyle {
        ShapeStyle {
            filled: true,
            ..self.stroke(0)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_ink_comes_through_as_itself() {
        for (ink, _) in ALL {
            let &RGBColor(r, g, b) = ink.key();
            assert_eq!(Ink::of((r, g, b)), ink);
        }
        assert_eq!(Ink::of((255, 255, 255)), Ink::Text);
    }
}
