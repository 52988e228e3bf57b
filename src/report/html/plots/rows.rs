//! Plots with a line of text for every mark: the text stands above its mark, so it may be long.

use std::ops::Range;

use plotters::element::{Circle, Cross, PathElement, Rectangle, Text, TriangleMarker};
use plotters::style::text_anchor::{HPos, VPos};

use super::ink::Ink;
use super::{Chart, Failed, Plot, Sheet, WIDTH, letters};
use plotters::chart::ChartBuilder;
use plotters::style::{IntoFont as _, TextStyle};

/// Height of a row, px.
const ROW: u32 = 36;

/// Height of the axis below the rows and the air above them, px.
const AROUND: u32 = 50;

/// What stands in a row.
pub(super) struct Row {
    /// The text above the mark.
    pub(super) text: String,
    /// Where the mark is.
    pub(super) at: f64,
    /// The interval about it.
    pub(super) interval: Option<(f64, f64)>,
    /// What it looks like.
    pub(super) mark: Mark,
}

/// The shape of a mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    /// A filled circle.
    Dot(Ink),
    /// An empty circle.
    Ring(Ink),
    /// A triangle.
    Triangle(Ink),
    /// A cross.
    Cross(Ink),
    /// A bar from nought, with the text at its end.
    Bar(Ink),
}

/// The axis of a plot of rows.
pub(super) struct RowAxis<'a> {
    pub(super) range: Range<f64>,
    pub(super) name: &'a str,
    pub(super) number: &'a dyn Fn(&f64) -> String,
    /// Where a broken line goes down, if anywhere.
    pub(super) line: Option<f64>,
}

/// Draws rows from the top down.
pub(super) fn draw(
    title: String,
    message: String,
    rows: &[Row],
    axis: &RowAxis<'_>,
) -> Option<Plot> {
    let height = AROUND + ROW * rows.len() as u32;
    Plot::draw(title, message, (WIDTH, height), |sheet| {
        let mut chart = axes(sheet, rows.len(), axis)?;
        let down = rows.len() as f64;
        if let Some(at) = axis.line {
            chart.draw_series([PathElement::new(
                [(at, 0.0), (at, down)],
                Ink::Line.stroke(2),
            )])?;
        }
        for (place, row) in rows.iter().enumerate() {
            let y = down - place as f64 - 0.72;
            let words = letters(Ink::Text, HPos::Left, VPos::Bottom);
            chart.draw_series([Text::new(
                row.text.clone(),
                (axis.range.start, y + 0.2),
                words,
            )])?;
            if let Some((low, high)) = row.interval {
                let clamped = [low, high].map(|x| (x.clamp(axis.range.start, axis.range.end), y));
                chart.draw_series([PathElement::new(clamped, row.mark.ink().stroke(2))])?;
            }
            mark(&mut chart, row.at, y, row.mark)?;
        }
        Ok(())
    })
}

fn axes<'a, 'b>(
    sheet: &'a Sheet<'b>,
    rows: usize,
    axis: &RowAxis<'_>,
) -> Result<Chart<'a, 'b>, Failed> {
    let mut chart = ChartBuilder::on(sheet)
        .margin_top(4)
        .margin_left(12)
        .margin_right(22)
        .margin_bottom(2)
        .x_label_area_size(40)
        .build_cartesian_2d(axis.range.clone(), 0.0..rows as f64)?;
    let text: TextStyle<'_> = ("sans-serif", 12).into_font().into();
    let text = text.color(Ink::Text.key());
    chart
        .configure_mesh()
        .disable_mesh()
        .disable_y_axis()
        .x_labels(6)
        .axis_style(Ink::Text.stroke(1))
        .label_style(text.clone())
        .axis_desc_style(text)
        .x_desc(axis.name)
        .x_label_formatter(axis.number)
        .draw()?;
    Ok(chart)
}

impl Mark {
    fn ink(self) -> Ink {
        match self {
            Self::Dot(ink)
            | Self::Ring(ink)
            | Self::Triangle(ink)
            | Self::Cross(ink)
            | Self::Bar(ink) => ink,
        }
    }
}

fn mark(chart: &mut Chart<'_, '_>, x: f64, y: f64, mark: Mark) -> Result<(), Failed> {
    match mark {
        Mark::Dot(ink) => chart
            .draw_series([Circle::new((x, y), 5, ink.area())])
            .map(|_| ()),
        Mark::Ring(ink) => chart
            .draw_series([Circle::new((x, y), 5, ink.stroke(2))])
            .map(|_| ()),
        Mark::Triangle(ink) => chart
            .draw_series([TriangleMarker::new((x, y), 6, ink.area())])
            .map(|_| ()),
        Mark::Cross(ink) => chart
            .draw_series([Cross::new((x, y), 5, ink.stroke(2))])
            .map(|_| ()),
        Mark::Bar(ink) => chart
            .draw_series([Rectangle::new([(0.0, y - 0.16), (x, y + 0.16)], ink.area())])
            .map(|_| ()),
    }
}
