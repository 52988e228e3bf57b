//! `--pool`: real images that are hard come before generated ones.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex, Weak};

use crate::common::{FACES, Hardlight, Ran, Work, assert_same, copy, files, results, shared};
use arrow::util::display::array_value_to_string;
use hardlight::direction::persist;
use hardlight::io::{matrix, sha256_hex};
use hardlight::manifest::{Row, Source, read_jsonl};
use hardlight::world::splits::SplitSizes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;

/// More than the pool can give.
const QUOTA: usize = 12;

const SIZES: SplitSizes = SplitSizes { pool: 40, ..FACES };

/// The folder of the run that generates what the pool lacks.
const OUT: &str = "out";

struct Finished {
    work: Work,
    ran: Ran,
}

impl Finished {
    fn get() -> Arc<Self> {
        static ONE: Mutex<Weak<Finished>> = Mutex::new(Weak::new());
        shared(&ONE, || {
            let work = Work::with_world_of(&SIZES);
            let ran = generating(&work, OUT, QUOTA).run().exits(0);
            Self { work, ran }
        })
    }

    /// A world of its own to change.
    fn copied(&self) -> Work {
        let work = Work::empty();
        copy(self.work.root(), work.root());
        work
    }
}

fn generating(work: &Work, out: &str, quota: usize) -> Hardlight {
    work.on_world("run", out)
        .clip()
        .model()
        .args(["--grammar", "world", "--pool", "pool"])
        .args(["--steps", "4", "--guidance", "3", "--batch", "3"])
        .args(["--quota", &quota.to_string(), "--budget", "60"])
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

fn rows(out: &Path) -> Vec<Row> {
    read_jsonl(&out.join("manifest/train.jsonl")).unwrap()
}

fn of<'a>(rows: &'a [Row], source: Source, class: &str) -> Vec<&'a Row> {
    let own = |row: &&Row| row.source == source && row.class == class;
    rows.iter().filter(own).collect()
}

/// Id and alignment of every pool image of a class, hardest first, from the run's own files.
fn ranked(out: &Path, class: &str) -> Vec<(String, f64)> {
    let found = persist::read(out).unwrap();
    let index = found.classes.iter().position(|name| name == class).unwrap();
    let direction = found.of_class(index).next().unwrap();
    let (embeddings, ids) = matrix::read_keyed(&out.join("embeddings/pool.safetensors")).unwrap();
    let x = found.whitening.apply(embeddings.view()).unwrap();
    let mut ranked: Vec<(String, f64)> = ids
        .unwrap()
        .into_iter()
        .zip(x.outer_iter())
        .filter(|(id, _)| id.starts_with(&format!("pool/{class}/")))
        .map(|(id, x)| (id, direction.alignment(x)))
        .collect();
    ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
    ranked
}

#[test]
#[allow(
    clippy::too_many_lines,
    reason = "one run, and all that must hold of its rows"
)]
fn the_hardest_of_the_pool_are_taken_and_only_what_lacks_is_generated() {
    let finished = Finished::get();
    let out = finished.work.path(OUT);
    let rows = rows(&out);
    let order: Vec<Source> = rows.iter().map(|row| row.source).collect();
    assert!(order.is_sorted(), "originals, pool, synthetic: {order:?}");
    assert_eq!(
        rows.iter()
            .filter(|row| row.source == Source::Original)
            .count(),
        FACES.train
    );
    let summary = json(&out.join("summary.json"));
    for class in summary["classes"].as_array().unwrap() {
        let name = class["class"].as_str().unwrap();
        let pool = of(&rows, Source::Pool, name);
        let synthetic = of(&rows, Source::Synthetic, name);
        assert!(!pool.is_empty() && pool.len() < QUOTA, "{}", pool.len());
        assert_eq!(pool.len() + synthetic.len(), QUOTA);
        let ranked = ranked(&out, name);
        assert_eq!(ranked.len(), SIZES.pool / 2);
        let threshold = class["threshold"].as_f64().unwrap();
        // All that are hard enough were looked at, and those taken keep their order.
        let hard = ranked.iter().filter(|(_, a)| *a >= threshold);
        let hard: Vec<&str> = hard.map(|(id, _)| id.as_str()).collect();
        let taken: Vec<&str> = pool.iter().map(|row| row.id.as_str()).collect();
        let in_order = |id: &&str| taken.contains(id);
        assert_eq!(
            hard.iter().copied().filter(in_order).collect::<Vec<_>>(),
            taken
        );
        let told = &class["pool"];
        let rejected = |reason: &str| told["rejected"][reason].as_u64().unwrap_or(0) as usize;
        assert_eq!(told["kept"], pool.len());
        assert_eq!(told["of_class"], ranked.len());
        assert_eq!(told["left"], 0);
        assert_eq!(rejected("alignment"), ranked.len() - hard.len());
        let all: u64 = told["rejected"]
            .as_object()
            .unwrap()
            .values()
            .map(|n| n.as_u64().unwrap())
            .sum();
        assert_eq!(all as usize + pool.len(), ranked.len());
        assert_eq!(class["kept"], synthetic.len());
        assert_eq!(class["quota_met"], true);
        for row in pool {
            assert_eq!((row.weight, row.mode), (1.0, Some(0)));
            assert_eq!(row.threshold, Some(threshold));
            let (_, alignment) = ranked.iter().find(|(id, _)| *id == row.id).unwrap();
            assert_eq!(row.alignment, Some(*alignment));
            for cosine in [row.class_similarity, row.nearest_train_similarity] {
                assert!(cosine.is_some_and(|c| c.abs() <= 1.0), "{row:?}");
            }
            let bytes = fs::read(out.join(&row.root).join(&row.path)).unwrap();
            assert_eq!(row.sha256, Some(sha256_hex(&bytes)));
            assert_eq!((row.width, row.height), (Some(64), Some(64)));
            assert_eq!((&row.caption, row.seed, &row.model), (&None, None, &None));
        }
        for row in synthetic {
            assert!(row.nearest_train_similarity.unwrap() <= 1.0, "{row:?}");
        }
    }
    let ran = &finished.ran;
    assert!(ran.stderr.contains(" images from the pool's 20"), "{ran}");
    let header = ran.stdout.lines().next().unwrap();
    assert!(
        header.contains(" pool ") && header.contains(" kept "),
        "{ran}"
    );
}

#[test]
fn the_run_verifies_and_shows_the_pool_in_its_sheets() {
    let finished = Finished::get();
    let work = finished.copied();
    let ran = work.hardlight(["verify", OUT]).run().exits(0);
    ran.says(&[" 0 problems"]);
    // Few images, as many of each kind with and without a pool: other attempts count where it gave none.
    let height = || {
        let few = ["--kept", "1", "--rejected", "0"];
        work.hardlight(["preview", OUT]).args(few).run().exits(0);
        image::image_dimensions(work.path("out/previews/old-0.png")).unwrap()
    };
    let with = height();
    let record = fs::read(work.path("out/pool.json")).unwrap();
    fs::remove_file(work.path("out/pool.json")).unwrap();
    let without = height();
    assert!(with.1 >= without.1 + 160, "{with:?} {without:?}");
    work.write("out/pool.json", record);
    // What is in the pool's files is checked too.
    let pool = rows(&work.path(OUT));
    let pool = pool.iter().find(|row| row.source == Source::Pool).unwrap();
    fs::write(work.path("faces").join(&pool.path), "no face").unwrap();
    let ran = work.hardlight(["verify", OUT]).run().exits(3);
    ran.says(&[&pool.id, "SHA-256", " 1 problem"]);
}

#[test]
fn the_same_command_again_takes_the_same_images() {
    let finished = Finished::get();
    let work = &finished.work;
    let out = "again";
    copy(&work.path(OUT), &work.path(out));
    let before = results(&work.path(out));
    let ran = generating(work, out, QUOTA).run().exits(0);
    assert!(ran.stderr.contains("going on where it was"), "{ran}");
    assert_same(&results(&work.path(out)), &before);
    let other = work
        .on_world("run", out)
        .clip()
        .model()
        .args(["--grammar", "world"]);
    other.run().exits(3).complains(&["data.pool"]);
    assert_same(&results(&work.path(out)), &before);
}

#[test]
fn a_quota_that_the_pool_meets_needs_no_image() {
    let finished = Finished::get();
    let work = &finished.work;
    let ran = generating(work, "met", 1)
        .args(["--set", "generate.controls=2"])
        .run()
        .exits(0);
    assert!(
        ran.stderr
            .contains("the pool meets every quota: no image is generated"),
        "{ran}"
    );
    let out = work.path("met");
    let made: Vec<String> = files(&out).into_keys().collect();
    let too_much = made.iter().find(|name| {
        ["images", "controls", "rejected", "attempts"]
            .iter()
            .any(|part| name.starts_with(part))
    });
    assert_eq!(too_much, None);
    assert_eq!(crate::common::decisions(&out), [Value::Null; 0]);
    let rows = rows(&out);
    for class in json(&out.join("summary.json"))["classes"]
        .as_array()
        .unwrap()
    {
        assert_eq!(class["quota_met"], true);
        assert_eq!(class["kept"], 0);
        assert!(class["pool"]["left"].as_u64().unwrap() > 0, "{class:#}");
        let taken = of(&rows, Source::Pool, class["class"].as_str().unwrap());
        assert_eq!(taken.len(), 1);
    }
    work.hardlight(["verify", "met"]).run().exits(0);
}

#[test]
fn without_a_model_the_manifest_holds_what_the_pool_gives() {
    let finished = Finished::get();
    let work = &finished.work;
    let pool_of = |out: &str| json(&work.path(out).join("pool.json"));
    // For directions alone a pool that gives less than the quota is no failure; for a run it is.
    for (command, code) in [("detect", 0), ("run", 4)] {
        let ran = work
            .on_world(command, command)
            .clip()
            .args(["--grammar", "world", "--pool", "pool"])
            .args(["--quota", &QUOTA.to_string()])
            .run()
            .exits(code);
        ran.says(&["manifest  "]);
        assert_eq!(pool_of(command), pool_of(OUT), "{command}");
        let with: Vec<Row> = rows(&work.path(OUT))
            .into_iter()
            .filter(|row| row.source != Source::Synthetic)
            .collect();
        assert_eq!(rows(&work.path(command)), with, "{command}");
        let class = &json(&work.path(command).join("summary.json"))["classes"][0];
        assert_eq!(
            (&class["quota_met"], &class["kept"]),
            (&false.into(), &0.into())
        );
    }
}

#[test]
fn without_clip_labels_are_taken_as_they_are() {
    let finished = Finished::get();
    let work = &finished.work;
    let classifier = crate::common::weights("classifier");
    let ran = work
        .on_world("detect", "features")
        .args(["--space", "classifier", "--pool", "pool"])
        .args(["--classifier", classifier.to_str().unwrap()])
        .run()
        .exits(0);
    assert!(
        ran.stderr.contains("their labels are taken as they are"),
        "{ran}"
    );
    let rows = rows(&work.path("features"));
    let taken: Vec<&Row> = rows
        .iter()
        .filter(|row| row.source == Source::Pool)
        .collect();
    assert!(!taken.is_empty());
    for row in taken {
        assert_eq!((row.class_similarity, &row.clip_fingerprint), (None, &None));
        assert!(row.alignment >= row.threshold && row.sha256.is_some());
    }
}

#[test]
fn a_copy_of_a_judged_image_is_not_taken() {
    let finished = Finished::get();
    let work = finished.copied();
    let before = json(&work.path("out/pool.json"));
    let hardest = before["modes"][0]["picks"][0]["id"].as_str().unwrap();
    // The pool's hardest stands in test too, smaller and saved with loss.
    let image = image::open(work.path("faces").join(hardest)).unwrap();
    let copy = image
        .resize(48, 48, image::imageops::FilterType::Triangle)
        .to_rgb8();
    let class = before["modes"][0]["class"].as_str().unwrap();
    let name = format!("test/{class}/leak.jpg");
    copy.save(work.path("faces").join(&name)).unwrap();
    work.on_world("detect", "leak")
        .clip()
        .args(["--grammar", "world", "--pool", "pool"])
        .args(["--quota", &QUOTA.to_string()])
        .run()
        .exits(0);
    let after = json(&work.path("leak/pool.json"));
    let told = serde_json::json!({"id": hardest, "reason": "duplicate-test", "of": name});
    let duplicates = after["modes"][0]["duplicates"].as_array().unwrap();
    assert!(duplicates.contains(&told), "{after:#}");
    let summary = json(&work.path("leak/summary.json"));
    assert!(summary["classes"][0]["pool"]["rejected"]["duplicate-test"].as_u64() >= Some(1));
    let ids = |record: &Value| -> BTreeSet<String> {
        let picks = record["modes"][0]["picks"].as_array().unwrap();
        let id = |pick: &Value| pick["id"].as_str().unwrap().to_owned();
        picks.iter().map(id).collect()
    };
    let mut expected = ids(&before);
    expected.remove(hardest);
    assert_eq!(ids(&after), expected);
}

#[test]
fn a_split_in_use_is_no_pool() {
    let work = Work::with_world();
    for (split, reason) in [
        ("train", "in the training set already"),
        ("val", "directions are fitted there"),
        ("test", "everything is judged there"),
    ] {
        let ran = work
            .on_world("detect", "out")
            .clip()
            .args(["--pool", split]);
        ran.run().exits(2).complains(&["data.pool", split, reason]);
        let set = format!("data.pool=\"{split}\"");
        let ran = work.on_world("detect", "out").clip().args(["--set", &set]);
        ran.run().exits(2).complains(&[reason]);
    }
    let ran = work
        .on_world("detect", "out")
        .clip()
        .args(["--pool", "more"]);
    let ran = ran.run().exits(2);
    assert!(ran.stderr.contains("\"more\" is no split"), "{ran}");
    let ran = work
        .on_world("detect", "out")
        .clip()
        .args(["--pool", "pool"]);
    ran.run()
        .exits(3)
        .complains(&["no pool split", "pool/CLASS"]);
}

/// The rows of the three encodings as texts by column; empty where there is no value.
fn encodings(out: &Path) -> [Vec<BTreeMap<String, String>>; 3] {
    let folder = out.join("manifest");
    let text = fs::read_to_string(folder.join("train.jsonl")).unwrap();
    let cell = |value: &Value| match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let of_jsonl = text.lines().map(|line| {
        let row: BTreeMap<String, Value> = serde_json::from_str(line).unwrap();
        row.iter()
            .map(|(key, value)| (key.clone(), cell(value)))
            .collect()
    });
    let mut csv = csv::Reader::from_path(folder.join("train.csv")).unwrap();
    let of_csv = csv.deserialize().map(Result::unwrap).collect();
    let file = fs::File::open(folder.join("train.parquet")).unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
    let mut of_parquet = Vec::new();
    for batch in reader.build().unwrap() {
        let batch = batch.unwrap();
        for row in 0..batch.num_rows() {
            let schema = batch.schema();
            let names = schema.fields().iter().map(|field| field.name().clone());
            let cells = batch
                .columns()
                .iter()
                .map(|c| array_value_to_string(c, row).unwrap());
            of_parquet.push(names.zip(cells).collect());
        }
    }
    [of_jsonl.collect(), of_csv, of_parquet]
}

/// The columns, in order, as the manifest's readers know them.
const COLUMNS: &str = "id path root member label split source weight caption caption_kind class mode \
    alignment threshold class_similarity nearest_train_similarity seed steps guidance scheduler \
    negative_prompt strength init_image model model_fingerprint clip_fingerprint width height sha256 \
    digital_source_type recipe";

#[test]
fn all_encodings_have_the_columns_in_order_and_every_kind_of_row() {
    let finished = Finished::get();
    let folder = finished.work.path(OUT).join("manifest");
    let columns: Vec<&str> = COLUMNS.split_whitespace().collect();
    let text = fs::read_to_string(folder.join("train.jsonl")).unwrap();
    for line in text.lines() {
        let row: Value = serde_json::from_str(line).unwrap();
        let keys: Vec<&String> = row.as_object().unwrap().keys().collect();
        assert_eq!(keys, columns);
    }
    let mut csv = csv::Reader::from_path(folder.join("train.csv")).unwrap();
    assert_eq!(csv.headers().unwrap().iter().collect::<Vec<_>>(), columns);
    let file = fs::File::open(folder.join("train.parquet")).unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
    let fields = reader.schema().fields().iter();
    assert_eq!(
        fields.map(|f| f.name().as_str()).collect::<Vec<_>>(),
        columns
    );
    let [jsonl, csv, parquet] = encodings(&finished.work.path(OUT));
    for rows in [&jsonl, &csv, &parquet] {
        let sources: BTreeSet<&str> = rows.iter().map(|row| row["source"].as_str()).collect();
        assert_eq!(sources, BTreeSet::from(["original", "pool", "synthetic"]));
    }
}

#[test]
#[allow(clippy::too_many_lines, reason = "one run, read in every encoding")]
fn weights_change_originals_alone_in_all_encodings() {
    let finished = Finished::get();
    let work = finished.copied();
    let out = work.path(OUT);
    let before = rows(&out);
    let ran = work
        .hardlight([
            "manifest",
            OUT,
            "--upweight",
            "3",
            "--weight",
            "2.5",
            "--subset",
            "10",
        ])
        .run()
        .exits(0);
    ran.says(&[
        "old: the 3 most aligned of 30 originals weigh 2.5",
        "young: the 20 least aligned of 30 originals weigh 0",
    ]);
    let after = rows(&out);
    assert_eq!(after.len(), before.len());
    let mut weights: BTreeMap<String, usize> = BTreeMap::new();
    for (before, after) in before.iter().zip(&after) {
        if after.source == Source::Original {
            *weights.entry(after.weight.to_string()).or_default() += 1;
            let same = Row {
                weight: before.weight,
                mode: before.mode,
                alignment: before.alignment,
                ..after.clone()
            };
            assert_eq!(&same, before);
        } else {
            assert_eq!(after, before);
        }
    }
    let expected = [("0", 40), ("1", 14), ("2.5", 6)];
    let expected = expected.map(|(weight, count)| (weight.to_owned(), count));
    assert_eq!(weights, BTreeMap::from(expected));
    let [jsonl, csv, parquet] = encodings(&out);
    assert_eq!(jsonl.len(), before.len());
    let number = |row: &BTreeMap<String, String>, key: &str| row[key].parse::<f64>().ok();
    for ((json, csv), parquet) in jsonl.iter().zip(&csv).zip(&parquet) {
        for key in [
            "weight",
            "alignment",
            "nearest_train_similarity",
            "class_similarity",
        ] {
            assert_eq!(number(json, key), number(csv, key), "{key}");
            assert_eq!(number(json, key), number(parquet, key), "{key}");
        }
        for key in ["id", "source", "class", "sha256"] {
            assert_eq!(
                (&json[key], &json[key]),
                (&csv[key], &parquet[key]),
                "{key}"
            );
        }
    }
    work.hardlight(["verify", OUT]).run().exits(0);
    // A reader gets what is left, the pool's images among it.
    work.hardlight(["manifest", OUT, "--export", "hf", "--to", "aug"])
        .run()
        .exits(0)
        .says(&["40 rows of weight 0 left out"]);
    let images = files(&work.path("aug"));
    let images = images
        .keys()
        .filter(|name| !name.ends_with("metadata.jsonl"))
        .count();
    assert_eq!(images, before.len() - 40);
}

#[test]
fn weights_work_on_a_run_without_images() {
    let finished = Finished::get();
    let work = finished.copied();
    for (out, pool) in [("plain", &[][..]), ("pooled", &["--pool", "pool"][..])] {
        work.on_world("detect", out)
            .clip()
            .args(pool)
            .run()
            .exits(0);
        let manifest = |args: &[&str]| work.hardlight(["manifest", out]).args(args).run().exits(0);
        manifest(&["--upweight", "2", "--weight", "4"])
            .says(&["old: the 2 most aligned of 30 originals weigh 4"]);
        let rows = rows(&work.path(out));
        let originals = rows.iter().filter(|row| row.source == Source::Original);
        let heavy = originals.clone().filter(|row| row.weight == 4.0).count();
        assert_eq!((originals.count(), heavy), (FACES.train, 4));
        let taken = rows.iter().filter(|row| row.source == Source::Pool).count();
        assert_eq!(taken > 0, out == "pooled");
        assert_eq!(rows.len(), FACES.train + taken);
        let [jsonl, csv, parquet] = encodings(&work.path(out));
        assert!(jsonl.len() == rows.len() && csv.len() == rows.len());
        assert_eq!(parquet.len(), rows.len());
        work.hardlight(["verify", out]).run().exits(0);
    }
}
