//! The demo's proof in the terminal.

use crate::cli::ui::Ui;
use crate::report::retraining::{Judge, Measures, Retraining, Spread};

/// What the judge says, in a sentence.
pub(in crate::cli) fn judged(ui: &mut Ui, judged: &Judge) {
    ui.say(format_args!(
        "\nthe judge tells every attribute of {:.1} % of drawn test faces; it finds all that the \
         caption names in {:.1} % of {} generated ones, and in {:.1} % of the {} kept",
        100.0 * judged.accuracy,
        100.0 * judged.generated_right,
        judged.generated,
        100.0 * judged.kept_right,
        judged.kept
    ));
}

/// A line an arm, then a line a difference.
pub(in crate::cli) fn retraining(ui: &mut Ui, retraining: &Retraining) {
    let names = retraining.none.named().map(|(name, _)| name);
    ui.say(format_args!(
        "\naccuracy on test after retraining, mean ± sd of {} seeds, {} images added\n{:<20} {}",
        retraining.seeds,
        retraining.added,
        "arm",
        names.map(|name| format!("{name:>15}")).concat()
    ));
    for (arm, measures) in retraining.arms() {
        line(ui, arm, measures, |mean| format!("{mean:>8.3}"));
    }
    for (key, measures) in retraining.paired.named() {
        line(ui, key, measures, |mean| format!("{mean:>+8.3}"));
    }
    groups(ui, retraining);
}

/// A line a rare group: what each failure mode's images did for it.
fn groups(ui: &mut Ui, retraining: &Retraining) {
    let rare = retraining.groups.iter().filter(|group| group.minority);
    for (at, group) in rare.enumerate() {
        if at == 0 {
            ui.say(format_args!(
                "\n{:<36} {:>7} {:>15} {:>15} {:>15} {:>15}",
                "rare in train", "images", "none", "neutral", "failure", "failure - none"
            ));
        }
        let plain = |mean: f64| format!("{mean:>8.3}");
        ui.say(format_args!(
            "{:<36} {:>7} {}{}{}{}",
            format!("{}: {}", group.class, group.group),
            group.images,
            cell(group.none, plain),
            cell(group.neutral, plain),
            cell(group.failure, plain),
            cell(group.failure_less_none, |mean| format!("{mean:>+8.3}")),
        ));
    }
}

/// A mean with its standard deviation, 16 wide.
fn cell(spread: Spread, shown: impl Fn(f64) -> String) -> String {
    let mean = spread.mean.map_or_else(|| format!("{:>8}", "-"), shown);
    let sd = spread
        .sd
        .map_or_else(|| format!("{:<5}", "-"), |sd| format!("{sd:.3}"));
    format!("{mean} ± {sd}")
}

fn line(ui: &mut Ui, name: &str, measures: &Measures, shown: fn(f64) -> String) {
    let mut line = String::new();
    for (_, spread) in measures.named() {
        line.push_str(&cell(spread, shown));
    }
    ui.say(format_args!("{name:<20} {line}"));
}
