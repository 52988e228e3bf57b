//! A whole run on stand-ins: stages, resume and quota in milliseconds, without a model.

mod again;
mod modes;
mod scored;
mod starts;
mod verified;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use image::{Rgb, RgbImage};

use super::models::Generator;
use super::settings::{CheckedSettings, Settings};
use super::{Context, Error, Finished, Models, Recorder, Target, Until, data, outputs, run_with};
use crate::io::ErrorKind;
use crate::manifest::{self, Row};
use crate::report::JsonFile as _;
use crate::world::stand_in::{ColourEncoder, Painter};

/// Red and blue squares of two classes, and a classifier that mistakes most of the red ones.
fn draw(dir: &Path) {
    let mut table = "path,prediction\n".to_owned();
    for (split, count) in [("train", 8), ("val", 40), ("test", 20), ("pool", 24)] {
        for (class, other) in [("boat", "car"), ("car", "boat")] {
            let folder = dir.join("squares").join(split).join(class);
            fs::create_dir_all(&folder).unwrap();
            for at in 0..count {
                let (red, light) = (at % 2 == 0, (at * 7 % 40) as u8);
                let tint = if red { [190, 30, 30] } else { [30, 30, 190] };
                let noise = |x: u32, y: u32| ((x * 5 + y * 3 + at) % 11) as u8;
                // Specks make every image of the pool another than all that are known.
                let key = at + if class == "boat" { 0 } else { count };
                let speck = |x: u32, y: u32| {
                    let place = x / 2 * (key * 7 + 1) + y / 2 * (key * key + 3);
                    u8::from(split == "pool" && place % 97 < 40) * 30
                };
                let image = RgbImage::from_fn(16, 16, |x, y| {
                    let level = |level: u8| level + light + noise(x, y) - speck(x, y);
                    Rgb(tint.map(level))
                });
                image.save(folder.join(format!("{at:02}.png"))).unwrap();
                let said = if red && at % 10 != 0 { other } else { class };
                if split == "val" || split == "test" {
                    writeln!(table, "{split}/{class}/{at:02}.png,{said}").unwrap();
                }
            }
        }
    }
    fs::write(dir.join("predictions.csv"), table).unwrap();
    let captions = "a red {class}\na blue {class}\na green {class}\n";
    fs::write(dir.join("captions.txt"), captions).unwrap();
}

fn settings(dir: &Path, quota: usize) -> CheckedSettings {
    let mut settings = Settings::default();
    settings.data.root = Some(dir.join("squares"));
    settings.data.predictions = Some(dir.join("predictions.csv"));
    settings.embed.clip = Some("a stand-in".into());
    settings.direction.permutations = 19;
    settings.direction.bootstrap = 0;
    settings.captions.grammar = dir.join("captions.txt").display().to_string();
    settings.captions.per_class = 1;
    settings.generate.quota = quota;
    settings.generate.force = true;
    settings.filter.min_alignment = Some(-1e6);
    settings.filter.class_margin = -2.0;
    settings.check().unwrap()
}

fn work(
    context: &mut Context<'_>,
    settings: &CheckedSettings,
    out: &Path,
    until: Until,
) -> Result<Finished, Error> {
    let data = data::open(context, settings)?;
    let mut models = Models {
        clip: Some(Box::new(ColourEncoder)),
        generator: Some(Generator {
            images: Box::new(Painter::new(16, 3)),
            safety: None,
        }),
        ..Models::default()
    };
    run_with(context, settings, Target::at(out), until, data, &mut models)
}

/// What a run leaves, by its path below the folder, but for what depends on the clock.
fn results(out: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![out.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(out).unwrap().to_owned();
                found.insert(name, fs::read(path).unwrap());
            }
        }
    }
    for name in [".lock", "run.log"] {
        found.remove(Path::new(name));
    }
    if let Some(summary) = found.get_mut(Path::new("summary.json")) {
        let mut json: serde_json::Value = serde_json::from_slice(summary).unwrap();
        json.as_object_mut().unwrap().remove("seconds").unwrap();
        *summary = json.to_string().into_bytes();
    }
    found
}

/// Fails naming the files that differ.
#[track_caller]
fn assert_same(a: &BTreeMap<PathBuf, Vec<u8>>, b: &BTreeMap<PathBuf, Vec<u8>>) {
    let names: BTreeSet<_> = a.keys().chain(b.keys()).collect();
    let differ: Vec<_> = names.iter().filter(|n| a.get(**n) != b.get(**n)).collect();
    assert!(differ.is_empty() && !a.is_empty(), "{differ:#?}");
}

/// A whole run with its summary, as the command makes it.
fn whole(settings: &CheckedSettings, out: &Path) -> Finished {
    let mut recorder = Recorder::default();
    let mut context = Context::new(&mut recorder);
    let finished = work(&mut context, settings, out, Until::Manifest).unwrap();
    let summary = finished.folder.layout().summary();
    outputs::summary(&finished).write(&summary).unwrap();
    finished
}

/// The generated rows of a manifest.
fn synthetic(finished: &Finished) -> Vec<Row> {
    let folder = finished.folder.layout().manifest_dir();
    let rows = manifest::read_jsonl(&folder.join("train.jsonl")).unwrap();
    rows.into_iter()
        .filter(|row| row.caption.is_some())
        .collect()
}

#[test]
fn a_run_goes_from_images_and_predictions_to_a_manifest() {
    let dir = tempfile::tempdir().unwrap();
    draw(dir.path());
    let mut recorder = Recorder::default();
    let mut context = Context::new(&mut recorder);
    let (settings, out) = (settings(dir.path(), 4), dir.path().join("run"));
    let finished = work(&mut context, &settings, &out, Until::Manifest).unwrap();

    assert!(finished.complete);
    let rows = synthetic(&finished);
    assert_eq!(rows.len(), 8);
    for row in &rows {
        assert_eq!(
            row.caption.as_deref(),
            Some(&*format!("a red {}", row.class))
        );
    }
    assert!(recorder.stages().iter().all(|stage| stage.ended));
    let names: Vec<&str> = recorder.stages().iter().map(|s| s.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "embed train",
            "embed val",
            "embed test",
            "captions",
            "images"
        ]
    );
}

#[test]
fn a_run_that_only_detects_draws_nothing() {
    let dir = tempfile::tempdir().unwrap();
    draw(dir.path());
    let mut recorder = Recorder::default();
    let mut context = Context::new(&mut recorder);
    let (settings, out) = (settings(dir.path(), 4), dir.path().join("run"));
    let finished = work(&mut context, &settings, &out, Until::Directions).unwrap();

    assert!(finished.captioned.is_none() && finished.decided.is_none());
    assert_eq!(finished.detected.fitted.directions.len(), 2);
    assert!(!finished.folder.layout().manifest_dir().exists());
}

#[test]
fn a_run_stopped_anywhere_ends_as_one_that_was_not() {
    let dir = tempfile::tempdir().unwrap();
    draw(dir.path());
    let settings = settings(dir.path(), 4);
    let run = |name: &str, patience: usize| {
        let asked = AtomicUsize::new(0);
        let stop = || asked.fetch_add(1, Ordering::Relaxed) >= patience;
        let mut recorder = Recorder::default();
        let mut context = Context::stopped_by(&mut recorder, &stop);
        work(
            &mut context,
            &settings,
            &dir.path().join(name),
            Until::Manifest,
        )
    };
    let whole = run("whole", usize::MAX).unwrap();
    let mut stops = 0;
    let broken = loop {
        match run("broken", 1 + stops) {
            Ok(finished) => break finished,
            Err(error) => assert_eq!(error.kind(), ErrorKind::Stopped, "{error:#}"),
        }
        stops += 1;
    };
    assert!(stops > 2, "stopped {stops} times");
    assert_eq!(synthetic(&broken), synthetic(&whole));
}

#[test]
fn a_larger_quota_goes_on_and_ends_as_a_fresh_run() {
    let dir = tempfile::tempdir().unwrap();
    draw(dir.path());
    let run = |name: &str, quota: usize| {
        let settings = settings(dir.path(), quota);
        let mut recorder = Recorder::default();
        let mut context = Context::new(&mut recorder);
        work(
            &mut context,
            &settings,
            &dir.path().join(name),
            Until::Manifest,
        )
        .unwrap()
    };
    let few = synthetic(&run("grown", 2));
    let grown = synthetic(&run("grown", 5));
    assert_eq!((few.len(), grown.len()), (4, 10));
    assert_eq!(grown, synthetic(&run("fresh", 5)));
}

#[test]
fn what_the_user_says_belongs_together_is_one_unit() {
    let dir = tempfile::tempdir().unwrap();
    draw(dir.path());
    let table = dir.path().join("predictions.csv");
    let said = fs::read_to_string(&table).unwrap();
    let mut with_units = "path,prediction,unit\n".to_owned();
    for line in said.lines().skip(1) {
        let (path, _) = line.split_once(',').unwrap();
        let at: usize = path[path.len() - 6..path.len() - 4].parse().unwrap();
        // Videos of eight images; the last eight of a class stand alone.
        let unit = match at / 8 {
            4 => String::new(),
            video => format!("video {video}"),
        };
        writeln!(with_units, "{line},{unit}").unwrap();
    }
    let units = |table: &str, name: &str| {
        fs::write(dir.path().join("predictions.csv"), table).unwrap();
        let mut recorder = Recorder::default();
        let out = dir.path().join(name);
        let settings = settings(dir.path(), 1);
        let mut context = Context::new(&mut recorder);
        let done = work(&mut context, &settings, &out, Until::Directions).unwrap();
        let modes = done.detected.report.classes.iter();
        modes.map(|entry| entry.mode.val_units).collect::<Vec<_>>()
    };
    assert_eq!(units(&said, "alone"), [40, 40]);
    assert_eq!(units(&with_units, "videos"), [12, 12]);
}
