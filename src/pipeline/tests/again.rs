//! Another policy for a run that ended: what is decided, and what a fresh run with it decides.

use super::*;
use crate::dataset::Split;
use crate::pipeline::redecide::{Change, MinAlignment, Redecided, redecide, thresholds};
use crate::run::folder::Layout;

/// Settings with a quota and a threshold, and a pool to pick from.
fn with(dir: &Path, quota: usize, alignment: f64, pool: bool) -> CheckedSettings {
    let mut settings: Settings = (*settings(dir, quota)).clone();
    settings.filter.min_alignment = Some(alignment);
    settings.data.pool = pool.then_some(Split::Pool);
    settings.check().unwrap()
}

fn decided(out: &Path, change: Change) -> Result<Redecided, Error> {
    let mut recorder = Recorder::default();
    redecide(&mut Context::new(&mut recorder), &Layout::new(out), change)
}

fn change(quota: usize, alignment: f64) -> Change {
    Change {
        quota: Some(quota),
        min_alignment: Some(MinAlignment::At(alignment)),
        ..Change::default()
    }
}

/// Alignments of the pool's images of a mode, hardest first.
fn of_pool(out: &Path) -> Vec<f64> {
    let record = crate::run::state::read_pool(&Layout::new(out))
        .unwrap()
        .unwrap();
    let picks = record.modes[0].picks.iter();
    picks.map(|pick| pick.alignment).collect()
}

/// Copies a folder.
fn copy(from: &Path, to: &Path) {
    for (name, bytes) in results(from) {
        let path = to.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    fs::copy(from.join("summary.json"), to.join("summary.json")).unwrap();
}

/// Everything but what was measured more.
fn but_measured(out: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = results(out);
    found.retain(|name, _| !name.starts_with("attempts") && name != Path::new("ledger.jsonl"));
    found
}

#[test]
fn a_pool_is_picked_from_again_without_a_model_to_the_bytes_of_a_run() {
    let dir = tempfile::tempdir().unwrap();
    draw(dir.path());
    let at = |name: &str| dir.path().join(name);
    drop(whole(&with(dir.path(), 40, -1e6, true), &at("all")));
    let ranked = of_pool(&at("all"));
    assert!(ranked.len() > 6, "{ranked:?}");
    let (hard, middle) = (ranked[1], ranked[ranked.len() / 2]);

    // Begun where nothing of the pool is hard enough, with every image generated that later policies need.
    drop(whole(&with(dir.path(), 6, 1e6, true), &at("begun")));
    for (quota, alignment) in [(6, middle), (3, -1e6), (2, hard)] {
        let name = format!("{quota}-{alignment}");
        copy(&at("begun"), &at(&name));
        let now = decided(&at(&name), change(quota, alignment)).unwrap();
        let lacks = now.decided.decisions.outcomes.iter().any(|o| o.unfinished);
        assert!(!lacks, "{name}: all that is needed was made before");
        let fresh = format!("fresh {name}");
        let run = whole(&with(dir.path(), quota, alignment, true), &at(&fresh));
        assert_eq!(now.complete, run.complete, "{name}");
        drop(run);
        assert_same(&but_measured(&at(&name)), &but_measured(&at(&fresh)));
        // The run's command itself has nothing left to do.
        let before = results(&at(&name));
        drop(whole(&with(dir.path(), quota, alignment, true), &at(&name)));
        assert_same(&results(&at(&name)), &before);
    }
}

#[test]
fn what_cannot_be_picked_again_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    draw(dir.path());
    let out = dir.path().join("run");
    drop(whole(&with(dir.path(), 2, -1e6, true), &out));
    let before = results(&out);
    // The same policy needs no image of the data, but for the sheets that show some.
    let pool = dir.path().join("squares/pool");
    let aside = dir.path().join("aside");
    fs::rename(&pool, &aside).unwrap();
    decided(&out, Change::default()).unwrap();
    let without = results(&out);
    let but_sheets = |files: &BTreeMap<PathBuf, Vec<u8>>| {
        let mut files = files.clone();
        files.retain(|name, _| !name.starts_with("previews"));
        files
    };
    assert_same(&but_sheets(&without), &but_sheets(&before));
    let error = decided(&out, change(5, -1e6)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Input);
    assert!(
        format!("{error:#}").contains("nothing was changed"),
        "{error:#}"
    );
    assert_same(&results(&out), &without);
    fs::rename(&aside, &pool).unwrap();
    decided(&out, Change::default()).unwrap();
    assert_same(&results(&out), &before);
    // Nor is an image taken that is another now.
    for at in 0..24 {
        for class in ["boat", "car"] {
            let image = RgbImage::from_fn(16, 16, |x, y| Rgb([(x * 9) as u8, (y * 9) as u8, at]));
            image
                .save(pool.join(class).join(format!("{at:02}.png")))
                .unwrap();
        }
    }
    let error = decided(&out, change(5, -1e6)).unwrap_err();
    let text = format!("{error:#}");
    assert!(text.contains("changed since the run"), "{text}");
    assert_same(&results(&out), &before);
}

#[test]
fn looser_after_stricter_leaves_only_what_was_measured_more() {
    let dir = tempfile::tempdir().unwrap();
    draw(dir.path());
    let at = |name: &str| dir.path().join(name);
    // As hard as half of what is painted.
    drop(whole(&with(dir.path(), 9, -1e6, false), &at("all")));
    let (lines, _) = crate::run::ledger::read(&at("all/ledger.jsonl")).unwrap();
    let mut alignments: Vec<f64> = lines.iter().filter_map(|l| l.measures.alignment).collect();
    let half = crate::direction::quantile(&mut alignments, 0.5);
    for (first, then) in [((4, half), (4, -1e6)), ((9, -1e6), (2, -1e6))] {
        let name = format!("{first:?}");
        drop(whole(
            &with(dir.path(), first.0, first.1, false),
            &at(&name),
        ));
        let settings = with(dir.path(), then.0, then.1, false);
        copy(&at(&name), &at("decided"));
        drop(whole(&settings, &at(&name)));
        drop(whole(&settings, &at("fresh")));
        assert_same(&but_measured(&at(&name)), &but_measured(&at("fresh")));
        let lines = |name: &str| -> Vec<String> {
            let text = fs::read_to_string(at(name).join("ledger.jsonl")).unwrap();
            text.lines().map(str::to_owned).collect()
        };
        let (more, fewer) = (lines(&name), lines("fresh"));
        assert!(more.len() > fewer.len());
        let kept = more.iter().filter(|line| fewer.contains(line));
        assert!(
            kept.eq(&fewer),
            "what is there too stands in the same order"
        );
        // Without a model, the same bytes, the ledger's among them.
        decided(&at("decided"), change(then.0, then.1)).unwrap();
        assert_same(&results(&at("decided")), &results(&at(&name)));
        for folder in [&*name, "fresh", "decided"] {
            fs::remove_dir_all(at(folder)).unwrap();
        }
    }
}

#[test]
fn images_kept_where_none_were_say_which_clip_judged_them() {
    let dir = tempfile::tempdir().unwrap();
    draw(dir.path());
    let at = |name: &str| dir.path().join(name);
    drop(whole(&with(dir.path(), 2, 1e6, false), &at("none")));
    decided(&at("none"), change(2, -1e6)).unwrap();
    drop(whole(&with(dir.path(), 2, -1e6, false), &at("fresh")));
    assert_same(&but_measured(&at("none")), &but_measured(&at("fresh")));
}

#[test]
fn now_is_the_threshold_that_the_run_is_decided_by() {
    let dir = tempfile::tempdir().unwrap();
    draw(dir.path());
    let out = dir.path().join("run");
    drop(whole(&with(dir.path(), 3, -1e6, false), &out));
    let before = results(&out);
    let show = |change: Change| {
        let mut recorder = Recorder::default();
        let mut context = Context::new(&mut recorder);
        thresholds(&mut context, &Layout::new(&out), change).unwrap()
    };
    let asked = Change {
        min_alignment: Some(MinAlignment::At(1e5)),
        ..Change::default()
    };
    let modes = show(asked);
    assert_eq!(modes.len(), 2);
    for mode in modes {
        let of = |is: &dyn Fn(&crate::pipeline::redecide::AtThreshold) -> bool| -> Vec<f64> {
            let rows = mode.rows.iter().filter(|row| is(row));
            rows.map(|row| row.alignment).collect()
        };
        assert_eq!(of(&|row| row.present), [-1e6]);
        assert_eq!(of(&|row| row.asked), [1e5]);
        let now = mode.rows.iter().find(|row| row.present).unwrap();
        assert_eq!((now.kept, now.met, now.pool), (3, true, None));
        let asked = mode.rows.iter().find(|row| row.asked).unwrap();
        assert_eq!((asked.kept, asked.met), (0, false));
    }
    assert_same(&results(&out), &before);
}

#[test]
fn what_the_pool_gives_counts_towards_the_quota_that_is_shown() {
    let dir = tempfile::tempdir().unwrap();
    draw(dir.path());
    let out = dir.path().join("run");
    drop(whole(&with(dir.path(), 3, -1e6, true), &out));
    let before = results(&out);
    let mut recorder = Recorder::default();
    let mut context = Context::new(&mut recorder);
    let modes = thresholds(&mut context, &Layout::new(&out), Change::default()).unwrap();
    assert_eq!(modes.len(), 2, "also where the pool meets the quota");
    for mode in modes {
        let now = mode.rows.iter().find(|row| row.present).unwrap();
        assert_eq!((now.pool, now.kept, now.met), (Some(3), 0, true));
    }
    assert_same(&results(&out), &before);
}

#[test]
fn what_cannot_be_written_whole_is_not_begun() {
    let dir = tempfile::tempdir().unwrap();
    draw(dir.path());
    let out = dir.path().join("run");
    drop(whole(&with(dir.path(), 3, -1e6, false), &out));
    let layout = Layout::new(&out);
    for path in [layout.summary(), layout.report()] {
        let sound = fs::read_to_string(&path).unwrap();
        let schema = "\"schema\": ";
        fs::write(&path, sound.replacen(schema, "\"schema\": 9", 1)).unwrap();
        let before = results(&out);
        let error = decided(&out, change(1, -1e6)).unwrap_err();
        assert!(error.to_string().contains("schema 9"), "{error:#}");
        assert_same(&results(&out), &before);
        fs::write(&path, sound).unwrap();
    }
    let margin = Change {
        class_margin: Some(5.0),
        ..Change::default()
    };
    let before = results(&out);
    let error = decided(&out, margin).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
    assert!(error.to_string().contains("class_margin"), "{error:#}");
    assert_same(&results(&out), &before);
    fs::remove_file(layout.summary()).unwrap();
    let before = results(&out);
    let error = decided(&out, change(1, -1e6)).unwrap_err();
    assert!(error.to_string().contains("has not ended"), "{error:#}");
    assert_same(&results(&out), &before);
}

#[test]
#[cfg(unix)]
fn nothing_behind_a_link_is_taken_away() {
    let dir = tempfile::tempdir().unwrap();
    draw(dir.path());
    let out = dir.path().join("run");
    drop(whole(&with(dir.path(), 3, -1e6, false), &out));
    let class = fs::read_dir(out.join("images")).unwrap().next();
    let class = class.unwrap().unwrap().path();
    for folder in [class, out.join("images")] {
        let elsewhere = dir.path().join("elsewhere");
        fs::rename(&folder, &elsewhere).unwrap();
        std::os::unix::fs::symlink(&elsewhere, &folder).unwrap();
        let before = (results(&out), results(&elsewhere));
        let error = decided(&out, change(1, -1e6)).unwrap_err();
        assert!(
            format!("{error:#}").contains("remove the link"),
            "{error:#}"
        );
        assert_same(&results(&out), &before.0);
        assert_same(&results(&elsewhere), &before.1);
        fs::remove_file(&folder).unwrap();
        fs::rename(&elsewhere, &folder).unwrap();
    }
}

#[test]
fn the_calibrated_threshold_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    draw(dir.path());
    let out = dir.path().join("run");
    let mut own: Settings = (*settings(dir.path(), 3)).clone();
    own.filter.min_alignment = None;
    drop(whole(&own.check().unwrap(), &out));
    let before = but_measured(&out);
    decided(&out, change(3, -1e6)).unwrap();
    assert!(but_measured(&out) != before);
    let calibrated = Change {
        min_alignment: Some(MinAlignment::Calibrated),
        ..Change::default()
    };
    decided(&out, calibrated).unwrap();
    assert_same(&but_measured(&out), &before);
}
