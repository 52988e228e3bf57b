//! `hardlight evaluate`: what it says of two models, and what it refuses.

use std::fmt::Write as _;
use std::fs;

use crate::common::{FACES, Hardlight, Ran, Work, files};
use hardlight::dataset::Split;
use hardlight::direction::evaluate::{ModeChange, Slice, SliceKind, Verdict};
use hardlight::report::{DetectionReport, EvaluationReport, JsonFile as _};
use hardlight::world::splits::SplitSizes;

/// The small world after `hardlight detect`, with groups in a table of `before.csv`.
fn detected() -> Work {
    detected_in(Work::with_world())
}

/// The same with enough test images above the threshold to tell a mended failure from chance in either class.
fn detected_with_a_large_test() -> Work {
    detected_in(Work::with_world_of(&SplitSizes { test: 140, ..FACES }))
}

fn detected_in(work: Work) -> Work {
    work.on_world("detect", "out").clip().run().exits(0);
    write_predictions(&work, "before.csv", |_, _, wrong| wrong);
    work
}

/// The analysed model's predictions with groups, but for what `wrong` says of (group is the
/// minority, split, wrong before).
pub(crate) fn write_predictions(work: &Work, name: &str, wrong: impl Fn(bool, &str, bool) -> bool) {
    let mut said = csv::Reader::from_path(work.path("predictions.csv")).unwrap();
    let said: std::collections::BTreeMap<String, String> = said
        .records()
        .map(|record| {
            let record = record.unwrap();
            (record[0].to_owned(), record[1].to_owned())
        })
        .collect();
    let mut truth = csv::Reader::from_path(work.path("truth.csv")).unwrap();
    let mut text = "path,prediction,group\n".to_owned();
    for record in truth.records() {
        let record = record.unwrap();
        let (path, label, split, group) = (&record[0], &record[1], &record[2], &record[3]);
        let Some(before) = said.get(path) else {
            continue;
        };
        let minority = matches!((label, group), ("old", "woman") | ("young", "man"));
        let is_wrong = wrong(minority, split, before != label);
        let other = if label == "old" { "young" } else { "old" };
        let says = if is_wrong { other } else { label };
        writeln!(text, "{path},{says},{group}").unwrap();
    }
    work.write(name, text);
}

fn evaluate(work: &Work, after: &str) -> Hardlight {
    work.hardlight(["evaluate", "out"])
        .args(["--before", "before.csv", "--after", after])
}

fn figures(work: &Work) -> EvaluationReport {
    EvaluationReport::read(&work.path("out/evaluate.json")).unwrap()
}

fn slices(class: &ModeChange, part: SliceKind) -> Vec<&Slice> {
    let all = class.slices.iter();
    all.filter(|slice| slice.part == part).collect()
}

fn refused(ran: Ran, parts: &[&str]) {
    ran.exits(3).complains(parts);
}

#[test]
fn deciles_of_the_old_model_are_those_of_the_report() {
    let work = detected();
    evaluate(&work, "before.csv").run().exits(0);
    let figures = figures(&work);
    let report = DetectionReport::read(&work.path("out/report.json")).unwrap();
    assert_eq!(report.judged_on, Split::Test);
    assert_eq!((figures.classes.len(), report.classes.len()), (2, 2));
    for (class, reported) in figures.classes.iter().zip(&report.classes) {
        assert_eq!(class.class, reported.mode.class);
        assert_eq!(class.class_index, reported.mode.class_index);
        assert_eq!(class.verdict, Verdict::Undecided);
        let accuracy: Vec<f64> = slices(class, SliceKind::Decile)
            .iter()
            .map(|slice| {
                assert_eq!((slice.mended, slice.new), (0.0, 0.0));
                1.0 - slice.wrong_before / slice.examples as f64
            })
            .collect();
        assert_eq!(accuracy, reported.judged.figures.decile_accuracy);
        // The failure slice holds what is at or above the threshold, and only that.
        let heads = [
            &reported.most_aligned_mistakes,
            &reported.most_aligned_right,
        ];
        let [wrong, right] = heads.map(|ranked| {
            let within = ranked.iter().filter(|r| r.alignment >= reported.threshold);
            within.count()
        });
        let failure = slices(class, SliceKind::Failure)[0];
        assert_eq!(failure.examples, wrong + right);
        assert_eq!(failure.wrong_before, wrong as f64);
    }
}

#[test]
fn a_mended_failure_and_its_cost_are_told_apart() {
    let work = detected_with_a_large_test();
    // The new model gets the minority right, and a model that is worse everywhere shows as that.
    write_predictions(&work, "after.csv", |minority, _, wrong| wrong && !minority);
    let ran = evaluate(&work, "after.csv").run().exits(0);
    ran.says(&[
        "change (95 % interval)",
        "old: between these two models the failure shrank: of its ",
        "young: between these two models the failure shrank: of its ",
        "figures  out/evaluate.json",
    ]);
    let mended = figures(&work);
    for class in &mended.classes {
        assert_eq!(class.verdict, Verdict::Shrank, "{class:#?}");
        let failure = slices(class, SliceKind::Failure)[0];
        let (_, high) = failure.interval.unwrap();
        assert!(high < 0.0 && failure.p_value < 0.05);
        let minority = if class.class == "old" { "woman" } else { "man" };
        for group in slices(class, SliceKind::Group) {
            let whole = group.name.as_deref() == Some(minority);
            assert_eq!(group.mended > 0.0, whole, "{group:#?}");
            assert_eq!(group.new, 0.0);
        }
    }
    write_predictions(&work, "after.csv", |_, _, _| true);
    let ran = evaluate(&work, "after.csv").run().exits(0);
    ran.says(&[
        "; it cost: errors changed by +",
        "others of its class (+",
        "of other classes outside their failures (+",
    ]);
}

#[test]
fn the_same_question_gives_the_same_bytes_and_touches_nothing_else() {
    let work = detected();
    let before = files(&work.path("out"));
    let ask = || {
        let ran = evaluate(&work, "before.csv").args(["--json", "figures.json"]);
        ran.run().exits(0).says(&["figures  figures.json"]);
        fs::read(work.path("figures.json")).unwrap()
    };
    assert_eq!(ask(), ask());
    assert!(before == files(&work.path("out")), "the run folder changed");
}

#[test]
fn a_model_that_was_not_judged_on_all_of_test_is_refused() {
    let work = detected();
    let text = fs::read_to_string(work.path("before.csv")).unwrap();
    let first = text.lines().find(|line| line.starts_with("test/")).unwrap();
    work.write("short.csv", text.replace(&format!("{first}\n"), ""));
    refused(
        evaluate(&work, "short.csv").run(),
        &["short.csv has no prediction for 1 of the 60 test examples, the first is \"test/"],
    );
    // Val is not asked for.
    let of_test: Vec<&str> = text
        .lines()
        .filter(|line| !line.starts_with("val/"))
        .collect();
    work.write("test.csv", of_test.join("\n"));
    evaluate(&work, "test.csv").run().exits(0);
    work.write("none.csv", "path,prediction\n");
    let ran = evaluate(&work, "none.csv").run();
    refused(ran, &["none.csv"]);
    assert!(work.path("out/evaluate.json").exists());
}

/// A run whose own table has predictions: they are not the new model's.
#[test]
fn a_missing_row_is_not_filled_from_the_runs_table() {
    let work = Work::with_world();
    write_predictions(&work, "before.csv", |_, _, wrong| wrong);
    let said = fs::read_to_string(work.path("before.csv")).unwrap();
    let mut table = "path,label,split,prediction,group\n".to_owned();
    for line in said.lines().skip(1) {
        let cells: Vec<&str> = line.split(',').collect();
        let parts: Vec<&str> = cells[0].split('/').collect();
        writeln!(
            table,
            "{},{},{},{},{}",
            cells[0], parts[1], parts[0], cells[1], cells[2]
        )
        .unwrap();
    }
    work.write("faces/table.csv", table);
    work.hardlight(["detect", "--out", "out", "--table", "faces/table.csv"])
        .args(["--device", "cpu", "--force"])
        .args([
            "--set",
            "direction.permutations=19",
            "--set",
            "direction.bootstrap=0",
        ])
        .clip()
        .run()
        .exits(0);
    evaluate(&work, "before.csv").run().exits(0);
    let first = said.lines().find(|line| line.starts_with("test/")).unwrap();
    work.write("short.csv", said.replace(&format!("{first}\n"), ""));
    refused(
        evaluate(&work, "short.csv").run(),
        &["short.csv has no prediction for 1 of the 60 test examples"],
    );
}

#[test]
fn one_file_given_twice_is_warned_of_and_groups_must_agree() {
    let work = detected_with_a_large_test();
    let ran = evaluate(&work, "before.csv").run().exits(0);
    let warning = "warning: before.csv and before.csv predict the same for every test example";
    assert!(ran.stderr.contains(warning), "{ran}");
    write_predictions(&work, "after.csv", |minority, _, wrong| wrong && !minority);
    let ran = evaluate(&work, "after.csv").run().exits(0);
    assert!(!ran.stderr.contains("predict the same"), "{ran}");
    let text = fs::read_to_string(work.path("after.csv")).unwrap();
    let first = text.lines().find(|line| line.starts_with("test/")).unwrap();
    let (rest, _) = first.rsplit_once(',').unwrap();
    work.write("after.csv", text.replace(first, &format!("{rest},child")));
    refused(
        evaluate(&work, "after.csv").run(),
        &["is of group", "in before.csv and of \"child\" in after.csv"],
    );
    // Without groups there are none, and the rest is as before.
    for name in ["before.csv", "after.csv"] {
        let text = fs::read_to_string(work.path(name)).unwrap();
        let cut: Vec<&str> = text
            .lines()
            .map(|line| line.rsplit_once(',').unwrap().0)
            .collect();
        work.write(name, cut.join("\n"));
    }
    evaluate(&work, "after.csv").run().exits(0);
    for class in &figures(&work).classes {
        assert_eq!(class.verdict, Verdict::Shrank);
        assert_eq!(slices(class, SliceKind::Group).len(), 0);
        assert_eq!(slices(class, SliceKind::Decile).len(), 10);
    }
}

#[test]
fn what_does_not_fit_the_run_is_refused() {
    let work = detected();
    let ran = work.hardlight(["evaluate", "faces"]);
    let ran = ran.args(["--before", "before.csv", "--after", "before.csv"]);
    refused(ran.run(), &["faces is no run folder: it holds no run.json"]);
    fs::copy(
        work.path("faces/test/old/00000.png"),
        work.path("faces/test/old/99999.png"),
    )
    .unwrap();
    refused(
        evaluate(&work, "before.csv").run(),
        &["the data changed since the run, so run it again"],
    );
    let report = fs::read_to_string(work.path("out/report.json")).unwrap();
    let of_then = report.replacen("\"schema\": 3", "\"schema\": 1", 1);
    work.write("out/report.json", of_then);
    refused(
        evaluate(&work, "before.csv").run(),
        &[
            "out/report.json is a detection report of schema 1, made by hardlight ",
            "run `hardlight detect` or `run` on the folder again, or use that version",
        ],
    );
    fs::remove_file(work.path("out/directions.safetensors")).unwrap();
    refused(
        evaluate(&work, "before.csv").run(),
        &["out holds no directions"],
    );
    assert!(!work.path("out/evaluate.json").exists());
}

#[test]
fn a_run_and_its_data_may_be_moved_together() {
    let work = detected();
    evaluate(&work, "before.csv").run().exits(0);
    let here = figures(&work);
    fs::create_dir(work.path("elsewhere")).unwrap();
    for name in ["out", "faces"] {
        fs::rename(work.path(name), work.path("elsewhere").join(name)).unwrap();
    }
    work.hardlight(["evaluate", "elsewhere/out"])
        .args(["--before", "before.csv", "--after", "before.csv"])
        .args(["--json", "out.json"])
        .run()
        .exits(0);
    let there = EvaluationReport::read(&work.path("out.json")).unwrap();
    assert_eq!(here, there);
}

#[test]
fn several_trainings_are_compared_and_swapped_tables_are_noticed() {
    let work = detected();
    write_predictions(&work, "after.csv", |minority, _, wrong| wrong && !minority);
    let ran = work
        .hardlight(["evaluate", "out"])
        .args([
            "--before",
            "before.csv",
            "--after",
            "after.csv",
            "before.csv",
        ])
        .run()
        .exits(0);
    ran.says(&["(1 model before, 2 models after)"]);
    let several = figures(&work);
    assert_eq!(several.after, ["after.csv", "before.csv"]);
    let failure = slices(&several.classes[0], SliceKind::Failure)[0];
    assert!(failure.between_models.is_some_and(|sd| sd > 0.0));
    let swapped = work
        .hardlight(["evaluate", "out"])
        .args(["--before", "after.csv", "--after", "before.csv"])
        .run()
        .exits(0);
    let says = "warning: before.csv has the predictions that the run analysed, and after.csv has others: are --before and \
                --after swapped?";
    assert!(swapped.stderr.contains(says), "{swapped}");
    write_predictions(&work, "other.csv", |minority, _, wrong| wrong || minority);
    let other = work
        .hardlight(["evaluate", "out"])
        .args(["--before", "other.csv", "--after", "after.csv"])
        .run()
        .exits(0);
    let says = "other.csv does not have the predictions that the run analysed";
    assert!(other.stderr.contains(says), "{other}");
}
