//! What was generated for a failure mode, taken from the pool, and kept.

use maud::{Markup, html};

use super::contents::{Contents, Pictures};
use super::strip::strip;
use super::words::{count, counted, percent, reason};
use crate::report::detection::ModeReport;
use crate::report::summary::ModeSummary;

/// Counts and pictures; why there are none where there are none.
pub(super) fn made(contents: &Contents, entry: &ModeReport, pictures: &Pictures) -> Markup {
    let summary = contents
        .summary
        .as_ref()
        .and_then(|summary| summary.mode(entry.mode.id()));
    html! {
        @if let Some(made) = summary {
            @if let Some(pool) = &made.pool {
                h4 { "Real images from the pool" }
                p { (count(pool.kept)) " taken of the " (counted(pool.of_class, "pool image", "pool images")) " that belong to this mode." }
                (strip(&pictures.pool))
            }
            @if made.attempted > 0 {
                h4 { "Generated and kept" }
                p { (counts(made)) }
                (strip(&pictures.kept))
            } @else if contents.quota.is_some() && made.pool.is_none() {
                p { (why_none(contents, entry)) }
            }
        }
    }
}

/// Why nothing was generated where images were.
fn why_none(contents: &Contents, entry: &ModeReport) -> &'static str {
    let stands = contents.report.overview.rank(entry.mode.id()).is_some();
    if !entry.barred.is_empty() {
        "Nothing was generated for it, because a warning bars it."
    } else if stands {
        "Nothing was generated for it."
    } else {
        "Nothing was generated for it by itself: another mode of its class covers it."
    }
}

/// How many were made and kept, and why the others were not.
fn counts(made: &ModeSummary) -> String {
    let mut reasons: Vec<(&String, &usize)> = made.rejected.iter().collect();
    reasons.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
    let parts: Vec<String> = reasons
        .iter()
        .map(|&(name, &n)| format!("{} {}", count(n), reason(name)))
        .collect();
    let rejected = if parts.is_empty() {
        String::new()
    } else {
        format!(" Rejected: {}.", parts.join("; "))
    };
    let met = match made.quota_met {
        Some(false) => " Fewer than were asked for.",
        _ => "",
    };
    format!(
        "{} of {} kept ({}).{met}{rejected}",
        count(made.kept),
        counted(
            made.attempted,
            "generated image was",
            "generated images were"
        ),
        percent(made.kept as f64 / made.attempted as f64)
    )
}
