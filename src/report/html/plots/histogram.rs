//! Where right and wrong images lie along a direction.

use plotters::element::{PathElement, Rectangle, Text};
use plotters::style::text_anchor::{HPos, VPos};

use super::ink::Ink;
use super::{Axes, Chart, Failed, HEIGHT, Plot, WIDTH, letters};
use crate::direction::legible;
use crate::direction::report::Histogram;
use crate::report::detection::ModeReport;
use crate::report::html::words;

/// The spread of alignments on val: wrong images upwards, right ones downwards, and the threshold between.
pub(in crate::report::html) fn histogram(entry: &ModeReport) -> Option<Plot> {
    let spread = entry.val_alignments.as_ref()?;
    let [right, wrong] = [&spread.right, &spread.wrong].map(|counts| counts.iter().sum::<usize>());
    if right == 0 || wrong == 0 {
        return None;
    }
    let title = format!(
        "Alignment of validation images of {} ({} wrong, {} right)",
        entry.mode.class,
        words::count(wrong),
        words::count(right)
    );
    let message = format!(
        "The threshold is {}; {} of the right images reach it (95 % interval {}).",
        legible(entry.threshold),
        words::percent(entry.admits.share),
        words::between(entry.admits.interval)
    );
    let shares = Shares::of(spread, right, wrong);
    let high = spread.ends(spread.bins().saturating_sub(1)).1;
    let axes = Axes {
        x: spread.low.min(entry.threshold)..high.max(entry.threshold + spread.width),
        y: -1.15 * shares.most..1.15 * shares.most,
        x_name: "alignment (larger is harder)",
        y_name: "% of right | of wrong",
        numbers: (6, 6),
        x_number: &|value| format!("{:.2}", value + 0.0),
        y_number: &|share| format!("{:.0}", 100.0 * share.abs()),
    };
    Plot::draw(title, message, (WIDTH, HEIGHT), |sheet| {
        let mut chart = axes.draw(sheet)?;
        let bar = |(bin, share): (usize, f64), ink: Ink| {
            let (from, to) = spread.ends(bin);
            Rectangle::new([(from, 0.0), (to, share)], ink.area())
        };
        let wrong = shares.wrong.iter().copied().enumerate();
        chart.draw_series(wrong.map(|of| bar(of, Ink::Wrong)))?;
        let right = shares.right.iter().map(|share| -share).enumerate();
        chart.draw_series(right.map(|of| bar(of, Ink::Right)))?;
        signs(&mut chart, &axes, entry.threshold)
    })
}

/// The threshold, and what is above the base line and below it.
fn signs(chart: &mut Chart<'_, '_>, axes: &Axes<'_>, threshold: f64) -> Result<(), Failed> {
    let (left, right, top, bottom) = (axes.x.start, axes.x.end, axes.y.end, axes.y.start);
    chart.draw_series([
        PathElement::new([(threshold, bottom), (threshold, top)], Ink::Line.stroke(2)),
        PathElement::new([(left, 0.0), (right, 0.0)], Ink::Text.stroke(1)),
    ])?;
    let step = 0.02 * (right - left);
    let (beside, side) = if threshold > f64::midpoint(left, right) {
        (-step, HPos::Right)
    } else {
        (step, HPos::Left)
    };
    let sign = |text: &str, at: (f64, f64), ink: Ink, side: HPos, down: VPos| {
        Text::new(text.to_owned(), at, letters(ink, side, down))
    };
    let (x, label) = (left + step, (threshold + beside, top));
    chart.draw_series([
        sign("wrong ↑", (x, top), Ink::Wrong, HPos::Left, VPos::Top),
        sign("right ↓", (x, bottom), Ink::Right, HPos::Left, VPos::Bottom),
        sign("threshold", label, Ink::Text, side, VPos::Top),
    ])?;
    Ok(())
}

/// Counts as shares of their kind.
struct Shares {
    right: Vec<f64>,
    wrong: Vec<f64>,
    most: f64,
}

impl Shares {
    fn of(spread: &Histogram, right: usize, wrong: usize) -> Self {
        let shares = |counts: &[usize], of: usize| -> Vec<f64> {
            counts.iter().map(|&n| n as f64 / of as f64).collect()
        };
        let (right, wrong) = (shares(&spread.right, right), shares(&spread.wrong, wrong));
        let most = right.iter().chain(&wrong).copied().fold(0.0, f64::max);
        Self { right, wrong, most }
    }
}
