//! A user's own folder of images and table of predictions, from directions to the manifest: what the
//! README's second example promises.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex, Weak};

use crate::common::{
    FACES, Hardlight, Ran, Work, assert_same, copy, decisions, files, lines, results, shared,
};
use arrow::util::display::array_value_to_string;
use hardlight::io::sha256_hex;
use hardlight::manifest::{COLUMNS, ColumnType};
use hardlight::world::splits::SplitSizes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;

/// Images to keep per failure mode.
const QUOTA: usize = 5;

/// A finished run, for tests that look at it; who changes something copies it first.
struct Finished {
    work: Work,
    ran: Ran,
}

/// Its folder.
const OUT: &str = "runs/faces";

impl Finished {
    fn get() -> Arc<Self> {
        static ONE: Mutex<Weak<Finished>> = Mutex::new(Weak::new());
        shared(&ONE, || {
            let work = Work::with_world();
            let ran = command(&work, OUT).run().exits(0);
            Self { work, ran }
        })
    }

    fn summary(&self) -> Value {
        json(&self.work.path(OUT).join("summary.json"))
    }

    fn rows(&self) -> Vec<Value> {
        jsonl(&self.work.path(OUT).join("manifest/train.jsonl"))
    }

    /// A kept image, relative to the run folder.
    fn kept_image(&self) -> String {
        let mut names = files(&self.work.path(OUT)).into_keys();
        names.find(|name| name.starts_with("images/")).unwrap()
    }

    /// A copy of the run at the same distance from the data.
    fn copied(&self, name: &str) -> String {
        let out = format!("runs/{name}");
        copy(&self.work.path(OUT), &self.work.path(&out));
        out
    }
}

fn command(work: &Work, out: &str) -> Hardlight {
    work.on_world("run", out)
        .clip()
        .model()
        .args(["--grammar", "world"])
        .args(["--steps", "4", "--guidance", "3", "--batch", "3"])
        .args(["--quota", &QUOTA.to_string(), "--budget", "24"])
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

fn jsonl(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap();
    text.lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect()
}

/// A Parquet file as texts by column; none where there is no value.
fn parquet(path: &Path) -> Vec<BTreeMap<String, Option<String>>> {
    let file = fs::File::open(path).unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
    let mut rows = Vec::new();
    for batch in reader.build().unwrap() {
        let batch = batch.unwrap();
        for row in 0..batch.num_rows() {
            let cell = |(at, field): (usize, &Arc<arrow::datatypes::Field>)| {
                let column = batch.column(at);
                let value =
                    (!column.is_null(row)).then(|| array_value_to_string(column, row).unwrap());
                (field.name().clone(), value)
            };
            rows.push(
                batch
                    .schema()
                    .fields()
                    .iter()
                    .enumerate()
                    .map(cell)
                    .collect(),
            );
        }
    }
    rows
}

fn strings(rows: &[Value], key: &str) -> Vec<String> {
    let text = |row: &Value| row[key].as_str().unwrap().to_owned();
    rows.iter().map(text).collect()
}

fn classes(summary: &Value) -> &Vec<Value> {
    summary["classes"].as_array().unwrap()
}

#[test]
fn directions_and_captions_name_the_planted_failure() {
    let finished = Finished::get();
    let summary = finished.summary();
    let said: Vec<(&str, &str)> = classes(&summary)
        .iter()
        .map(|class| {
            let top = &class["top_captions"][0]["caption"];
            (class["class"].as_str().unwrap(), top.as_str().unwrap())
        })
        .collect();
    // Predictions are wrong for most old women and young men.
    assert!(
        matches!(said[..], [("old", old), ("young", young)]
            if old.contains(" woman") && young.contains(" man")),
        "{said:?}"
    );
}

#[test]
fn the_summary_has_what_a_script_needs() {
    let finished = Finished::get();
    let summary = finished.summary();
    let entries = decisions(&finished.work.path(OUT));
    for class in classes(&summary) {
        let name = class["class"].as_str().unwrap();
        let of = |status: &str| {
            let own = entries
                .iter()
                .filter(|e| e["class"] == name && e["mode"] == class["mode"]);
            own.filter(|e| status.is_empty() || e["status"] == status)
                .count() as u64
        };
        assert_eq!(class["mode"].as_u64(), Some(0));
        let cv = class["cv_score"].as_f64().unwrap();
        assert!(cv > 0.6 && cv <= 1.0, "{class:#}");
        // Twenty permutations a test, and two tests in each of two classes, allow nothing smaller.
        let p = class["p_value"].as_f64().unwrap();
        assert!((1.0 / 81.0..=1.0).contains(&p), "{class:#}");
        assert!(class["c"].as_f64().unwrap() > 0.0);
        assert!(class["threshold"].as_f64().unwrap().is_finite());
        assert_eq!(class["kept"].as_u64(), Some(QUOTA as u64));
        assert_eq!(class["kept"].as_u64(), Some(of("kept")));
        assert_eq!(class["attempted"].as_u64(), Some(of("")));
        let rejected = class["rejected"].as_object().unwrap();
        let rejected: u64 = rejected.values().map(|n| n.as_u64().unwrap()).sum();
        assert_eq!(rejected, of("rejected"));
        let top = class["top_captions"].as_array().unwrap();
        // By the sum of two rankings, so not by score alone.
        assert_eq!(top.len(), 5);
        assert!(top.iter().all(|t| t["score"].is_f64()), "{top:?}");
        let captions: BTreeSet<&str> = top.iter().map(|t| t["caption"].as_str().unwrap()).collect();
        let own = entries.iter().filter(|e| e["class"] == name);
        let attempted: BTreeSet<&str> = own.map(|e| e["caption"].as_str().unwrap()).collect();
        assert!(attempted.is_subset(&captions), "{attempted:?}");
        // There are no groups in an ImageFolder, and that is said, not left out.
        for key in ["minority_share_hardest", "minority_share_base"] {
            assert_eq!(class.get(key), Some(&Value::Null), "{key}");
        }
    }
    let seconds = summary["seconds"].as_object().unwrap();
    for stage in ["embed", "directions", "captions", "generate", "previews"] {
        assert!(seconds[stage].as_f64().unwrap() >= 0.0);
    }
}

#[test]
fn captions_parquet_ranks_every_candidate() {
    let finished = Finished::get();
    let rows = parquet(&finished.work.path(OUT).join("captions.parquet"));
    let text = |row: &BTreeMap<String, Option<String>>, key: &str| row[key].clone().unwrap();
    for class in classes(&finished.summary()) {
        let own: Vec<_> = rows
            .iter()
            .filter(|r| text(r, "class") == class["class"])
            .collect();
        assert!(own.len() > 100, "{} candidates", own.len());
        let hard = own.iter().filter(|r| text(r, "kind") == "hard");
        let hard: Vec<String> = hard.map(|r| text(r, "caption")).collect();
        let top = class["top_captions"].as_array().unwrap();
        assert_eq!(hard, strings(top, "caption"));
        for row in own {
            let alignment: f64 = text(row, "alignment").parse().unwrap();
            let cosine: f64 = text(row, "cosine").parse().unwrap();
            assert!(alignment.is_finite() && cosine.abs() <= 1.0, "{row:?}");
        }
    }
}

#[test]
fn the_manifest_is_the_training_set_and_the_kept_images() {
    let finished = Finished::get();
    let out = finished.work.path(OUT);
    let rows = finished.rows();
    let count = |source: &str| rows.iter().filter(|r| r["source"] == source).count();
    assert_eq!(count("original"), FACES.train);
    assert_eq!(count("synthetic"), 2 * QUOTA);
    assert_eq!(rows.len(), FACES.train + 2 * QUOTA);
    let mut synthetic = BTreeSet::new();
    for row in &rows {
        let (root, path) = (row["root"].as_str().unwrap(), row["path"].as_str().unwrap());
        assert!(
            Path::new(root).is_relative() && Path::new(path).is_relative(),
            "{row}"
        );
        let bytes = fs::read(out.join(root).join(path)).unwrap();
        assert_eq!(
            row["sha256"].as_str().unwrap(),
            sha256_hex(&bytes),
            "{path}"
        );
        assert_eq!(row["split"], "train");
        assert!(path.contains(row["class"].as_str().unwrap()), "{row}");
        if row["source"] == "synthetic" {
            assert_eq!(root, ".");
            synthetic.insert(path.to_owned());
            let image = image::load_from_memory(&bytes).unwrap();
            assert_eq!((image.width(), image.height()), (64, 64));
            assert!(
                row["alignment"].as_f64() >= row["threshold"].as_f64(),
                "{row}"
            );
        } else {
            assert!(path.starts_with("train/"), "{row}");
        }
    }
    let images = files(&out)
        .into_keys()
        .filter(|name| name.starts_with("images/"));
    assert_eq!(synthetic, images.collect());
}

#[test]
fn the_manifest_says_the_same_in_three_encodings() {
    let finished = Finished::get();
    let folder = finished.work.path(OUT).join("manifest");
    let of_parquet = parquet(&folder.join("train.parquet"));
    let mut csv = csv::Reader::from_path(folder.join("train.csv")).unwrap();
    let header: Vec<String> = csv.headers().unwrap().iter().map(Into::into).collect();
    assert_eq!(header, COLUMNS.map(|column| column.name));
    let of_csv: Vec<csv::StringRecord> = csv.records().map(Result::unwrap).collect();
    let of_jsonl = finished.rows();
    assert_eq!(of_parquet.len(), of_jsonl.len());
    assert_eq!(of_csv.len(), of_jsonl.len());
    for ((json, csv), parquet) in of_jsonl.iter().zip(&of_csv).zip(&of_parquet) {
        assert_eq!(json.as_object().unwrap().len(), COLUMNS.len());
        assert_eq!(parquet.len(), COLUMNS.len());
        for (at, column) in COLUMNS.iter().enumerate() {
            let name = column.name;
            let in_csv = Some(&csv[at]).filter(|cell| !cell.is_empty());
            let in_parquet = parquet[name].as_deref();
            if column.kind == ColumnType::Text {
                assert_eq!(
                    (json[name].as_str(), in_csv),
                    (in_csv, in_parquet),
                    "{name}"
                );
                continue;
            }
            let number = |text: Option<&str>| text.map(|t| t.parse::<f64>().unwrap());
            // Whole numbers, the seeds among them, are compared to the last digit.
            let exact = |text: Option<&str>| {
                text.filter(|_| column.kind == ColumnType::Whole)
                    .map(str::to_owned)
            };
            assert_eq!(json[name].as_f64(), number(in_csv), "{name}");
            assert_eq!(number(in_csv), number(in_parquet), "{name}");
            assert_eq!(
                json[name]
                    .as_u64()
                    .map(|n| n.to_string())
                    .filter(|_| column.kind == ColumnType::Whole),
                exact(in_csv),
                "{name}"
            );
            assert_eq!(exact(in_csv), exact(in_parquet), "{name}");
            assert!(!column.required || in_csv.is_some(), "{name}");
        }
    }
}

#[test]
fn a_contact_sheet_shows_every_mode() {
    let finished = Finished::get();
    let folder = finished.work.path(OUT).join("previews");
    let page = fs::read_to_string(folder.join("index.html")).unwrap();
    for class in ["old", "young"] {
        let name = format!("{class}-0.png");
        assert!(page.contains(&name), "{page}");
        let sheet = image::open(folder.join(&name)).unwrap().to_rgb8();
        let (width, height) = sheet.dimensions();
        // Six pictures of 160 px in a row; two rows of mistakes, one of kept images, captions.
        assert!(
            (960..1400).contains(&width) && (600..4000).contains(&height),
            "{width} x {height}"
        );
        let colours: BTreeSet<[u8; 3]> = sheet.pixels().map(|p| p.0).collect();
        assert!(
            colours.len() > 500,
            "{} colours are no photographs",
            colours.len()
        );
    }
}

#[test]
fn report_writes_the_page_of_the_run_again_and_it_names_every_mode() {
    let finished = Finished::get();
    let own = fs::read_to_string(finished.work.path(OUT).join("report.html")).unwrap();
    for mode in classes(&finished.summary()) {
        let name = mode["class"].as_str().unwrap();
        assert!(own.contains(&format!("<bdi>{name}")), "{name}");
    }
    // Relative to the data, the copy lies as the run does.
    let out = finished.copied("read");
    fs::remove_file(finished.work.path(&out).join("report.html")).unwrap();
    let again = finished.work.hardlight(["report", &out]).run();
    again.exits(0).says(&["read/report.html"]);
    let page = fs::read_to_string(finished.work.path(&out).join("report.html")).unwrap();
    assert!(page == own, "another page than the run's");
    let elsewhere = ["report", &out, "--out", "sent.html"];
    finished
        .work
        .hardlight(elsewhere)
        .run()
        .exits(0)
        .says(&["sent.html"]);
    assert!(fs::read_to_string(finished.work.path("sent.html")).unwrap() == own);
}

#[test]
fn preview_draws_sheets_again_and_prints_their_paths() {
    let finished = Finished::get();
    let out = finished.copied("drawn");
    let sheet = finished.work.path(&out).join("previews/old-0.png");
    let before = image::image_dimensions(&sheet).unwrap();
    let ran = finished
        .work
        .hardlight(["preview", &out, "--columns", "3", "--size", "96"])
        .run();
    let ran = ran.exits(0).says(&[
        "previews/old-0.png",
        "previews/young-0.png",
        "previews/index.html",
    ]);
    assert!(
        image::image_dimensions(&sheet).unwrap().0 < before.0,
        "{ran}"
    );
}

#[test]
fn verify_finds_nothing_wrong_with_a_finished_run() {
    let finished = Finished::get();
    let ran = finished.work.hardlight(["verify", OUT]).run().exits(0);
    let attempts = lines(&finished.work.path(OUT).join("ledger.jsonl"));
    ran.says(&[
        &format!("{attempts} ledger lines"),
        &format!("{} manifest rows", FACES.train + 2 * QUOTA),
        " 0 problems",
    ]);
}

/// Flips a bit in the middle of a file.
fn flip(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(path, bytes).unwrap();
}

#[test]
fn verify_names_an_image_with_a_flipped_bit() {
    let finished = Finished::get();
    let out = finished.copied("flipped");
    let image = finished.kept_image();
    flip(&finished.work.path(&out).join(&image));
    let ran = finished.work.hardlight(["verify", &out]).run().exits(3);
    ran.says(&[&format!("{image}: "), "SHA-256", " 1 problem"]);
}

#[test]
fn verify_names_a_lost_image_and_one_that_nobody_made() {
    let finished = Finished::get();
    let out = finished.copied("lost");
    let image = finished.kept_image();
    let path = finished.work.path(&out).join(&image);
    fs::rename(&path, path.with_file_name("stranger.png")).unwrap();
    let ran = finished.work.hardlight(["verify", &out]).run().exits(3);
    ran.says(&[
        &image,
        "stranger.png: is no image of this run",
        " 2 problems",
    ]);
}

#[test]
fn verify_names_a_changed_manifest_training_image_and_ledger() {
    let finished = Finished::get();
    let out = finished.copied("changed");
    let path = finished.work.path(&out);
    for name in ["manifest/train.csv", "manifest/train.parquet"] {
        flip(&path.join(name));
    }
    let verify = |expected: &[&str]| {
        finished
            .work
            .hardlight(["verify", &out])
            .run()
            .exits(3)
            .says(expected);
    };
    verify(&[
        "manifest/train.csv: differs",
        "manifest/train.parquet: differs",
        " 2 problems",
    ]);
    flip(&path.join("ledger.jsonl"));
    verify(&["ledger.jsonl", "damaged"]);
}

#[test]
fn the_same_command_again_changes_no_byte() {
    let finished = Finished::get();
    let out = finished.copied("again");
    let path = finished.work.path(&out);
    let (before, attempts) = (results(&path), lines(&path.join("ledger.jsonl")));
    let ran = command(&finished.work, &out).run().exits(0);
    assert!(ran.stderr.contains("going on where it was"), "{ran}");
    assert_same(&results(&path), &before);
    assert_eq!(lines(&path.join("ledger.jsonl")), attempts);
    let log = fs::read_to_string(path.join("run.log")).unwrap();
    assert_eq!(
        log.matches(&format!("{} of {} were new", FACES.val, FACES.val))
            .count(),
        1,
        "{log}"
    );
    assert_eq!(
        log.matches(&format!("] 0 of {} were new", FACES.val))
            .count(),
        1,
        "{log}"
    );
    // But for its folder's name, it also says the same.
    assert_eq!(ran.stdout, finished.ran.stdout.replace(OUT, &out));
}

#[test]
fn without_a_model_the_run_ends_after_the_captions_of_a_text_file() {
    let work = Work::with_world();
    work.write(
        "captions.txt",
        "# one a line\na photo of a {class} man\n\na photo of a {class} woman\na photo of a {class} woman\n",
    );
    let command = work.on_world("run", "out").clip();
    let ran = command.args(["--grammar", "captions.txt"]).run().exits(0);
    ran.says(&[
        "hardest captions of old",
        "a photo of a old woman",
        "summary",
    ]);
    let out = work.path("out");
    let mut rows: Vec<(String, String)> = parquet(&out.join("captions.parquet"))
        .into_iter()
        .map(|mut row| {
            let mut text = |key| row.remove(key).unwrap().unwrap();
            (text("class"), text("caption"))
        })
        .collect();
    rows.sort();
    let row = |class: &str, caption: &str| (class.to_owned(), caption.to_owned());
    // The reference is always among them.
    assert_eq!(
        rows,
        [
            row("old", "a photo of a old man"),
            row("old", "a photo of a old woman"),
            row("old", "a photo of an old"),
            row("young", "a photo of a young"),
            row("young", "a photo of a young man"),
            row("young", "a photo of a young woman"),
        ]
    );
    let made: Vec<String> = files(&out).into_keys().collect();
    for name in ["report.json", "summary.json", "previews/old-0.png"] {
        assert!(
            made.iter().any(|made| made == name),
            "no {name} in {made:?}"
        );
    }
    let too_much = made.iter().find(|made| {
        ["images", "manifest", "ledger"]
            .iter()
            .any(|name| made.starts_with(name))
    });
    assert_eq!(too_much, None);
}

#[test]
fn without_clip_the_run_ends_after_the_directions() {
    let work = Work::with_world();
    let classifier = crate::common::weights("classifier");
    let command = work.on_world("run", "out");
    let command = command.args([
        "--space",
        "classifier",
        "--classifier",
        classifier.to_str().unwrap(),
    ]);
    let ran = command.run().exits(0);
    assert!(
        ran.stderr
            .contains("no CLIP: the run ends after the directions (--clip DIR goes on)"),
        "{ran}"
    );
    let made: Vec<String> = files(&work.path("out")).into_keys().collect();
    for name in [
        "directions.json",
        "directions.safetensors",
        "report.json",
        "summary.json",
    ] {
        assert!(
            made.iter().any(|made| made == name),
            "no {name} in {made:?}"
        );
    }
    let too_much = made.iter().find(|made| {
        ["captions", "images", "manifest", "ledger"]
            .iter()
            .any(|name| made.starts_with(name))
    });
    assert_eq!(too_much, None);
}

#[test]
fn where_groups_are_known_the_minority_is_found_among_the_hardest() {
    let sizes = SplitSizes { test: 120, ..FACES };
    let work = Work::with_world_of(&sizes);
    let command = work.on_world("detect", "out").clip();
    command.args(["--table", "truth.csv"]).run().exits(0);
    for class in classes(&json(&work.path("out/summary.json"))) {
        let base = class["minority_share_base"].as_f64().unwrap();
        let top = class["minority_share_hardest"].as_f64().unwrap();
        assert_eq!(base, 0.5, "half of a balanced test are of the minority");
        assert!(top > base, "{class:#}");
    }
}

#[test]
fn own_embeddings_are_joined_by_id_or_by_row() {
    use hardlight::io::matrix::{read_keyed, write_safetensors};
    use ndarray::{Axis, concatenate};

    let finished = Finished::get();
    let work = &finished.work;
    let parts = ["test", "train", "val"].map(|split| {
        let path = work
            .path(OUT)
            .join(format!("embeddings/{split}.safetensors"));
        let (matrix, ids) = read_keyed(&path).unwrap();
        (matrix, ids.unwrap())
    });
    let matrix = concatenate(Axis(0), &parts.each_ref().map(|(m, _)| m.view())).unwrap();
    let ids: Vec<String> = parts.iter().flat_map(|(_, ids)| ids.clone()).collect();
    // A folder's examples stand in the order of their paths, as these do.
    assert!(ids.is_sorted());
    write_safetensors(&work.path("rows.safetensors"), "e", matrix.view(), &[]).unwrap();
    let reverse: Vec<usize> = (0..ids.len()).rev().collect();
    let shuffled = matrix.select(Axis(0), &reverse);
    let renamed: Vec<String> = reverse.iter().map(|&i| ids[i].clone()).collect();
    write_safetensors(
        &work.path("ids.safetensors"),
        "e",
        shuffled.view(),
        &renamed,
    )
    .unwrap();
    for name in ["rows", "ids"] {
        let command = work.on_world("detect", name);
        command
            .args(["--space", &format!("{name}.safetensors")])
            .run()
            .exits(0);
        let same = |file: &str| {
            fs::read(work.path(name).join(file)).unwrap()
                == fs::read(work.path(OUT).join(file)).unwrap()
        };
        assert!(
            same("directions.json") && same("directions.safetensors"),
            "{name}"
        );
    }
}
