//! `report.html`: a run as one page that needs nothing else, for people.
//!
//! ```text
//! Contents { report, summary, evaluation, attempts, pictures } ──render──▶ one file
//! ```
//!
//! A pure function of what the run's files hold: the same contents give the same bytes. The template escapes all that
//! comes from data; scripts and styles are ours alone and the page's policy allows no others, and no address elsewhere.
//! Findings come first. Other classes are lines of one table, whatever their number.

mod all;
mod card;
mod change;
mod contents;
mod figures;
mod help;
mod made;
mod plots;
mod said;
mod strip;
mod table;
mod warnings;
mod words;

#[cfg(test)]
mod tests;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest as _, Sha256};

pub use self::contents::{CARDS, Contents, Picture, Pictures, pictured};

use self::words::{count, counted, percent};
use crate::direction::ModeId;

/// What the page looks like.
const STYLE: &str = include_str!("style.css");

/// What sorts and filters tables.
const SCRIPT: &str = include_str!("script.js");

/// The page.
pub fn render(contents: &Contents) -> String {
    let carded = pictured(&contents.report);
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy());
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { "Where the classifier fails" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                a.skip href="#main" { "Skip to the failure modes" }
                (top(contents, &carded))
                main id="main" {
                    (modes(contents, &carded))
                    (warnings::warnings(contents))
                    (change::section(contents))
                    (all::all(contents, &carded))
                    (help::help())
                }
                footer { p { "Written by hardlight " (contents.report.version) " from report.json; the same figures are in report/*.csv." } }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    }
    .into_string()
}

/// What a browser may load for the page: the pictures within it, and what is ours.
fn policy() -> String {
    let hash = |text: &str| STANDARD.encode(Sha256::digest(text.as_bytes()));
    format!(
        "default-src 'none'; img-src data:; style-src 'sha256-{}'; script-src 'sha256-{}'; base-uri 'none'; form-action 'none'",
        hash(STYLE),
        hash(SCRIPT)
    )
}

/// What was found, on what evidence, and where on the page it is.
fn top(contents: &Contents, carded: &[ModeId]) -> Markup {
    let report = &contents.report;
    let judged = report
        .splits
        .iter()
        .find(|split| split.split == report.judged_on);
    html! {
        header.top {
            h1 { "Where the classifier fails" }
            p.lead { (said::found(report)) }
            p {
                @if let Some(split) = judged {
                    "Overall it is right on " (percent(split.model_accuracy)) " of " (counted(split.examples, "image", "images"))
                    " of the " (report.judged_on) " split. "
                }
                "Failures were looked for on validation images in the space of " bdi { (report.space) } " embeddings, and judged on " (report.judged_on) "."
                @if report.skipped_images > 0 {
                    " " (counted(report.skipped_images, "image", "images")) " could not be used."
                }
            }
            nav aria-label="On this page" {
                ul {
                    @for entry in carded.iter().filter_map(|&id| report.mode(id)) {
                        li { a href={ "#" (card::anchor(entry.mode.id())) } { bdi { (words::name(&entry.mode.class, entry.mode.mode)) } } }
                    }
                    li { a href="#warnings" { "Warnings" @if !report.warnings.is_empty() { " (" (count(report.warnings.len())) ")" } } }
                    @if change::is_known(contents) { li { a href="#change" { "What retraining did" } } }
                    li { a href="#all" { "All classes" } }
                    li { a href="#help" { "How to read this" } }
                }
            }
        }
    }
}

/// A card each for the modes worth looking at.
fn modes(contents: &Contents, carded: &[ModeId]) -> Markup {
    html! {
        @if !carded.is_empty() {
            section aria-labelledby="modes" {
                h2 id="modes" { "Failure modes, the one worth fixing first at the head" }
                @for entry in carded.iter().filter_map(|&id| contents.report.mode(id)) {
                    (card::card(contents, entry))
                }
            }
        }
    }
}
