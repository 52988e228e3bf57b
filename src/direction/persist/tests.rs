use ndarray::array;

use super::*;
use crate::dataset::{Example, ExampleId};
use crate::direction::probability::FailureProbability;

/// A direction with numbers that tell it from others.
fn made_up(class: usize, mode: u32, explains: Vec<ExampleId>) -> Direction {
    let at = class as f64 + 0.1 * f64::from(mode);
    let distance: Vec<f64> = (0..6).map(|i| f64::from(i) / 7.0 - at).collect();
    let wrong = [false, true, false, false, true, true];
    let folds = [0, 0, 1, 1, 0, 1];
    Direction {
        b: 0.5 - at,
        c: 0.1,
        threshold: at,
        probability: Some(FailureProbability::fit(&distance, &wrong, &folds)),
        bootstrap_cosine: Some((0.5, 0.75)),
        explains,
        out_of_fold: distance,
        ..Direction::made_up(ModeId::new(class, mode), array![1.0 + at, -0.3])
    }
}

fn dataset() -> Dataset {
    let examples = (0..6).map(|i| Example::new(format!("val/{i}.png"), 0, Split::Val));
    let classes = ["cat", "dog"].map(str::to_owned).to_vec();
    Dataset::new(PathBuf::new(), classes, examples.collect()).unwrap()
}

#[test]
fn several_modes_a_class_read_back_bit_for_bit() {
    let whitening = Whitening::fit(array![[1.0, 0.0], [0.6, 0.8], [-0.8, 0.6]].view()).unwrap();
    let data = dataset();
    let ids: Vec<ExampleId> = data.ids().collect();
    let fitted = Fitted {
        directions: vec![
            made_up(0, 0, vec![ids[1], ids[4]]),
            made_up(0, 1, vec![ids[2]]),
            made_up(1, 0, Vec::new()),
        ],
        skipped: Vec::new(),
    };
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &whitening, Split::Train, &fitted, &data).unwrap();
    let saved = read(dir.path()).unwrap();
    assert_eq!(
        (&saved.whitening, &saved.classes[..]),
        (&whitening, data.classes())
    );
    for (saved, written) in saved.directions.iter().zip(&fitted.directions) {
        let expected = Direction {
            explains: Vec::new(),
            out_of_fold: Vec::new(),
            ..written.clone()
        };
        assert_eq!(saved, &expected);
    }
    assert_eq!(saved.of_class(0).count(), 2);
    let second = ModeId::new(0, 1);
    assert_eq!(saved.get(second).unwrap().threshold, 0.1);
    assert_eq!(saved.explains[&second], ["val/2.png"]);
    assert_eq!(
        saved.explains[&ModeId::new(0, 0)],
        ["val/1.png", "val/4.png"]
    );
}

#[test]
fn what_a_test_came_to_reads_back() {
    let whitening = Whitening::fit(array![[1.0, 0.0], [0.6, 0.8], [-0.8, 0.6]].view()).unwrap();
    let made_up = |mode| made_up(0, mode, Vec::new());
    let few = Direction {
        too_few: true,
        p_value: None,
        q_value: None,
        ..made_up(0)
    };
    let floor = Direction {
        q_value: Some(0.2),
        at_floor: true,
        ..made_up(1)
    };
    let chance = Direction {
        q_value: Some(0.2),
        ..made_up(2)
    };
    let fitted = Fitted {
        directions: vec![few, floor, chance, made_up(3)],
        skipped: Vec::new(),
    };
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &whitening, Split::Train, &fitted, &dataset()).unwrap();
    let saved = read(dir.path()).unwrap();
    let standing: Vec<Standing> = saved.directions.iter().map(Direction::standing).collect();
    let expected = [
        Standing::TooFewExamples,
        Standing::TooFewPermutations,
        Standing::Chance,
        Standing::Finding,
    ];
    assert_eq!(standing, expected);
    let at = |alignment| saved.directions[3].failure_probability(alignment).unwrap();
    assert!(at(-1.0) < at(1.0));
}
