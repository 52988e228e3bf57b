use super::*;

#[test]
fn adjusted_values_are_those_of_r() {
    // p.adjust(c(0.01, 0.04, 0.03, 0.5), "BH")
    let want = [0.04, 0.16 / 3.0, 0.16 / 3.0, 0.5];
    for (got, want) in adjust(&[0.01, 0.04, 0.03, 0.5]).iter().zip(want) {
        assert!((got - want).abs() < 1e-12);
    }
}

#[test]
fn the_drawing_ends_as_besag_and_clifford_say() {
    // Every third is as good: the tenth of them is draw 28 (the first is draw 1).
    let third = sequential(199, |draw| (draw % 3 == 0, false));
    let p = 10.0 / 28.0;
    assert_eq!(
        third,
        Tested {
            p,
            draws: 28,
            at_floor: false
        }
    );
    // Two in all: the drawing goes to its end.
    let two = sequential(199, |draw| (draw == 3 || draw == 190, false));
    let p = 3.0 / 200.0;
    assert_eq!(
        two,
        Tested {
            p,
            draws: 199,
            at_floor: false
        }
    );
    let never = sequential(400, |_| (false, false));
    let p = 1.0 / 401.0;
    assert_eq!(
        never,
        Tested {
            p,
            draws: 400,
            at_floor: true
        }
    );
    // Six arrangements, and the observed one comes up time and again: it is as good as itself.
    let few = sequential(199, |draw| (draw % 6 == 5, draw % 6 == 5));
    let p = 10.0 / 60.0;
    assert_eq!(
        few,
        Tested {
            p,
            draws: 60,
            at_floor: true
        }
    );
    let none = sequential(0, |_| (true, false));
    assert_eq!((none.p, none.draws), (1.0, 0));
}

#[test]
fn a_lone_failure_of_many_classes_can_be_a_finding() {
    for family in [1, 2, 9, 10, 100, 1000] {
        let draws = most(199, family);
        let mut p = vec![0.6; family];
        p[0] = 1.0 / (1.0 + draws as f64);
        assert!(adjust(&p)[0] < 0.05, "one of {family} with {draws} draws");
    }
    assert_eq!((most(199, 3), most(0, 1000)), (199, 0));
}

#[test]
fn outcomes_move_by_units() {
    // Twenty images alone; five units of 4, which are all wrong or all right; sizes 7 and 9 once each.
    let sizes: Vec<usize> = [1; 20].into_iter().chain([4; 5]).chain([7, 9]).collect();
    let keys: Vec<Option<u32>> = sizes
        .iter()
        .enumerate()
        .flat_map(|(unit, &size)| vec![Some(unit as u32); size])
        .collect();
    let n = keys.len();
    let units = Units::of_keys(n, &keys);
    let mut right = vec![true; n];
    right[..6].fill(false);
    for unit in [21, 23, 25] {
        units.members(unit).iter().for_each(|&i| right[i] = false);
    }
    let permuter = Permuter::new(&units);
    assert_eq!(permuter.strata.len(), 3, "7 and 9 are put together");
    let mut seen = std::collections::BTreeSet::new();
    for draw in 0..200 {
        let mut rng = rng(1, ModeId::new(0, 0), Purpose::Permutation, draw);
        let dealt = permuter.permute(&units, &right, &mut rng);
        let wrong = |unit: usize| units.members(unit).iter().filter(|&&i| !dealt[i]).count();
        assert_eq!((0..20).map(wrong).sum::<usize>(), 6);
        assert!((20..25).all(|unit| wrong(unit) % 4 == 0));
        assert_eq!((20..25).map(wrong).sum::<usize>(), 8);
        assert!(matches!((wrong(25), wrong(26)), (7, 0) | (0, 9)));
        seen.insert((wrong(20), wrong(21), wrong(25)));
    }
    assert_eq!(seen.len(), 8, "all that three of them can be");
}

#[test]
fn modes_and_purposes_have_streams_of_their_own() {
    let draw = |class, mode, purpose, draw| -> u64 {
        rng(7, ModeId::new(class, mode), purpose, draw).r#gen()
    };
    let all = [
        draw(0, 0, Purpose::Permutation, 0),
        draw(0, 0, Purpose::Permutation, 1),
        draw(0, 1, Purpose::Permutation, 0),
        draw(1, 0, Purpose::Permutation, 0),
        draw(0, 0, Purpose::Bootstrap, 0),
    ];
    let distinct: std::collections::BTreeSet<u64> = all.into_iter().collect();
    assert_eq!(distinct.len(), all.len());
    assert_eq!(all[0], draw(0, 0, Purpose::Permutation, 0));
}
