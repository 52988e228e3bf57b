//! Images that were not in a run, by what it learned.

use super::*;
use crate::direction::persist;
use crate::pipeline::score::{Scored, score};

fn scored(out: &Path, images: &[PathBuf], class: Option<&str>) -> Result<Vec<Scored>, Error> {
    let mut recorder = Recorder::default();
    score(
        &mut Context::new(&mut recorder),
        out,
        images,
        class,
        &ColourEncoder,
    )
}

/// A run that only detected.
fn detected() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    draw(dir.path());
    let out = dir.path().join("run");
    let mut recorder = Recorder::default();
    let mut context = Context::new(&mut recorder);
    drop(
        work(
            &mut context,
            &settings(dir.path(), 2),
            &out,
            Until::Directions,
        )
        .unwrap(),
    );
    (dir, out)
}

#[test]
fn new_images_get_what_the_report_says_of_known_ones() {
    let (dir, out) = detected();
    let report = crate::report::DetectionReport::read(&out.join("report.json")).unwrap();
    let folder = dir.path().join("squares/test/boat");
    let all = scored(&out, std::slice::from_ref(&folder), None).unwrap();
    assert_eq!(all.len(), 20);
    assert!(all.iter().all(|s| s.class == "boat" && s.mode == Some(0)));
    let hardest = &report.classes[0].most_aligned_mistakes[0];
    let same = all
        .iter()
        .find(|s| s.path.ends_with(&hardest.path))
        .unwrap();
    assert!((same.alignment.unwrap() - hardest.alignment).abs() < 1e-9);
    assert_eq!(
        same.failure_probability.is_some(),
        hardest.failure_probability.is_some()
    );
    assert_eq!(same.threshold, Some(report.classes[0].threshold));
    let found = persist::read(&out).unwrap().directions;
    for one in &all {
        let alignment = one.alignment.unwrap();
        assert_eq!(one.in_failure, Some(alignment >= found[0].threshold));
        assert_eq!(
            one.failure_probability,
            found[0].failure_probability(alignment)
        );
        assert_eq!(one.finding, found[0].is_finding());
    }
    // Red boats are mistaken, blue ones are not.
    let of = |name: &str| all.iter().find(|s| s.path.ends_with(name)).unwrap();
    assert!(of("02.png").alignment > of("03.png").alignment);
    assert!(of("02.png").failure_probability > of("03.png").failure_probability);
    let table = Scored::csv(&all[..2]).unwrap();
    assert!(
        table.starts_with(
            "path,class,mode,alignment,failure_probability,threshold,in_failure,finding\n"
        ),
        "{table}"
    );
    assert_eq!(table.lines().count(), 3);
}

#[test]
fn an_image_is_scored_for_its_class_or_for_all() {
    let (dir, out) = detected();
    let image = dir.path().join("02.png");
    fs::copy(dir.path().join("squares/test/boat/02.png"), &image).unwrap();
    let of = |class| scored(&out, std::slice::from_ref(&image), class);
    let all = of(None).unwrap();
    let classes: Vec<&str> = all.iter().map(|s| s.class.as_str()).collect();
    assert_eq!(classes, ["boat", "car"]);
    assert_eq!(of(Some("car")).unwrap(), all[1..]);
    let error = of(Some("cat")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
    assert!(error.to_string().contains("[\"boat\", \"car\"]"), "{error}");
}

#[test]
fn what_cannot_be_scored_is_named() {
    let (dir, out) = detected();
    let fails = |images: &[PathBuf], says: &str| {
        let error = scored(&out, images, None).unwrap_err();
        assert!(format!("{error:#}").contains(says), "{error:#}");
    };
    let text = dir.path().join("predictions.csv");
    fails(&[text], "predictions.csv");
    fails(&[dir.path().join("none.png")], "none.png");
    fs::create_dir(dir.path().join("empty")).unwrap();
    fails(&[dir.path().join("empty")], "there is no image below");
    let other = scored(dir.path(), &[], None).unwrap_err();
    assert!(other.to_string().contains("no run folder"), "{other}");
}

/// Alignments of earlier versions were on another scale: nothing of such a folder is taken for one of this.
#[test]
fn a_folder_of_an_earlier_version_is_refused_with_what_to_do() {
    let (dir, out) = detected();
    let image = dir.path().join("squares/test/boat/02.png");
    for (name, remedy) in [
        ("run.json", "start anew with --force-new"),
        (
            "report.json",
            "run `hardlight detect` or `run` on the folder again",
        ),
        ("directions.json", "run `hardlight detect` again"),
    ] {
        let path = out.join(name);
        let text = fs::read_to_string(&path).unwrap();
        let earlier = text.replacen("\"schema\": 3", "\"schema\": 2", 1);
        assert_ne!(text, earlier);
        fs::write(&path, earlier).unwrap();
        let error = scored(&out, std::slice::from_ref(&image), None).unwrap_err();
        let says = format!("{error:#}");
        assert_eq!(error.kind(), ErrorKind::Input);
        assert!(
            says.contains("of schema 2") && says.contains(remedy),
            "{says}"
        );
        fs::write(&path, text).unwrap();
    }
    // The command that made it says so too.
    let record = out.join("run.json");
    let text = fs::read_to_string(&record).unwrap();
    fs::write(&record, text.replacen("\"schema\": 3", "\"schema\": 2", 1)).unwrap();
    let mut recorder = Recorder::default();
    let again = work(
        &mut Context::new(&mut recorder),
        &settings(dir.path(), 2),
        &out,
        Until::Directions,
    );
    let says = format!("{:#}", again.err().unwrap());
    assert!(
        says.contains("of schema 2") && says.contains("--force-new"),
        "{says}"
    );
}
