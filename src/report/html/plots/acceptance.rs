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
    let (kept, line) = climb(attempts);
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
        x_number: &|count| whole(*count),
        y_number: &|count| whole(*count),
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

/// How many were kept, and how many after so many attempts.
fn climb(attempts: &[bool]) -> (usize, Vec<(f64, f64)>) {
    let step = attempts.len().div_ceil(STEPS);
    let (mut kept, mut line) = (0, vec![(0.0, 0.0)]);
    for (made, is_kept) in (1_usize..).zip(attempts) {
        kept += usize::from(*is_kept);
        if made.is_multiple_of(step) || made == attempts.len() {
            line.push((made as f64, kept as f64));
        }
    }
    (kept, line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_ends_at_all_attempts_and_what_was_kept() {
        assert_eq!(
            climb(&[true, false, true]),
            (2, vec![(0.0, 0.0), (1.0, 1.0), (2.0, 1.0), (3.0, 2.0)])
        );
        let (kept, line) = climb(&[true; 1001]);
        assert_eq!((kept, line.len()), (1001, 168));
        assert_eq!(line[167], (1001.0, 1001.0));
    }
}
