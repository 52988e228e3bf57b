//! What makes the whole result less than it looks.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::contents::Contents;
use super::said;
use super::words::{count, counted};
use crate::direction::doubt::Warning;

/// Warnings of a kind that are told one by one.
const TOLD: usize = 8;

/// General warnings, then those about classes, kind by kind.
pub(super) fn warnings(contents: &Contents) -> Markup {
    let report = &contents.report;
    let (of_classes, general): (Vec<&Warning>, Vec<&Warning>) =
        report.warnings.iter().partition(|w| w.class.is_some());
    let mut kinds: BTreeMap<&str, Vec<&Warning>> = BTreeMap::new();
    for warning in of_classes {
        kinds.entry(warning.kind.name()).or_default().push(warning);
    }
    html! {
        section aria-labelledby="warnings" {
            h2 id="warnings" { "Warnings" }
            @if report.warnings.is_empty() {
                p { "Nothing was found that bars or weakens a result." }
            }
            @if !general.is_empty() {
                ul.warnings { @for warning in general { (said::warning(warning)) } }
            }
            @for (kind, warnings) in &kinds { (of_kind(kind, warnings)) }
            (doubtful(contents))
        }
    }
}

/// The first warnings of a kind, and how many more there are.
fn of_kind(kind: &str, warnings: &[&Warning]) -> Markup {
    let list = html! {
        ul.warnings {
            @for warning in warnings.iter().take(TOLD) { (said::warning(warning)) }
            @if warnings.len() > TOLD {
                li { "… and " (count(warnings.len() - TOLD)) " more of this kind; report/warnings.csv has them all." }
            }
        }
    };
    html! {
        @if warnings.len() > TOLD {
            details {
                summary { (counted(warnings.len(), "warning", "warnings")) " of the kind “" (kind.replace('_', " ")) "”" }
                (list)
            }
        } @else {
            (list)
        }
    }
}

/// How many labels look wrong and how many images are twice, and where the lists are.
fn doubtful(contents: &Contents) -> Markup {
    let labels = contents.report.label_errors.examples.len();
    let twice = contents.report.duplicates.count;
    html! {
        @if labels > 0 {
            p { (counted(labels, "image is", "images are")) " likely labelled wrong; report/label_errors.csv lists " (if labels == 1 { "it" } else { "them" }) "." }
        }
        @if twice > 0 {
            p { (counted(twice, "image is", "images are")) " in an earlier split too; report/duplicates.csv lists " (if twice == 1 { "it" } else { "them" }) "." }
        }
    }
}
