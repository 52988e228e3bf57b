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
            "The alignment from which an image counts as part of the failure. It is set so that half of the real mistakes reach \
             it, unless the run was told otherwise, and only generated images that do are kept.",
        ),
        (
            "Verdict",
            "Whether the real images nearest to a caption are harder for the model than the class is: confirmed (beyond what \
             chance makes of any caption tried, p below 0.05), unclear (harder, but chance could do it), or not confirmed.",
        ),
        (
            "Intervals",
            "Of 95 %: were the images drawn anew again and again, 19 of 20 such intervals would hold the true value. Those of the \
             AUC and of the CV score count near-duplicates as one image.",
        ),
        (
            "CV score and AUC",
            "How well alignment tells wrong images from right ones: the CV score is the balanced accuracy on validation images that \
             were held out in turn, the AUC is how often a mistake ranks above a right image. Of both, 0.5 is chance and 1 is \
             perfect.",
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
