//! How to read the page.

use maud::{Markup, html};

/// A sentence on each word that the page uses.
pub(super) fn help() -> Markup {
    let words = [
        (
            "Alignment",
            "How far an image lies on the side of a class's mistakes, as a distance in the space of its embeddings: larger is \
             harder, and above 0 it resembles the mistakes more than the right images.",
        ),
        (
            "Failure mode",
            "A direction in that space along which mistakes of a class gather more than chance explains. Mode 0 is the one \
             direction of all mistakes of its class; the others are places where mistakes gather. They are found on the \
             validation split and judged on test, where there is one.",
        ),
        (
            "Threshold",
            "The alignment from which an image counts as part of the failure; half of the real mistakes reach it, and only \
             generated images that do are kept.",
        ),
        (
            "Verdict",
            "Whether the real images nearest to a caption are harder for the model than the class is: confirmed (beyond what \
             chance makes of any caption tried, p below 0.05), unclear (harder, but chance could do it), or not confirmed.",
        ),
        (
            "Intervals",
            "Of 95 %: had the images been drawn anew, the true value would lie within 19 of 20 such intervals. Near-duplicates \
             count as one image.",
        ),
        (
            "p and q",
            "How often chance does as well: p for this one test, q corrected for all that were made. A finding has q below 0.05.",
        ),
        (
            "Most aligned, least confident, at random",
            "Three ways to list images that may be mistakes: by alignment, by the model's own confidence, and blindly.",
        ),
    ];
    html! {
        section aria-labelledby="help" {
            h2 id="help" { "How to read this" }
            dl.help {
                @for (word, meaning) in words {
                    div { dt { (word) } dd { (meaning) } }
                }
            }
        }
    }
}
