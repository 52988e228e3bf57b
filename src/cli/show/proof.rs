//! The demo's proof in the terminal.

use std::fmt::Write as _;

use crate::cli::ui::Ui;
use crate::pipeline::proof::{Judged, MEASURES, Retraining};

/// What the judge says, in a sentence.
pub(in crate::cli) fn judged(ui: &mut Ui, judged: &Judged) {
    ui.say(format_args!(
        "\nthe judge tells age and gender of {:.1} % of drawn test faces; it finds those of the \
         caption in {:.1} % of {} generated ones, and in {:.1} % of the {} kept",
        100.0 * judged.accuracy,
        100.0 * judged.generated_right,
        judged.generated,
        100.0 * judged.kept_right,
        judged.kept
    ));
}

/// A line an arm, then a line a difference.
pub(in crate::cli) fn retraining(ui: &mut Ui, retraining: &Retraining) {
    ui.say(format_args!(
        "\naccuracy on test after retraining, mean ± sd of {} seeds, {} images added\n{:<20} {}",
        retraining.seeds,
        retraining.added,
        "arm",
        MEASURES.map(|(name, _)| format!("{name:>15}")).concat()
    ));
    for (arm, spreads) in &retraining.arms {
        let mut line = String::new();
        for s in spreads {
            let _ = write!(line, "{:>8.3} ± {:.3}", s.mean, s.sd);
        }
        ui.say(format_args!("{arm:<20} {line}"));
    }
    for (key, spreads) in &retraining.paired {
        let mut line = String::new();
        for s in spreads {
            let _ = write!(line, "{:>+8.3} ± {:.3}", s.mean, s.sd);
        }
        ui.say(format_args!("{key:<20} {line}"));
    }
}
