//! What plotters draws on: shapes that become SVG through the template, so that text is escaped and colours are the
//! style sheet's. plotters' own SVG writes colours and an address of its name space.

use std::convert::Infallible;
use std::fmt::Write as _;

use maud::{Markup, html};
use plotters_backend::text_anchor::{HPos, VPos};
use plotters_backend::{
    BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingBackend, DrawingErrorKind,
    FontTransform,
};

use super::ink::Ink;

/// Width of a letter on average, px: text is set in 12 px.
const LETTER: f64 = 6.2;

/// Height of a line, px.
const LINE: u32 = 14;

/// A shape with what it stands for.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Shape {
    /// A line through points, of a width in px.
    Path(Vec<BackendCoord>, Ink, u32),
    /// An area within points.
    Area(Vec<BackendCoord>, Ink, f64),
    /// A rectangle from corner to corner, filled with so much of the ink.
    Rect(BackendCoord, BackendCoord, Ink, Option<f64>),
    /// A circle about a point, filled or not.
    Circle(BackendCoord, u32, Ink, bool),
    /// A text.
    Text {
        /// Its letters.
        text: String,
        /// Where it is.
        at: BackendCoord,
        /// Its ink.
        ink: Ink,
        /// Where it begins: `start`, `middle` or `end`.
        anchor: &'static str,
        /// How far its base line is below the point.
        drop: &'static str,
        /// How far it is turned, degrees.
        turn: i32,
    },
}

/// A sheet for the shapes of one plot.
pub(super) struct Canvas<'a> {
    size: (u32, u32),
    shapes: &'a mut Vec<Shape>,
}

impl<'a> Canvas<'a> {
    pub(super) fn new(size: (u32, u32), shapes: &'a mut Vec<Shape>) -> Self {
        Self { size, shapes }
    }

    fn add(&mut self, color: BackendColor, shape: impl FnOnce(Ink, f64) -> Shape) -> Drawn {
        if color.alpha > 0.0 {
            self.shapes.push(shape(Ink::of(color.rgb), color.alpha));
        }
        Ok(())
    }
}

type Drawn = Result<(), DrawingErrorKind<Infallible>>;

impl DrawingBackend for Canvas<'_> {
    type ErrorType = Infallible;

    fn get_size(&self) -> (u32, u32) {
        self.size
    }

    fn ensure_prepared(&mut self) -> Drawn {
        Ok(())
    }

    fn present(&mut self) -> Drawn {
        Ok(())
    }

    fn draw_pixel(&mut self, at: BackendCoord, color: BackendColor) -> Drawn {
        let end = (at.0 + 1, at.1 + 1);
        self.add(color, |ink, alpha| Shape::Rect(at, end, ink, Some(alpha)))
    }

    fn draw_line<S: BackendStyle>(
        &mut self,
        from: BackendCoord,
        to: BackendCoord,
        style: &S,
    ) -> Drawn {
        self.draw_path([from, to], style)
    }

    fn draw_rect<S: BackendStyle>(
        &mut self,
        from: BackendCoord,
        to: BackendCoord,
        style: &S,
        fill: bool,
    ) -> Drawn {
        self.add(style.color(), |ink, alpha| {
            Shape::Rect(from, to, ink, fill.then_some(alpha))
        })
    }

    fn draw_path<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        path: I,
        style: &S,
    ) -> Drawn {
        let points = path.into_iter().collect();
        let width = style.stroke_width().max(1);
        self.add(style.color(), |ink, _| Shape::Path(points, ink, width))
    }

    fn draw_circle<S: BackendStyle>(
        &mut self,
        at: BackendCoord,
        radius: u32,
        style: &S,
        fill: bool,
    ) -> Drawn {
        self.add(style.color(), |ink, _| Shape::Circle(at, radius, ink, fill))
    }

    fn fill_polygon<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        corners: I,
        style: &S,
    ) -> Drawn {
        let points = corners.into_iter().collect();
        self.add(style.color(), |ink, alpha| Shape::Area(points, ink, alpha))
    }

    fn draw_text<S: BackendTextStyle>(&mut self, text: &str, style: &S, at: BackendCoord) -> Drawn {
        let place = style.anchor();
        let anchor = match place.h_pos {
            HPos::Left => "start",
            HPos::Center => "middle",
            HPos::Right => "end",
        };
        let drop = match place.v_pos {
            VPos::Top => "0.8em",
            VPos::Center => "0.35em",
            VPos::Bottom => "-0.25em",
        };
        let turn = match style.transform() {
            FontTransform::None => 0,
            FontTransform::Rotate90 => 90,
            FontTransform::Rotate180 => 180,
            FontTransform::Rotate270 => 270,
        };
        let text = text.to_owned();
        self.add(style.color(), |ink, _| Shape::Text {
            text,
            at,
            ink,
            anchor,
            drop,
            turn,
        })
    }

    fn estimate_text_size<S: BackendTextStyle>(
        &self,
        text: &str,
        _: &S,
    ) -> Result<(u32, u32), DrawingErrorKind<Infallible>> {
        Ok((width(text), LINE))
    }
}

/// The width of a text, px, as near as it can be told without its font.
pub(super) fn width(text: &str) -> u32 {
    (LETTER * text.chars().count() as f64).ceil() as u32
}

fn points(of: &[BackendCoord]) -> String {
    let mut text = String::new();
    for (x, y) in of {
        // Writing to a string cannot fail.
        let _ = write!(text, "{x},{y} ");
    }
    text.truncate(text.trim_end().len());
    text
}

impl Shape {
    /// The shape as an element of SVG.
    pub(super) fn markup(&self) -> Markup {
        match self {
            Self::Path(path, ink, width) => html! {
                polyline class={ "s-" (ink.name()) } points=(points(path)) stroke-width=(width) {}
            },
            Self::Area(corners, ink, alpha) => html! {
                polygon class={ "f-" (ink.name()) } points=(points(corners)) fill-opacity=(alpha) {}
            },
            Self::Rect(from, to, ink, fill) => html! {
                rect class={ (if fill.is_some() { "f-" } else { "s-" }) (ink.name()) }
                    x=(from.0.min(to.0)) y=(from.1.min(to.1))
                    width=(from.0.abs_diff(to.0)) height=(from.1.abs_diff(to.1)) fill-opacity=[*fill] {}
            },
            Self::Circle(at, radius, ink, fill) => html! {
                circle class={ (if *fill { "f-" } else { "s-" }) (ink.name()) } cx=(at.0) cy=(at.1) r=(radius) {}
            },
            Self::Text {
                text,
                at,
                ink,
                anchor,
                drop,
                turn,
            } => {
                let turned = (*turn != 0).then(|| format!("rotate({turn} {} {})", at.0, at.1));
                html! {
                    text class={ "f-" (ink.name()) } x=(at.0) y=(at.1) dy=(drop) text-anchor=(anchor)
                        transform=[turned] { (text) }
                }
            }
        }
    }
}
