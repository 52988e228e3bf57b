//! How many images were kept, attempt by attempt.

use plotters::element::{PathElement, Text};
use plotters::style::text_anchor::{HPos, VPos};

use super::ink::Ink;
use super::{Axes, HEIGHT, Plot, WIDTH, letters, whole};
use crate::report::html::words;

/// Steps that a line has at most.
const STEPS: usize = 200;

/// Images kept after so many attempts, and the number that was wanted.
pub(in crate::report::html) fn acceptance(
    class: &str,
    attempts: &[bool],
    quota: Option<usize>,
) -> Option<Plot> {
    let n = attempts.len();
    if n < 2 {
        return None;
    }
    let mut kept = 0;
    let mut line = vec![(0.0, 0.0)];
    for (at, &is_kept) in attempts.iter().enumerate() {
        kept += usize::from(is_kept);
        if (at + 1) % n.div_ceil(STEPS) == 0 || at + 1 == n {
            line.push((
                at as f64 + 1.0,
                f64::from(u32::try_from(kept).unwrap_or(u32::MAX)),
            ));
        }
    }
    let wanted = quota.map_or_else(String::new, |quota| {
        format!("; {} were wanted", words::count(quota))
    });
    let message = format!(
        "{} of {} attempts were kept, {}{wanted}.",
        words::count(kept),
        words::count(n),
        words::percent(kept as f64 / n as f64)
    );
    let title = format!(
        "Images kept for {class}, attempt by attempt (n = {})",
        words::count(n)
    );
    let top = quota.unwrap_or(kept).max(kept).max(1) as f64;
    let axes = Axes {
        x: 0.0..n as f64,
        y: 0.0..1.15 * top,
        x_name: "attempts",
        y_name: "images kept",
        numbers: (6, 6),
        x_number: &whole,
        y_number: &whole,
    };
    Plot::draw(title, message, (WIDTH, HEIGHT), |sheet| {
        let mut chart = axes.draw(sheet)?;
        if let Some(quota) = quota {
            let y = quota as f64;
            chart.draw_series([PathElement::new(
                [(0.0, y), (axes.x.end, y)],
                Ink::Line.stroke(2),
            )])?;
            let words = letters(Ink::Text, HPos::Left, VPos::Bottom);
            chart.draw_series([Text::new(
                "wanted".to_owned(),
                (0.01 * axes.x.end, y),
                words,
            )])?;
        }
        chart.draw_series([PathElement::new(line, Ink::Kept.stroke(3))])?;
        Ok(())
    })
}
