//! The captions of a run in the terminal.

use crate::caption::{Accuracy, Kind};
use crate::cli::ui::Ui;
use crate::dataset::Dataset;
use crate::direction::legible;
use crate::pipeline::captions::Captioned;
use crate::pipeline::detect::Detected;

/// The captions on the terminal.
pub(super) fn say(ui: &mut Ui, dataset: &Dataset, detected: &Detected, captioned: &Captioned) {
    for (direction, mode) in detected.fitted.directions.iter().zip(&captioned.modes) {
        let class = &dataset.classes[direction.id.class];
        let wrong = |of: Accuracy| format!("{:.0} %", 100.0 * (1.0 - of.accuracy));
        let all = mode.real.val.all();
        ui.say(format_args!(
            "\nhardest captions of {class}, and how many of the val images nearest to each are wrong (of \
             all {}: {})",
            all.images,
            wrong(all)
        ));
        if !mode.scores.iter().any(|s| s.kind == Kind::Hard) {
            ui.say("  none: captions.parquet has the reason for each");
        }
        for score in mode.scores.iter().filter(|s| s.kind == Kind::Hard) {
            let (alignment, caption) = (legible(score.alignment), &score.caption);
            let checked = score.checked.as_ref().map_or_else(String::new, |checked| {
                let (low, high) = checked.val.interval;
                format!(
                    ": {} of {} ({:.0} to {:.0} %), {}",
                    wrong(checked.val),
                    checked.val.images,
                    100.0 * (1.0 - high),
                    100.0 * (1.0 - low),
                    checked.verdict.name()
                )
            });
            ui.say(format_args!("  {alignment:>8}  {caption}{checked}"));
        }
        let level = |name: &str, kind| {
            mode.top(kind).map(|(_, checked)| {
                let Accuracy {
                    images, accuracy, ..
                } = checked.judged;
                format!("{name} caption {accuracy:.2} ({images} images)")
            })
        };
        let levels: Vec<String> = [
            level("hardest", Kind::Hard),
            level("neutral", Kind::Neutral),
            level("easiest", Kind::Easy),
        ]
        .into_iter()
        .flatten()
        .collect();
        if !levels.is_empty() {
            ui.say(format_args!(
                "  accuracy on the {} images nearest to the {}; on all {:.2}",
                detected.judged_on,
                levels.join(", "),
                mode.real.judged.all().accuracy
            ));
        }
        if let Some(sentence) = mode.sentence(class) {
            ui.say(format_args!("  {sentence}"));
        }
    }
}
