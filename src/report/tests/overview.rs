//! The section on which failure mode to fix first.

use crate::dataset::ExampleId;
use crate::direction::{Direction, ModeId};
use crate::report::overview::{ClassModes, Overview, Worth};

/// A section with a mode in it, or with none.
pub(super) fn sample(full: bool) -> Overview {
    Overview {
        first_to_fix: if full {
            vec![Worth {
                class: "dog".to_owned(),
                class_index: 1,
                mode: 2,
                explains: 8,
                mistakes: 20,
                shared: 1,
                confidence: 1.0 - (1.0 / 3.0),
                worth: 8.0 * (1.0 - (1.0 / 3.0)),
                acted_on: false,
            }]
        } else {
            vec![]
        },
        classes: vec![ClassModes {
            class: "dog".to_owned(),
            class_index: 1,
            modes: usize::from(full),
            mistakes: 20,
            unexplained: 12,
        }],
    }
}

#[test]
fn the_mode_that_explains_most_mistakes_surely_is_to_be_fixed_first() {
    let direction = |class, mode, explains: usize, q| Direction {
        q_value: Some(q),
        wrong: if mode == 0 { 30 } else { explains },
        explains: ExampleId::numbered(explains),
        ..Direction::made_up(ModeId::new(class, mode), ndarray::array![1.0])
    };
    let directions = [
        direction(0, 0, 20, 0.01),
        direction(0, 1, 12, 0.01),
        direction(0, 2, 9, 0.02),
        direction(1, 0, 18, 0.01),
        direction(2, 0, 25, 0.4),
    ];
    let classes = ["cat", "dog", "owl"].map(str::to_owned);
    let overview = Overview::of(&directions, &classes, |id| id.class == 0);
    let order: Vec<_> = overview
        .first_to_fix
        .iter()
        .map(|worth| (worth.class.as_str(), worth.mode, worth.acted_on))
        .collect();
    assert_eq!(
        order,
        [("dog", 0, false), ("cat", 1, true), ("cat", 2, true)]
    );
    assert!((overview.first_to_fix[1].worth - 12.0 * 0.99).abs() < 1e-12);
    assert_eq!(overview.rank(ModeId::new(0, 2)), Some(3));
    assert_eq!(
        overview.rank(ModeId::new(0, 0)),
        None,
        "a blend of the others"
    );
    let classes: Vec<_> = overview
        .classes
        .iter()
        .map(|class| (class.modes, class.mistakes, class.unexplained))
        .collect();
    assert_eq!(classes, [(2, 30, 9), (1, 30, 12), (0, 30, 30)]);
}
