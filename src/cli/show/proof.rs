//! The demo's proof in the terminal.

use std::fmt::Write as _;

use crate::cli::ui::Ui;
use crate::report::retraining::{Judge, Measures, Retraining};

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
}

fn line(ui: &mut Ui, name: &str, measures: &Measures, shown: fn(f64) -> String) {
    let mut line = String::new();
    for (_, spread) in measures.named() {
        let mean = spread.mean.map_or_else(|| format!("{:>8}", "-"), shown);
        let _ = match spread.sd {
            Some(sd) => write!(line, "{mean} ± {sd:.3}"),
            None => write!(line, "{mean} ± {:<5}", "-"),
        };
    }
    ui.say(format_args!("{name:<20} {line}"));
}
