//! Sentences of the page, from typed figures.

use maud::{Markup, html};

use super::words::{self, between, count, counted, p_value, percent};
use crate::caption::{Accuracy, CaptionVerdict};
use crate::dataset::Split;
use crate::direction::Standing;
use crate::direction::doubt::Warning;
use crate::direction::report::wilson;
use crate::report::DetectionReport;
use crate::report::captions::{Caption, ModeCaptions};
use crate::report::detection::ModeReport;

/// What fails, how often, against what: by the caption that is confirmed, else by the images that the direction
/// points to.
pub(super) fn failure(entry: &ModeReport, captions: Option<&ModeCaptions>, split: Split) -> String {
    let class = &entry.mode.class;
    let said = captions.and_then(|captions| {
        let is_confirmed = |caption: &&Caption| caption.verdict == Some(CaptionVerdict::Confirmed);
        let caption = captions.hard.iter().find(is_confirmed)?;
        Some((caption, caption.judged?, captions.judged))
    });
    if let Some((caption, nearest, all)) = said {
        return format!(
            "The model is wrong on {} of the {} of {class} nearest to “{}” (95 % interval {}), against {} of all {}.",
            percent(wrong(nearest)),
            counted(
                nearest.images,
                &format!("{split} image"),
                &format!("{split} images")
            ),
            caption.caption,
            between(wrong_interval(nearest)),
            percent(wrong(all)),
            count(all.images)
        );
    }
    let figures = &entry.judged.figures;
    let [hits, missed, right, passed] = figures.confusion;
    let (flagged, others) = (hits + right, missed + passed);
    if flagged == 0 {
        return format!(
            "No {split} image of {class} resembles this failure, so {split} says nothing about it."
        );
    }
    let rest = match others {
        0 => String::new(),
        others => format!(
            ", against {} of the other {}",
            percent(missed as f64 / others as f64),
            count(others)
        ),
    };
    format!(
        "The model is wrong on {} of the {} of {class} that resemble this failure (95 % interval {}){rest}.",
        percent(hits as f64 / flagged as f64),
        counted(
            flagged,
            &format!("{split} image"),
            &format!("{split} images")
        ),
        between(wilson(hits, flagged)),
    )
}

/// Share of wrong images.
pub(super) fn wrong(accuracy: Accuracy) -> f64 {
    1.0 - accuracy.accuracy
}

/// Its interval.
pub(super) fn wrong_interval(accuracy: Accuracy) -> (f64, f64) {
    (1.0 - accuracy.interval.1, 1.0 - accuracy.interval.0)
}

/// What the real images nearest to a caption say.
pub(super) fn nearest(caption: &Caption, of: &ModeCaptions) -> String {
    let Some(val) = caption.val else {
        return "It was not held against real images.".to_owned();
    };
    let chance = caption.p_value.map_or_else(String::new, |p| {
        format!(
            "; chance alone makes one of the {} captions look as hard with p {}",
            count(of.candidates),
            p_value(p)
        )
    });
    format!(
        "On the {} of the class nearest to it the model is wrong on {} (95 % interval {}), against {} of all {}{chance}.",
        counted(val.images, "validation image", "validation images"),
        percent(wrong(val)),
        between(wrong_interval(val)),
        percent(wrong(of.val)),
        count(of.val.images)
    )
}

/// A warning, and whether it bars.
pub(super) fn warning(warning: &Warning) -> Markup {
    html! {
        li {
            @if warning.bars {
                span.badge.barred { "⚠ Bars it" }
                " "
            }
            (words::sentence(&warning.text))
        }
    }
}

/// What was found, in one paragraph: the first words of the page.
pub(super) fn found(report: &DetectionReport) -> String {
    let modes = report.overview.first_to_fix.len();
    let classes = counted(
        report.overview.classes.len() + report.skipped.len(),
        "class",
        "classes",
    );
    if modes == 0 {
        return format!(
            "No failure mode was found in {classes}: {}",
            why_nothing(report)
        );
    }
    let mut names: Vec<&str> = report
        .overview
        .first_to_fix
        .iter()
        .map(|worth| &*worth.class)
        .collect();
    names.sort_unstable();
    names.dedup();
    let of = names.len();
    let mistakes: usize = report
        .overview
        .classes
        .iter()
        .map(|class| class.mistakes)
        .sum();
    let open: usize = report
        .overview
        .classes
        .iter()
        .map(|class| class.unexplained)
        .sum();
    format!(
        "{} found, in {} of {classes}. {} {} of the {} that {} looked at.",
        match modes {
            1 => "One failure mode was".to_owned(),
            n => format!("{} failure modes were", count(n)),
        },
        count(of),
        if modes == 1 {
            "It explains"
        } else {
            "Together they explain"
        },
        count(mistakes - open.min(mistakes)),
        counted(mistakes, "validation mistake", "validation mistakes"),
        if mistakes == 1 { "was" } else { "were" },
    )
}

/// Why nothing was found, by what the tests came to.
fn why_nothing(report: &DetectionReport) -> String {
    let of = |standing: Standing| {
        report
            .classes
            .iter()
            .filter(|entry| entry.mode.standing == standing)
            .count()
    };
    let few = of(Standing::TooFewExamples) + report.skipped.len();
    let parts = [
        (
            of(Standing::Chance),
            "no pattern in the mistakes that chance would not make as well",
        ),
        (
            of(Standing::TooFewPermutations),
            "too few permutations to tell a pattern from chance",
        ),
        (few, "too few mistakes, or too few right images, to tell"),
    ];
    let parts: Vec<String> = parts
        .into_iter()
        .filter(|&(n, _)| n > 0)
        .map(|(n, why)| format!("{} had {why}", counted(n, "class", "classes")))
        .collect();
    if parts.is_empty() {
        "no class had mistakes to look at.".to_owned()
    } else {
        parts.join("; ") + "."
    }
}
