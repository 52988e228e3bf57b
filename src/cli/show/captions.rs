//! The captions of a run in the terminal.

use crate::caption::Accuracy;
use crate::cli::ui::Ui;
use crate::direction::{ModeId, legible};
use crate::report::captions::{Caption, CaptionsReport, ModeCaptions};

/// The captions on the terminal.
pub(super) fn say(ui: &mut Ui, captions: &CaptionsReport) {
    for mode in &captions.modes {
        ui.say(format_args!(
            "\nhardest captions of {}, and how many of the val images nearest to each are wrong (of \
             all {}: {})",
            ModeId::new(mode.class_index, mode.mode).named(&mode.class),
            mode.val.images,
            wrong(mode.val)
        ));
        if mode.hard.is_empty() {
            ui.say("  none: captions.parquet has the reason for each");
        }
        for caption in &mode.hard {
            ui.say(line(caption));
        }
        let levels = levels(mode);
        if !levels.is_empty() {
            ui.say(format_args!(
                "  accuracy on the {} images nearest to the {}; on all {:.2}",
                captions.judged_on,
                levels.join(", "),
                mode.judged.accuracy
            ));
        }
        if let Some(sentence) = &mode.sentence {
            ui.say(format_args!("  {sentence}"));
        }
    }
}

fn wrong(of: Accuracy) -> String {
    format!("{:.0} %", 100.0 * (1.0 - of.accuracy))
}

fn line(caption: &Caption) -> String {
    let (alignment, text) = (legible(caption.alignment), &caption.caption);
    let checked = match (caption.val, caption.verdict) {
        (Some(val), Some(verdict)) => {
            let (low, high) = val.interval;
            let p = caption.p_value.map(|p| format!(" (p {p:.3})"));
            format!(
                ": {} of {} ({:.0} to {:.0} %), {}{}",
                wrong(val),
                val.images,
                100.0 * (1.0 - high),
                100.0 * (1.0 - low),
                verdict.name(),
                p.unwrap_or_default()
            )
        }
        _ => String::new(),
    };
    format!("  {alignment:>8}  {text}{checked}")
}

/// The classifier on the images nearest to the hardest, the neutral and the easiest caption.
fn levels(mode: &ModeCaptions) -> Vec<String> {
    let level = |name: &str, captions: &[Caption]| {
        let nearest = captions.first()?.judged?;
        let Accuracy {
            images, accuracy, ..
        } = nearest;
        Some(format!("{name} caption {accuracy:.2} ({images} images)"))
    };
    let levels = [
        level("hardest", &mode.hard),
        level("neutral", &mode.neutral),
        level("easiest", &mode.easy),
    ];
    levels.into_iter().flatten().collect()
}
