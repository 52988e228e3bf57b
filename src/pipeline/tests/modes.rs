//! A class that fails in two ways: captions, plan, pool, images and report for each.

use super::*;
use crate::dataset::Split;
use crate::direction::{Direction, ModeId};
use crate::generate::Arm;
use crate::run::pool::PoolRecord;

/// Colours of squares, which part of a class each is, and whether the classifier mistakes them for the other class.
const COLOURS: [(&str, [u8; 3], usize, bool); 5] = [
    ("red", [170, 30, 30], 3, true),
    ("blue", [30, 30, 170], 3, true),
    ("yellow", [170, 170, 30], 4, false),
    ("green", [30, 170, 30], 5, false),
    ("gray", [110, 110, 110], 5, false),
];

/// Squares of two classes; of boats the red and the blue ones are taken for cars.
fn draw(dir: &Path) {
    let mut table = "path,prediction\n".to_owned();
    let mut key = 0_u32;
    for (split, times) in [("train", 1), ("val", 4), ("test", 2), ("pool", 2)] {
        for class in ["boat", "car"] {
            let folder = dir.join("squares").join(split).join(class);
            fs::create_dir_all(&folder).unwrap();
            for (colour, tint, part, fails) in COLOURS {
                for at in 0..part * times {
                    key += 1;
                    let light = (key * 13 % 41) as u8;
                    let grain =
                        |x: u32, y: u32| ((x * (key % 7 + 2) + y * (key % 5 + 1)) % 17) as u8;
                    let image = RgbImage::from_fn(16, 16, |x, y| {
                        Rgb(tint.map(|level| level + light + grain(x, y)))
                    });
                    let name = format!("{colour}{at:02}.png");
                    image.save(folder.join(&name)).unwrap();
                    let wrong = class == "boat" && fails && at % 8 != 7;
                    let said = if wrong { "car" } else { class };
                    if split == "val" || split == "test" {
                        writeln!(table, "{split}/{class}/{name},{said}").unwrap();
                    }
                }
            }
        }
    }
    fs::write(dir.join("predictions.csv"), table).unwrap();
    let captions = COLOURS.map(|(colour, ..)| format!("a {colour} {{class}}\n"));
    fs::write(dir.join("captions.txt"), captions.concat()).unwrap();
}

fn settings_of(dir: &Path, quota: usize, pool: bool) -> CheckedSettings {
    let mut settings: Settings = settings(dir, quota).into_inner();
    settings.generate.force = false;
    settings.generate.controls = 1;
    settings.direction.permutations = 39;
    settings.data.pool = pool.then_some(Split::Pool);
    settings.check().unwrap()
}

/// The mode whose mistakes are of a colour.
fn of_colour(finished: &Finished, colour: &str) -> ModeId {
    let found = finished.detected.fitted.directions.iter();
    let dataset = finished.dataset();
    let own = |d: &&Direction| {
        let is = |id: &&_| dataset.example(**id).path.contains(colour);
        d.id.mode > 0 && 2 * d.explains.iter().filter(is).count() > d.explains.len()
    };
    found.filter(own).map(|d| d.id).next().unwrap()
}

#[test]
fn each_failure_mode_of_a_class_has_its_captions_images_and_sheet() {
    let dir = tempfile::tempdir().unwrap();
    draw(dir.path());
    let out = dir.path().join("run");
    let finished = whole(&settings_of(dir.path(), 3, false), &out);
    let fitted = &finished.detected.fitted;
    let ids: Vec<String> = fitted.directions.iter().map(|d| d.id.to_string()).collect();
    assert_eq!(ids, ["0.0", "0.1", "0.2"], "cars do not fail");
    assert!(fitted.directions.iter().all(Direction::is_finding));
    let modes = ["red", "blue"].map(|colour| (colour, of_colour(&finished, colour)));
    assert_ne!(modes[0].1, modes[1].1);

    let decided = finished.decided.as_ref().unwrap();
    let rows = synthetic(&finished);
    for (colour, id) in modes {
        let outcome = decided.of_mode(id).unwrap();
        assert_eq!(outcome.plan.captions, [format!("a {colour} boat")]);
        let own = rows.iter().filter(|row| row.mode == Some(id.mode));
        assert_eq!(own.clone().count(), 3, "the quota is that of a mode");
        let caption = outcome.plan.captions.first();
        assert!(own.into_iter().all(|row| row.caption.as_ref() == caption));
        let layout = finished.folder.layout();
        assert!(layout.preview("boat", id.mode).is_file());
        assert_eq!(
            fs::read_dir(layout.images_dir("boat", id.mode))
                .unwrap()
                .count(),
            3
        );
        let controls = decided.decisions.of(Arm::Neutral);
        assert_eq!(
            controls.filter(|outcome| outcome.plan.mode == id).count(),
            1
        );
    }
    assert_eq!(rows.len(), 6, "none for the blend of both");
    assert!(decided.of_mode(ModeId::new(0, 0)).is_none() && finished.complete);
    assert!(finished.folder.layout().preview("boat", 0).is_file());
}

#[test]
fn the_report_says_which_mode_to_fix_first_and_what_none_explains() {
    let dir = tempfile::tempdir().unwrap();
    draw(dir.path());
    let out = dir.path().join("run");
    let finished = whole(&settings_of(dir.path(), 1, false), &out);
    let summary = outputs::summary(&finished);
    let overview = &summary.overview;
    assert_eq!(overview, &finished.detected.report.overview);
    let mistakes = 2 * 11;
    let class = &overview.classes[0];
    assert_eq!((class.modes, class.mistakes), (2, mistakes));
    let explained: usize = overview.first_to_fix.iter().map(|w| w.explains).sum();
    assert_eq!(class.unexplained + explained, mistakes);
    assert!(class.unexplained <= 4, "{class:?}");
    assert!(
        overview
            .first_to_fix
            .is_sorted_by(|a, b| a.worth >= b.worth)
    );
    assert!(overview.first_to_fix.iter().all(|worth| worth.acted_on));
    let whole = summary.mode(ModeId::new(0, 0)).unwrap();
    assert_eq!((whole.attempted, whole.quota_met), (0, None));
    let table = fs::read_to_string(out.join("report/modes.csv")).unwrap();
    let ranks: Vec<&str> = table
        .lines()
        .map(|line| line.split(',').next().unwrap())
        .collect();
    assert_eq!(
        ranks,
        ["rank", "1", "2", ""],
        "mode 0 stands for nothing beside them"
    );
}

#[test]
fn an_image_of_the_pool_is_picked_for_the_mode_it_belongs_to() {
    let dir = tempfile::tempdir().unwrap();
    draw(dir.path());
    let out = dir.path().join("run");
    let finished = whole(&settings_of(dir.path(), 4, true), &out);
    let pooled = finished.pooled.as_ref().unwrap();
    assert_eq!(pooled.record.modes.len(), 2);
    for colour in ["red", "blue"] {
        let picked = pooled.record.of(of_colour(&finished, colour)).unwrap();
        assert!(!picked.picks.is_empty(), "{:?}", picked.rejected);
        assert!(picked.picks.iter().all(|pick| pick.path.contains(colour)));
    }
    let written = PoolRecord::read(&finished.folder.layout().pool()).unwrap();
    assert_eq!(written, pooled.record);
    assert!(finished.complete, "what the pool lacks is made");
}
