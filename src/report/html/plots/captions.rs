//! Captions along the direction, with what real images say of each.

use super::Plot;
use super::ink::Ink;
use super::rows::{self, Mark, Row, RowAxis};
use crate::caption::CaptionVerdict;
use crate::report::captions::{Caption, ModeCaptions};
use crate::report::html::words;

/// Letters of a caption that fit.
const FIT: usize = 60;

/// Captions of a kind that are drawn.
const MOST: usize = 6;

/// The hardest captions, the reference and the easiest, by alignment.
pub(in crate::report::html) fn captions(of: &ModeCaptions) -> Option<Plot> {
    let hard = of
        .hard
        .iter()
        .take(MOST)
        .map(|caption| (caption, verdict(caption)));
    let neutral = of
        .neutral
        .iter()
        .take(1)
        .map(|caption| (caption, (Mark::Ring(Ink::Text), "reference")));
    let easy = of
        .easy
        .iter()
        .take(MOST / 2)
        .map(|caption| (caption, (Mark::Cross(Ink::Right), "easy")));
    let rows: Vec<Row> = hard
        .chain(neutral)
        .chain(easy)
        .map(|(caption, (mark, word))| row(caption, mark, word))
        .collect();
    if of.hard.is_empty() {
        return None;
    }
    let confirmed = of
        .hard
        .iter()
        .filter(|caption| caption.verdict == Some(CaptionVerdict::Confirmed))
        .count();
    let message = format!(
        "Of the {} that fit the failure best, real images confirm {confirmed}.",
        words::counted(of.hard.len(), "caption", "captions")
    );
    let title = format!(
        "Captions of {} by alignment ({} tried)",
        words::name(&of.class, of.mode),
        words::count(of.candidates)
    );
    let at = || rows.iter().map(|row| row.at);
    let (low, high) = (at().fold(0.0, f64::min), at().fold(0.0, f64::max));
    let air = 0.04 * (high - low).max(1e-9);
    let axis = RowAxis {
        range: low - air..high + air,
        name: "alignment (larger is harder)",
        number: &|value| format!("{:.2}", value + 0.0),
        line: None,
    };
    rows::draw(title, message, &rows, &axis)
}

fn row(caption: &Caption, mark: Mark, word: &str) -> Row {
    Row {
        text: format!(
            "{} ({word})",
            words::cut(&caption.caption, FIT.saturating_sub(word.len()))
        ),
        at: caption.alignment,
        interval: None,
        mark,
    }
}

fn verdict(caption: &Caption) -> (Mark, &'static str) {
    match caption.verdict {
        Some(CaptionVerdict::Confirmed) => (Mark::Dot(Ink::Kept), "confirmed"),
        Some(CaptionVerdict::Unclear) => (Mark::Triangle(Ink::Wrong), "unclear"),
        Some(CaptionVerdict::NotConfirmed) => (Mark::Cross(Ink::Text), "not confirmed"),
        None => (Mark::Ring(Ink::Text), "not asked"),
    }
}
