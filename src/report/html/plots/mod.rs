//! Plots of a run's figures, drawn with plotters on a canvas of ours.
//!
//! Each is a pure function of typed figures; where a figure lacks there is no plot. Nothing is told by colour alone.

mod acceptance;
mod canvas;
mod captions;
mod chance;
mod changes;
mod deciles;
mod heads;
mod histogram;
mod ink;
mod rejected;
mod rows;

use std::convert::Infallible;
use std::ops::Range;

use maud::{Markup, html};
use plotters::chart::{ChartBuilder, ChartContext};
use plotters::coord::Shift;
use plotters::coord::cartesian::Cartesian2d;
use plotters::coord::types::RangedCoordf64;
use plotters::drawing::{DrawingArea, DrawingAreaErrorKind, IntoDrawingArea as _};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{IntoFont as _, TextStyle};

pub(super) use self::acceptance::acceptance;
pub(super) use self::captions::captions;
pub(super) use self::changes::{Change, changes};
pub(super) use self::deciles::deciles;
pub(super) use self::heads::heads;
pub(super) use self::histogram::histogram;
pub(super) use self::rejected::rejected;

use self::canvas::{Canvas, Shape};
use self::ink::Ink;

/// Width of every plot, px, before the page scales it.
const WIDTH: u32 = 460;

/// Height of a plot that is not a list of rows, px.
const HEIGHT: u32 = 240;

/// A drawn plot with its words.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Plot {
    /// What it is of, with the number of examples.
    title: String,
    /// Its message, in a sentence.
    message: String,
    size: (u32, u32),
    shapes: Vec<Shape>,
}

type Failed = DrawingAreaErrorKind<Infallible>;
type Sheet<'a> = DrawingArea<Canvas<'a>, Shift>;
type Chart<'a, 'b> = ChartContext<'a, Canvas<'b>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

impl Plot {
    /// Draws a plot; none where plotters cannot.
    fn draw(
        title: String,
        message: String,
        size: (u32, u32),
        on: impl FnOnce(&Sheet<'_>) -> Result<(), Failed>,
    ) -> Option<Self> {
        let mut shapes = Vec::new();
        on(&Canvas::new(size, &mut shapes).into_drawing_area()).ok()?;
        Some(Self {
            title,
            message,
            size,
            shapes,
        })
    }

    /// The plot as a figure with a caption.
    pub(super) fn markup(&self) -> Markup {
        let (width, height) = self.size;
        html! {
            figure.plot {
                figcaption { (self.title) }
                svg role="img" aria-label=(self.message) viewBox=(format!("0 0 {width} {height}")) width=(width) height=(height) {
                    @for shape in &self.shapes { (shape.markup()) }
                }
                p.message { (self.message) }
            }
        }
    }
}

/// The axes of a plot.
struct Axes<'a> {
    x: Range<f64>,
    y: Range<f64>,
    x_name: &'a str,
    y_name: &'a str,
    /// About how many numbers stand on each axis.
    numbers: (usize, usize),
    x_number: &'a dyn Fn(&f64) -> String,
    y_number: &'a dyn Fn(&f64) -> String,
}

/// Text in an ink, placed about its point.
fn letters(ink: Ink, across: HPos, down: VPos) -> TextStyle<'static> {
    let text: TextStyle<'static> = ("sans-serif", 12).into_font().into();
    text.color(ink.key()).pos(Pos::new(across, down))
}

impl Axes<'_> {
    fn draw<'a, 'b>(&self, sheet: &'a Sheet<'b>) -> Result<Chart<'a, 'b>, Failed> {
        let mut chart = ChartBuilder::on(sheet)
            .margin_top(8)
            .margin_right(14)
            .margin_left(2)
            .margin_bottom(2)
            .x_label_area_size(40)
            .y_label_area_size(54)
            .build_cartesian_2d(self.x.clone(), self.y.clone())?;
        let text: TextStyle<'_> = ("sans-serif", 12).into_font().into();
        let text = text.color(Ink::Text.key());
        chart
            .configure_mesh()
            .disable_x_mesh()
            .x_labels(self.numbers.0)
            .y_labels(self.numbers.1)
            .max_light_lines(0)
            .axis_style(Ink::Text.stroke(1))
            .bold_line_style(Ink::Grid.stroke(1))
            .light_line_style(Ink::Grid.stroke(1))
            .label_style(text.clone())
            .axis_desc_style(text)
            .x_desc(self.x_name)
            .y_desc(self.y_name)
            .x_label_formatter(self.x_number)
            .y_label_formatter(self.y_number)
            .draw()?;
        Ok(chart)
    }
}

/// A share on an axis, as percent without its sign.
fn hundredths(share: f64) -> String {
    format!("{:.0}", 100.0 * share)
}

/// The number on an axis where it is whole.
fn whole(value: f64) -> String {
    if (value - value.round()).abs() < 1e-6 {
        format!("{value:.0}")
    } else {
        String::new()
    }
}
