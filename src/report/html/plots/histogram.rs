//! Where right and wrong images lie along a direction.

use plotters::element::{PathElement, Rectangle, Text};
use plotters::style::text_anchor::{HPos, VPos};

use super::ink::Ink;
use super::{Axes, HEIGHT, Plot, WIDTH, letters};
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
        "Wrong images lie further to the right: half of them reach the threshold {}, and {} of the right ones do \
         (95 % interval {}).",
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
        let bar = |bin: usize, share: f64, ink: Ink| {
            let (from, to) = spread.ends(bin);
            Rectangle::new([(from, 0.0), (to, share)], ink.area())
        };
        chart.draw_series(
            shares
                .wrong
                .iter()
                .enumerate()
                .map(|(bin, &share)| bar(bin, share, Ink::Wrong)),
        )?;
        chart.draw_series(
            shares
                .right
                .iter()
                .enumerate()
                .map(|(bin, &share)| bar(bin, -share, Ink::Right)),
        )?;
        let (left, top) = (axes.x.start, axes.y.end);
        let line = [(entry.threshold, axes.y.start), (entry.threshold, top)];
        chart.draw_series([
            PathElement::new(line, Ink::Line.stroke(2)),
            PathElement::new([(left, 0.0), (axes.x.end, 0.0)], Ink::Text.stroke(1)),
        ])?;
        let step = 0.02 * (axes.x.end - left);
        let late = entry.threshold > f64::midpoint(left, axes.x.end);
        let (beside, side) = if late {
            (-step, HPos::Right)
        } else {
            (step, HPos::Left)
        };
        chart.draw_series([
            Text::new(
                "wrong ↑".to_owned(),
                (left + step, top),
                letters(Ink::Wrong, HPos::Left, VPos::Top),
            ),
            Text::new(
                "right ↓".to_owned(),
                (left + step, axes.y.start),
                letters(Ink::Right, HPos::Left, VPos::Bottom),
            ),
            Text::new(
                "threshold".to_owned(),
                (entry.threshold + beside, top),
                letters(Ink::Text, side, VPos::Top),
            ),
        ])?;
        Ok(())
    })
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
