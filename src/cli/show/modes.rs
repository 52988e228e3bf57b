//! Which failure modes there are and which to fix first, in the terminal.

use super::tables::MOST;
use crate::cli::ui::Ui;
use crate::report::overview::{ClassModes, Overview, Worth};

/// A line a failure mode, the one worth fixing first at the head; then what none of them explains.
pub(super) fn say(ui: &mut Ui, overview: &Overview) {
    let modes = &overview.first_to_fix;
    if modes.is_empty() {
        return;
    }
    ui.say(
        "\nfailure modes by what fixing them may win: val mistakes explained × confidence (1 - q)",
    );
    ui.say(format_args!(
        "  {:<16} {:>4} {:>18} {:>11} {:>10} {:>7}",
        "class", "mode", "explains", "also others", "confidence", "worth"
    ));
    for worth in modes.iter().take(MOST) {
        ui.say(line(worth));
    }
    if modes.len() > MOST {
        let more = modes.len() - MOST;
        ui.say(format_args!("… and {more} more: report/modes.csv has all"));
    }
    for class in overview.classes.iter().filter(|c| c.modes > 0).take(MOST) {
        ui.say(format_args!("  {}", rest(class)));
    }
}

fn line(worth: &Worth) -> String {
    let explains = format!(
        "{} of {} ({:.0} %)",
        worth.explains,
        worth.mistakes,
        100.0 * worth.explains as f64 / worth.mistakes.max(1) as f64
    );
    let barred = if worth.acted_on {
        ""
    } else {
        "  nothing is made for it: see the warnings"
    };
    format!(
        "  {:<16} {:>4} {explains:>18} {:>11} {:>10.3} {:>7.1}{barred}",
        worth.class, worth.mode, worth.shared, worth.confidence, worth.worth
    )
}

/// How many mistakes of a class none of its modes explains.
fn rest(class: &ClassModes) -> String {
    let modes = match class.modes {
        1 => "1 failure mode".to_owned(),
        n => format!("{n} failure modes"),
    };
    format!(
        "{}: {modes}; {} of its {} val mistakes no failure mode explains",
        class.class, class.unexplained, class.mistakes
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mode_says_what_it_explains_and_a_class_what_is_left() {
        let worth = Worth {
            class: "cat".to_owned(),
            class_index: 0,
            mode: 2,
            explains: 23,
            mistakes: 60,
            shared: 3,
            confidence: 0.996,
            worth: 22.9,
            acted_on: true,
        };
        assert_eq!(
            line(&worth),
            "  cat                 2    23 of 60 (38 %)           3      0.996    22.9"
        );
        let barred = Worth {
            acted_on: false,
            ..worth
        };
        assert!(line(&barred).ends_with("see the warnings"));
        let class = ClassModes {
            class: "cat".to_owned(),
            class_index: 0,
            modes: 2,
            mistakes: 60,
            unexplained: 12,
        };
        assert_eq!(
            rest(&class),
            "cat: 2 failure modes; 12 of its 60 val mistakes no failure mode explains"
        );
    }
}
