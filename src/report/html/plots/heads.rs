//! How often the first images of a ranking are mistakes, against other rankings.

use plotters::element::{Circle, PathElement, Rectangle, Text, TriangleMarker};
use plotters::style::text_anchor::{HPos, VPos};
use plotters::style::{Color as _, ShapeStyle};

use super::chance::drawn_at_random;
use super::ink::Ink;
use super::{Axes, HEIGHT, Plot, WIDTH, hundredths, letters};
use crate::dataset::Split;
use crate::direction::report::{AtK, Figures};
use crate::report::html::words;

/// Mistakes among the first K by alignment, by least confidence, and at random.
pub(in crate::report::html) fn heads(class: &str, figures: &Figures, split: Split) -> Option<Plot> {
    let heads = &figures.at;
    let last = heads.last()?;
    let title = format!(
        "Mistakes among the first K {split} images of {class} (n = {})",
        words::count(figures.examples)
    );
    let unsure = last.least_confidence.map_or_else(String::new, |share| {
        format!(
            ", of the {} least confident {}",
            last.k,
            words::percent(share)
        )
    });
    let message = format!(
        "Of the {} most aligned images {} are mistakes{unsure}, of images at random {}.",
        last.k,
        words::percent(last.direction),
        words::percent(last.random)
    );
    let axes = Axes {
        x: -0.5..heads.len() as f64 - 0.5,
        y: 0.0..1.12,
        x_name: "K, the length of the list",
        y_name: "wrong, %",
        numbers: (2 * heads.len() + 1, 6),
        x_number: &|at| {
            let nearest = at.round();
            let head = heads.get(nearest.max(0.0) as usize);
            head.filter(|_| (at - nearest).abs() < 1e-6 && nearest >= 0.0)
                .map_or_else(String::new, |head| head.k.to_string())
        },
        y_number: &hundredths,
    };
    Plot::draw(title, message, (WIDTH, HEIGHT), |sheet| {
        let mut chart = axes.draw(sheet)?;
        let at = || heads.iter().enumerate().map(|(at, head)| (at as f64, head));
        let pale = ShapeStyle {
            color: Ink::Other.key().mix(0.3),
            ..Ink::Other.area()
        };
        chart.draw_series(at().filter_map(|(x, head)| {
            let (low, high) = drawn_at_random(head.k, figures.examples, figures.mistakes)?;
            Some(Rectangle::new([(x - 0.4, low), (x + 0.4, high)], pale))
        }))?;
        let random = last.random;
        chart.draw_series([PathElement::new(
            [(axes.x.start, random), (axes.x.end, random)],
            Ink::Line.stroke(2),
        )])?;
        chart.draw_series(at().map(|(x, head): (f64, &AtK)| {
            let (low, high) = head.interval;
            PathElement::new([(x - 0.1, low), (x - 0.1, high)], Ink::Wrong.stroke(2))
        }))?;
        chart.draw_series(
            at().map(|(x, head)| Circle::new((x - 0.1, head.direction), 5, Ink::Wrong.area())),
        )?;
        chart.draw_series(at().filter_map(|(x, head)| {
            Some(TriangleMarker::new(
                (x + 0.1, head.least_confidence?),
                6,
                Ink::Right.area(),
            ))
        }))?;
        let top = |text: &str, x: f64, ink: Ink, side: HPos| {
            Text::new(
                text.to_owned(),
                (x, axes.y.end),
                letters(ink, side, VPos::Top),
            )
        };
        let middle = f64::midpoint(axes.x.start, axes.x.end);
        let legend = [
            top("● most aligned", axes.x.start, Ink::Wrong, HPos::Left),
            top("▲ least confident", middle, Ink::Right, HPos::Center),
            top("╌ at random, 95 %", axes.x.end, Ink::Text, HPos::Right),
        ];
        let known = heads.iter().any(|head| head.least_confidence.is_some());
        chart.draw_series(
            legend
                .into_iter()
                .enumerate()
                .filter(|(place, _)| *place != 1 || known)
                .map(|(_, text)| text),
        )?;
        Ok(())
    })
}
