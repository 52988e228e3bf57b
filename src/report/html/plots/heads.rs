//! How often the first images of a ranking are mistakes, against other rankings.

use plotters::element::{Circle, PathElement, Rectangle, Text, TriangleMarker};
use plotters::style::text_anchor::{HPos, VPos};
use plotters::style::{Color as _, ShapeStyle};

use super::chance::drawn_at_random;
use super::ink::Ink;
use super::{Axes, Chart, Failed, HEIGHT, Plot, WIDTH, hundredths, letters};
use crate::dataset::Split;
use crate::direction::report::{AtK, Figures};
use crate::report::html::words;

/// How far the two marks of a K stand from its middle.
const ASIDE: f64 = 0.1;

/// Mistakes among the first K by alignment, by least confidence, and at random.
pub(in crate::report::html) fn heads(class: &str, figures: &Figures, split: Split) -> Option<Plot> {
    let heads = &figures.at;
    let last = heads.last()?;
    let title = format!(
        "Mistakes among the first K {split} images of {class} (n = {})",
        words::count(figures.examples)
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
        y_number: &|share| hundredths(*share),
    };
    Plot::draw(title, message(last), (WIDTH, HEIGHT), |sheet| {
        let mut chart = axes.draw(sheet)?;
        random(&mut chart, figures, last.random)?;
        let at = || heads.iter().enumerate().map(|(at, head)| (at as f64, head));
        chart.draw_series(at().map(|(x, head): (f64, &AtK)| {
            let (low, high) = head.interval;
            PathElement::new([(x - ASIDE, low), (x - ASIDE, high)], Ink::Wrong.stroke(2))
        }))?;
        let dot =
            |(x, head): (f64, &AtK)| Circle::new((x - ASIDE, head.direction), 5, Ink::Wrong.area());
        chart.draw_series(at().map(dot))?;
        chart.draw_series(at().filter_map(|(x, head)| {
            let place = (x + ASIDE, head.least_confidence?);
            Some(TriangleMarker::new(place, 6, Ink::Right.area()))
        }))?;
        legend(&mut chart, &axes, last.least_confidence.is_some())
    })
}

/// The longest list in a sentence.
fn message(last: &AtK) -> String {
    let unsure = last.least_confidence.map_or_else(String::new, |share| {
        format!(
            ", of the {} least confident {}",
            last.k,
            words::percent(share)
        )
    });
    format!(
        "Of the {} most aligned images {} are mistakes{unsure}, of images at random {}.",
        last.k,
        words::percent(last.direction),
        words::percent(last.random)
    )
}

/// What lists drawn at random hold: the mean as a line, the middle 95 % as a band.
fn random(chart: &mut Chart<'_, '_>, figures: &Figures, mean: f64) -> Result<(), Failed> {
    let pale = ShapeStyle {
        color: Ink::Other.key().mix(0.3),
        ..Ink::Other.area()
    };
    let heads = figures.at.iter().enumerate();
    chart.draw_series(heads.filter_map(|(x, head)| {
        let (low, high) = drawn_at_random(head.k, figures.examples, figures.mistakes)?;
        let x = x as f64;
        Some(Rectangle::new([(x - 0.4, low), (x + 0.4, high)], pale))
    }))?;
    let end = figures.at.len() as f64 - 0.5;
    chart.draw_series([PathElement::new(
        [(-0.5, mean), (end, mean)],
        Ink::Line.stroke(2),
    )])?;
    Ok(())
}

fn legend(chart: &mut Chart<'_, '_>, axes: &Axes<'_>, with_confidence: bool) -> Result<(), Failed> {
    let top = |text: &str, x: f64, ink: Ink, side: HPos| {
        Text::new(
            text.to_owned(),
            (x, axes.y.end),
            letters(ink, side, VPos::Top),
        )
    };
    let (left, right) = (axes.x.start, axes.x.end);
    chart.draw_series([
        top("● most aligned", left, Ink::Wrong, HPos::Left),
        top("╌ at random, 95 %", right, Ink::Text, HPos::Right),
    ])?;
    if with_confidence {
        let middle = f64::midpoint(left, right);
        chart.draw_series([top("▲ least confident", middle, Ink::Right, HPos::Center)])?;
    }
    Ok(())
}
