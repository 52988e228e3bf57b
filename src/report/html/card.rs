//! A failure mode: what fails, in words and pictures, what was made of it and what came of that.

use maud::{Markup, html};

use super::contents::{Contents, Pictures};
use super::figures;
use super::made;
use super::said;
use super::strip::strip;
use super::words::{self, between, count, counted, p_value, percent};
use crate::caption::CaptionVerdict;
use crate::direction::ModeId;
use crate::direction::doubt::Warning;
use crate::report::captions::{Caption, ModeCaptions};
use crate::report::detection::ModeReport;

/// The place of a mode's card on the page.
pub(super) fn anchor(id: ModeId) -> String {
    format!("mode-{}-{}", id.class, id.mode)
}

/// The captions of a mode.
pub(super) fn captions_of(contents: &Contents, id: ModeId) -> Option<&ModeCaptions> {
    let captions = contents.report.captions.as_ref()?;
    let is = |mode: &&ModeCaptions| mode.class_index == id.class && mode.mode == id.mode;
    captions.modes.iter().find(is)
}

/// The warnings about a mode or its class.
fn warnings_of<'a>(
    contents: &'a Contents,
    entry: &'a ModeReport,
) -> impl Iterator<Item = &'a Warning> {
    contents.report.warnings.iter().filter(|warning| {
        warning.class.as_deref() == Some(&*entry.mode.class)
            && warning.mode.is_none_or(|mode| mode == entry.mode.mode)
    })
}

/// The card of a mode.
pub(super) fn card(contents: &Contents, entry: &ModeReport) -> Markup {
    let id = entry.mode.id();
    let captions = captions_of(contents, id);
    let none = Pictures::default();
    let pictures = contents.pictures.get(&id).unwrap_or(&none);
    let title = format!("{}-title", anchor(id));
    html! {
        article.card id=(anchor(id)) aria-labelledby=(title) {
            header {
                h3 id=(title) { bdi { (words::name(&entry.mode.class, entry.mode.mode)) } }
                (badges(contents, entry))
            }
            p.lead { (said::failure(entry, captions, contents.report.judged_on)) }
            (evidence(contents, entry))
            @if let Some(captions) = captions { (in_words(captions)) }
            @if !pictures.mistakes.is_empty() {
                h4 { "Real mistakes, the most typical first" }
                (strip(&pictures.mistakes))
            }
            (made::made(contents, entry, pictures))
            (retrained(contents, id))
            (doubts(contents, entry))
            (figures::figures(contents, entry, captions))
        }
    }
}

/// What it is worth, and whether something bars it: words, not colours alone.
fn badges(contents: &Contents, entry: &ModeReport) -> Markup {
    let overview = &contents.report.overview;
    let rank = overview.rank(entry.mode.id());
    html! {
        p.badges {
            @if let Some(rank) = rank {
                span.badge.first { "To fix: no. " (rank) " of " (overview.first_to_fix.len()) }
            } @else {
                span.badge { "Overlaps another mode" }
            }
            " "
            @if !entry.barred.is_empty() {
                span.badge.barred { "⚠ Barred: see its warnings" }
            }
        }
    }
}

/// The figures that it stands on.
fn evidence(contents: &Contents, entry: &ModeReport) -> Markup {
    let mode = &entry.mode;
    let figures = &entry.judged.figures;
    let hardest = &figures.hardest;
    let worth = contents
        .report
        .overview
        .first_to_fix
        .iter()
        .find(|worth| worth.id() == mode.id());
    let mistakes = worth.map_or(entry.wrong, |worth| worth.mistakes);
    html! {
        dl.facts {
            div {
                dt { "Mistakes it explains" }
                dd { (count(mode.explains)) " of " (counted(mistakes, "validation mistake", "validation mistakes")) }
            }
            div {
                dt { "Wrong among the " (count(hardest.k)) " most aligned" }
                dd { (percent(hardest.direction)) " (" (between(hardest.interval)) "), against " (percent(figures.error())) " of all " (count(figures.examples)) }
            }
            @if let (Some(auc), Some(interval)) = (figures.auc, figures.auc_interval) {
                div {
                    dt { "A mistake ranks above a right image" }
                    dd { "in " (percent(auc)) " of pairs (" (between(interval)) "), chance is 50\u{a0}%" }
                }
            }
            @if let (Some(p), Some(q)) = (mode.p_value, mode.q_value) {
                div {
                    dt { "Chance" }
                    dd { "q " (p_value(q)) " (p " (p_value(p)) ", " (counted(mode.permutations, "permutation", "permutations")) ")" }
                }
            }
        }
    }
}

/// The caption that says best what fails, with its verdict.
fn in_words(captions: &ModeCaptions) -> Markup {
    let is_confirmed = |caption: &&Caption| caption.verdict == Some(CaptionVerdict::Confirmed);
    let best = captions
        .hard
        .iter()
        .find(is_confirmed)
        .or_else(|| captions.hard.first());
    html! {
        @if let Some(caption) = best {
            h4 { "In words" }
            p.caption {
                q { bdi { (caption.caption) } }
                " "
                (verdict(caption.verdict))
            }
            p { (said::nearest(caption, captions)) }
        }
    }
}

/// A verdict as a badge with a sign.
pub(super) fn verdict(verdict: Option<CaptionVerdict>) -> Markup {
    let (class, sign, word) = match verdict {
        Some(CaptionVerdict::Confirmed) => ("good", "✓", "confirmed by real images"),
        Some(CaptionVerdict::Unclear) => ("unclear", "?", "unclear on real images"),
        Some(CaptionVerdict::NotConfirmed) => ("bad", "✗", "not confirmed by real images"),
        None => ("unclear", "–", "not held against real images"),
    };
    html! { span class={ "badge " (class) } { (sign) " " (word) } }
}

/// What became of the mode under a new model.
fn retrained(contents: &Contents, id: ModeId) -> Markup {
    let changes = contents
        .evaluation
        .iter()
        .flat_map(|evaluation| &evaluation.classes);
    let change = changes
        .into_iter()
        .find(|change| change.class_index == id.class && change.mode == Some(id.mode));
    html! {
        @if let Some(change) = change {
            h4 { "After retraining" }
            p { (words::sentence(&change.sentence)) }
        }
    }
}

/// What bars or weakens it.
fn doubts(contents: &Contents, entry: &ModeReport) -> Markup {
    let warnings: Vec<&Warning> = warnings_of(contents, entry).collect();
    html! {
        @if !warnings.is_empty() {
            h4 { "What speaks against it" }
            ul.warnings {
                @for warning in warnings { (said::warning(warning)) }
            }
        }
    }
}
