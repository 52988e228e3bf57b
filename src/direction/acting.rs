//! Which failure modes of a class are acted on.

use super::Direction;

/// The failure modes that stand for what fails, by class and mode: those that captions, images and weights are for.
///
/// Where the search found two or more modes that `stand` (as a rule: are findings), it is they: mode 0, the one
/// direction of all mistakes, is a blend of them, and an image made for it is half of one and half of another.
/// Otherwise it is mode 0, for one mode beside it hardly says more; where mode 0 does not stand, it is the one
/// mode that does. A mode that holds nine tenths of the mistakes of all that were found is mode 0, too, and the
/// rest beside it a fragment.
///
/// `directions` are by class and mode, as [`super::fit`] and [`super::persist::read`] give them.
pub fn acted_on(directions: &[Direction], stands: impl Fn(&Direction) -> bool) -> Vec<&Direction> {
    let mut acted_on = Vec::new();
    for class in directions.chunk_by(|a, b| a.id.class == b.id.class) {
        let (blends, found): (Vec<&Direction>, Vec<&Direction>) = class
            .iter()
            .filter(|direction| stands(direction))
            .partition(|direction| direction.id.mode == 0);
        if several(&found) || blends.is_empty() {
            acted_on.extend(found);
        } else {
            acted_on.extend(blends);
        }
    }
    acted_on
}

/// Whether mode 0 is a blend of these modes, and not nearly one of them.
fn several(found: &[&Direction]) -> bool {
    let largest = found.iter().map(|d| d.wrong).max().unwrap_or_default();
    let all: usize = found.iter().map(|d| d.wrong).sum();
    found.len() > 1 && 10 * largest < 9 * all
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;
    use crate::direction::ModeId;

    #[test]
    fn found_modes_take_the_place_of_their_blend() {
        // Of each class the modes that stand, and those that do not.
        let acted_on = |stand: &[(usize, u32)], others: &[(usize, u32)]| -> Vec<String> {
            let mut directions: Vec<Direction> = stand
                .iter()
                .map(|&(class, mode)| Direction::made_up(ModeId::new(class, mode), array![1.0]))
                .collect();
            directions.extend(others.iter().map(|&(class, mode)| Direction {
                q_value: Some(0.5),
                ..Direction::made_up(ModeId::new(class, mode), array![1.0])
            }));
            directions.sort_by_key(|direction| direction.id);
            let ids = acted_on(&directions, Direction::is_finding);
            ids.iter().map(|d| d.id.to_string()).collect()
        };
        assert_eq!(
            acted_on(&[(0, 0), (0, 1), (0, 2), (1, 0)], &[]),
            ["0.1", "0.2", "1.0"]
        );
        assert_eq!(acted_on(&[(0, 1), (0, 2)], &[(0, 0)]), ["0.1", "0.2"]);
        assert_eq!(
            acted_on(&[(0, 0), (0, 1)], &[(0, 2)]),
            ["0.0"],
            "one hardly says more"
        );
        assert_eq!(acted_on(&[(0, 2)], &[(0, 0), (0, 1)]), ["0.2"]);
        assert!(acted_on(&[], &[(0, 0), (0, 1)]).is_empty());
    }

    #[test]
    fn a_fragment_beside_a_mode_changes_nothing() {
        let acted_on = |mistakes: [usize; 2]| -> Vec<u32> {
            let found = (1..).zip(mistakes).map(|(mode, wrong)| Direction {
                wrong,
                ..Direction::made_up(ModeId::new(0, mode), array![1.0])
            });
            let mut all = vec![Direction::made_up(ModeId::new(0, 0), array![1.0])];
            all.extend(found);
            let modes = acted_on(&all, Direction::is_finding);
            modes.iter().map(|d| d.id.mode).collect()
        };
        assert_eq!(acted_on([126, 7]), [0]);
        assert_eq!(acted_on([89, 11]), [1, 2]);
    }
}
