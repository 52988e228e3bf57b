//! The model's accuracy from the most aligned tenth to the least.

use plotters::element::{Circle, PathElement, Text};
use plotters::style::text_anchor::{HPos, VPos};

use super::ink::Ink;
use super::{Axes, HEIGHT, Plot, WIDTH, hundredths, letters, whole};
use crate::dataset::Split;
use crate::direction::report::Figures;
use crate::report::html::words;

/// Accuracy by tenth of a ranking with intervals, and that of the whole class.
pub(in crate::report::html) fn deciles(
    class: &str,
    figures: &Figures,
    split: Split,
) -> Option<Plot> {
    let tenths = figures.decile_accuracy.len();
    if tenths < 2 {
        return None;
    }
    let (first, last) = (
        figures.decile_accuracy[0],
        figures.decile_accuracy[tenths - 1],
    );
    let title = format!(
        "Accuracy by alignment, {split} images of {class} (n = {})",
        words::count(figures.examples)
    );
    let message = format!(
        "In the most aligned tenth the model is right on {}, in the least aligned on {}, and on {} of all.",
        words::percent(first),
        words::percent(last),
        words::percent(figures.model_accuracy)
    );
    let axes = Axes {
        x: 0.4..tenths as f64 + 0.6,
        y: 0.0..1.0,
        x_name: "tenth of the images, 1 is the most aligned",
        y_name: "right, %",
        numbers: (2 * tenths + 2, 6),
        x_number: &|tenth| whole(*tenth),
        y_number: &|share| hundredths(*share),
    };
    Plot::draw(title, message, (WIDTH, HEIGHT), |sheet| {
        let mut chart = axes.draw(sheet)?;
        let all = figures.model_accuracy;
        chart.draw_series([PathElement::new(
            [(axes.x.start, all), (axes.x.end, all)],
            Ink::Line.stroke(2),
        )])?;
        let at = |tenth: usize| tenth as f64 + 1.0;
        let bars = figures.decile_interval.iter().take(tenths).enumerate();
        chart.draw_series(bars.map(|(tenth, &(low, high))| {
            PathElement::new([(at(tenth), low), (at(tenth), high)], Ink::Right.stroke(2))
        }))?;
        let dots = figures.decile_accuracy.iter().enumerate();
        chart.draw_series(
            dots.map(|(tenth, &share)| Circle::new((at(tenth), share), 5, Ink::Right.area())),
        )?;
        chart.draw_series([Text::new(
            "all of the class".to_owned(),
            (axes.x.end, all),
            letters(Ink::Text, HPos::Right, VPos::Top),
        )])?;
        Ok(())
    })
}
