//! Data in the layouts that hold images inside larger files, through the commands; and inputs that are
//! made to do harm: each ends with exit code 3 and a message that names the place.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::Cursor;
use std::path::Path;
use std::sync::Arc;

use crate::common::{Hardlight, Ran, Work};
use arrow::array::{Array as _, ArrayRef, BinaryArray, Int64Array, StringArray, StructArray};
use arrow::datatypes::{DataType, Field, Fields, Schema};
use arrow::record_batch::RecordBatch;
use hardlight::io::image::{DecodeError, Exif, decode_rgb};
use hardlight::io::sha256_hex;
use hardlight::manifest::{Row, read_jsonl, write_all};
use image::{DynamicImage, ImageFormat, RgbImage};
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;

/// Where the original is, and its id in a layout.
struct Placed {
    path: String,
    split: String,
    label: String,
    id: String,
}

/// The faces of the small world in path order, with ids that `name` gives by split and number in it.
fn placed(work: &Work, name: impl Fn(&str, usize) -> String) -> Vec<Placed> {
    let mut truth = csv::Reader::from_path(work.path("truth.csv")).unwrap();
    let mut rows: Vec<(String, String, String)> = truth
        .records()
        .map(|row| {
            let row = row.unwrap();
            (row[0].to_owned(), row[1].to_owned(), row[2].to_owned())
        })
        .collect();
    rows.sort();
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    rows.into_iter()
        .map(|(path, label, split)| {
            let number = counts.entry(split.clone()).or_default();
            *number += 1;
            let id = name(&split, *number - 1);
            Placed {
                path,
                split,
                label,
                id,
            }
        })
        .collect()
}

/// `predictions.csv` by the ids of a layout.
fn predictions(work: &Work, placed: &[Placed]) {
    let ids: BTreeMap<&str, &str> = placed
        .iter()
        .map(|one| (one.path.as_str(), one.id.as_str()))
        .collect();
    let mut text = "id,prediction,confidence\n".to_owned();
    let mut said = csv::Reader::from_path(work.path("predictions.csv")).unwrap();
    for row in said.records() {
        let row = row.unwrap();
        writeln!(text, "{},{},{}", ids[&row[0]], &row[1], &row[2]).unwrap();
    }
    work.write("by_id.csv", text);
}

/// The world as a hub's Parquet files, a few row groups each.
fn hub(work: &Work) -> Vec<Placed> {
    let file = |split: &str| match split {
        "val" => "data/validation-00000-of-00001.parquet".to_owned(),
        other => format!("data/{other}-00000-of-00001.parquet"),
    };
    let placed = placed(work, |split, number| format!("{}/{number}", file(split)));
    for split in ["train", "val", "test"] {
        let of_split: Vec<&Placed> = placed.iter().filter(|one| one.split == split).collect();
        let bytes: Vec<Vec<u8>> = of_split
            .iter()
            .map(|one| fs::read(work.path("faces").join(&one.path)).unwrap())
            .collect();
        let labels = of_split.iter().map(|one| i64::from(one.label == "young"));
        let names = of_split.iter().map(|one| one.path.rsplit('/').next());
        let fields: Fields = vec![
            Field::new("bytes", DataType::Binary, true),
            Field::new("path", DataType::Utf8, true),
        ]
        .into();
        let image: Vec<ArrayRef> = vec![
            Arc::new(BinaryArray::from_iter_values(bytes)),
            Arc::new(names.collect::<StringArray>()),
        ];
        let columns: Vec<ArrayRef> = vec![
            Arc::new(StructArray::new(fields, image, None)),
            Arc::new(Int64Array::from_iter_values(labels)),
        ];
        let features = r#"{"info": {"features": {"image": {"_type": "Image"},
            "label": {"names": ["old", "young"], "_type": "ClassLabel"}}}}"#;
        let fields = ["image", "label"].iter().zip(&columns);
        let fields =
            fields.map(|(name, column)| Field::new(*name, column.data_type().clone(), true));
        let schema = Schema::new(fields.collect::<Vec<_>>())
            .with_metadata([("huggingface".to_owned(), features.to_owned())]);
        let batch = RecordBatch::try_new(Arc::new(schema), columns).unwrap();
        let properties = WriterProperties::builder()
            .set_max_row_group_row_count(Some(25))
            .build();
        let mut written = Vec::new();
        let mut writer =
            ArrowWriter::try_new(&mut written, batch.schema(), Some(properties)).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        work.write(&format!("hub/{}", file(split)), written);
    }
    placed
}

/// The world as a tar shard a split.
fn shards(work: &Work) -> Vec<Placed> {
    let placed = placed(work, |split, number| format!("{split}-0.tar/{number:04}"));
    for split in ["train", "val", "test"] {
        let mut shard = tar::Builder::new(Vec::new());
        for one in placed.iter().filter(|one| one.split == split) {
            let key = one.id.rsplit('/').next().unwrap();
            let image = fs::read(work.path("faces").join(&one.path)).unwrap();
            let extension = one.path.rsplit('.').next().unwrap();
            for (extension, bytes) in [(extension, &image[..]), ("cls", one.label.as_bytes())] {
                let mut header = tar::Header::new_ustar();
                header.set_size(bytes.len() as u64);
                let name = format!("{key}.{extension}");
                shard.append_data(&mut header, name, bytes).unwrap();
            }
        }
        work.write(
            &format!("shards/{split}-0.tar"),
            shard.into_inner().unwrap(),
        );
    }
    placed
}

fn detect(work: &Work, out: &str) -> Hardlight {
    work.hardlight(["detect", "--out", out, "--device", "cpu", "--force"])
        .args(["--set", "direction.permutations=19"])
        .args(["--set", "direction.bootstrap=0"])
}

/// What a run found, without ids.
fn findings(work: &Work, out: &str) -> Vec<serde_json::Value> {
    let text = fs::read_to_string(work.path(out).join("report.json")).unwrap();
    let report: serde_json::Value = serde_json::from_str(&text).unwrap();
    let classes = report["classes"].as_array().unwrap().iter();
    classes
        .map(|class| {
            let keys = [
                "class",
                "cv_score",
                "c",
                "threshold",
                "right",
                "wrong",
                "judged",
            ];
            keys.iter().map(|key| class[*key].clone()).collect()
        })
        .collect()
}

/// Detection on a layout finds what it finds on the folder; exports give the images back as they were,
/// and `verify` reads them where they lie.
fn goes_through(
    dataset: &str,
    root: &str,
    make: fn(&Work) -> Vec<Placed>,
    damage: fn(&Path, &[u8]),
) {
    let work = Work::with_world();
    work.on_world("detect", "folder").clip().run().exits(0);
    let placed = make(&work);
    predictions(&work, &placed);
    detect(&work, "out")
        .clip()
        .args([
            "--dataset",
            dataset,
            "--root",
            root,
            "--predictions",
            "by_id.csv",
        ])
        .run()
        .exits(0);
    assert_eq!(findings(&work, "out"), findings(&work, "folder"));

    work.hardlight(["manifest", "out", "--upweight", "3", "--weight", "1"])
        .run()
        .exits(0);
    let manifest = work.path("out/manifest");
    let original: BTreeMap<&str, Vec<u8>> = placed
        .iter()
        .map(|one| {
            let bytes = fs::read(work.path("faces").join(&one.path)).unwrap();
            (one.id.as_str(), bytes)
        })
        .collect();
    let mut rows: Vec<Row> = read_jsonl(&manifest.join("train.jsonl")).unwrap();
    for row in &mut rows {
        assert!(row.member.is_some());
        row.sha256 = Some(sha256_hex(&original[row.id.as_str()]));
    }
    write_all(&manifest, &rows).unwrap();
    for format in ["imagefolder", "hf", "webdataset", "fiftyone"] {
        work.hardlight(["manifest", "out", "--export", format, "--to", format])
            .run()
            .exits(0);
    }
    let metadata = fs::read_to_string(work.path("hf/train/metadata.jsonl")).unwrap();
    assert_eq!(metadata.lines().count(), rows.len());
    for line in metadata.lines() {
        let facts: serde_json::Value = serde_json::from_str(line).unwrap();
        let file = work
            .path("hf/train")
            .join(facts["file_name"].as_str().unwrap());
        assert!(fs::read(file).unwrap() == original[facts["id"].as_str().unwrap()]);
    }
    let hashed = format!("{} files hashed, ", rows.len());
    work.hardlight(["verify", "out"])
        .run()
        .exits(0)
        .says(&[&hashed, " 0 problems"]);
    let sheets = work.hardlight(["preview", "out"]).run().exits(0);
    sheets.says(&["previews/old-0.png"]);

    let row = &rows[7];
    damage(&work.path(root).join(&row.path), &original[row.id.as_str()]);
    let ran = work.hardlight(["verify", "out"]).run().exits(3);
    ran.says(&[&row.id, " 1 problem"]);
}

/// Other columns, separators, decimals, paths and indices say the same.
#[test]
fn predictions_as_people_write_them_are_read_and_what_was_told_is_said() {
    let work = Work::with_world();
    work.on_world("detect", "plain").clip().run().exits(0);
    let mut said = csv::Reader::from_path(work.path("predictions.csv")).unwrap();
    let mut theirs = ";image_path;pred;conf;epoch\r\n".to_owned();
    for (number, row) in said.records().enumerate() {
        let row = row.unwrap();
        let path = work.path("faces").join(&row[0]);
        let index = usize::from(&row[1] == "young");
        let confidence = row[2].replace('.', ",");
        write!(
            theirs,
            "{number};{};{index};{confidence};3\r\n",
            path.display()
        )
        .unwrap();
    }
    theirs.push_str("999;/elsewhere/old/1.png;1;0,9;3\r\n");
    work.write("theirs.csv", theirs);
    let ran = detect(&work, "theirs").clip();
    let ran = ran.args(["--data", "faces", "--predictions", "theirs.csv"]);
    let ran = ran.run().exits(0);
    for words in [
        "reads column \"image_path\" as path, \"pred\" as prediction, \"conf\" as confidence; passes over \"epoch\"",
        "separated by semicolons",
        "predictions are indices in the order of the classes: 0 = old, 1 = young",
        "warning: 1 rows of predictions are about no example of the data",
    ] {
        assert!(ran.stderr.contains(words), "no {words:?} in {ran}");
    }
    assert_eq!(findings(&work, "theirs"), findings(&work, "plain"));
}

/// Changes a byte of an image where it lies in a file.
fn flip(file: &Path, image: &[u8]) {
    let mut bytes = fs::read(file).unwrap();
    let at = bytes.windows(image.len()).position(|part| part == image);
    bytes[at.unwrap() + image.len() / 2] ^= 1;
    fs::write(file, bytes).unwrap();
}

#[test]
fn images_in_the_rows_of_a_parquet_go_through() {
    goes_through("hf", "hub", hub, flip);
}

#[test]
fn images_in_shards_go_through() {
    goes_through("webdataset", "shards", shards, flip);
}

/// Writes CIFAR-10 into `cifar/`, and predictions of val and test into `said.csv`.
fn write_cifar(work: &Work) {
    let mut said = "id,prediction\n".to_owned();
    for name in [
        "data_batch_1",
        "data_batch_2",
        "data_batch_3",
        "data_batch_4",
        "data_batch_5",
        "test_batch",
    ] {
        let mut records = Vec::new();
        for row in 0..40_u8 {
            let (label, hard) = (row % 2, row % 3 == 0);
            records.push(label);
            for plane in 0..3_u8 {
                let bright = if plane == label { 200 } else { 20 };
                let value = if hard { 255 - bright } else { bright };
                records.extend((0..1024_u16).map(|at| value ^ ((at as u8).wrapping_mul(row) % 16)));
            }
            let wrong = hard && row % 5 != 0 || row % 11 == 1;
            let name_of = ["cat", "dog"][usize::from(label ^ u8::from(wrong))];
            if ["data_batch_5", "test_batch"].contains(&name) {
                writeln!(said, "{name}.bin/{row},{name_of}").unwrap();
            }
        }
        work.write(&format!("cifar/{name}.bin"), records);
    }
    work.write("cifar/batches.meta.txt", "cat\ndog\n");
    work.write("said.csv", said);
}

#[test]
fn records_of_cifar_go_through() {
    let work = Work::empty();
    write_cifar(&work);
    detect(&work, "out")
        .clip()
        .args([
            "--dataset",
            "cifar10",
            "--root",
            "cifar",
            "--predictions",
            "said.csv",
        ])
        .run()
        .exits(0);
    work.hardlight(["manifest", "out", "--upweight", "3", "--weight", "1"])
        .run()
        .exits(0);
    let manifest = work.path("out/manifest");
    let mut rows = read_jsonl(&manifest.join("train.jsonl")).unwrap();
    assert_eq!(rows.len(), 160);
    for row in &mut rows {
        let record = row.member.as_ref().unwrap().parse::<usize>().unwrap();
        let batch = fs::read(work.path("cifar").join(&row.path)).unwrap();
        row.sha256 = Some(sha256_hex(&batch[3073 * record + 1..][..3072]));
    }
    write_all(&manifest, &rows).unwrap();
    work.hardlight(["verify", "out"])
        .run()
        .exits(0)
        .says(&["160 files hashed, ", " 0 problems"]);
    work.hardlight(["manifest", "out", "--export", "imagefolder", "--to", "aug"])
        .run()
        .exits(0);
    let picture = image::open(work.path("aug/train/dog/00000041-data_batch_2_1.png")).unwrap();
    let batch = fs::read(work.path("cifar/data_batch_2.bin")).unwrap();
    let record = &batch[3073..][1..3073];
    let expected = RgbImage::from_fn(32, 32, |x, y| {
        let at = (y * 32 + x) as usize;
        image::Rgb([record[at], record[1024 + at], record[2048 + at]])
    });
    assert!(picture.into_rgb8() == expected);
    work.hardlight(["preview", "out"]).run().exits(0);
}

mod hostile {
    use super::*;

    /// Detection on a table of this content, which is refused.
    fn refused(name: &str, content: impl AsRef<[u8]>, expected: &[&str]) {
        let work = Work::empty();
        work.write(name, content);
        let ran = detect(&work, "out").clip().args(["--table", name]).run();
        ran.exits(3).complains(expected);
        assert!(!work.path("out").exists());
    }

    #[test]
    fn tables() {
        let head = "path,label,split\na.png,cat,val\n";
        for (row, expected) in [
            (
                "../b.png,cat,val",
                &["t.csv, line 3", "\"../b.png\" leaves the root"][..],
            ),
            ("/etc/passwd,cat,val", &["t.csv, line 3", "is absolute"]),
            ("b.png,cat", &["t.csv, line 3", "malformed CSV"]),
            (
                "a.png,dog,val",
                &["t.csv, line 3: id \"a.png\"", "t.csv, line 2"],
            ),
            (
                "b.png,c\0t,val",
                &["t.csv, line 3, column \"label\"", "control character"],
            ),
            ("b\0.png,cat,val", &["t.csv, line 3", "control character"]),
            ("b.png,cat,valid\0", &["t.csv, line 3, column \"split\""]),
        ] {
            refused("t.csv", format!("{head}{row}\n"), expected);
        }
        let mut latin = head.as_bytes().to_vec();
        latin.extend_from_slice(b"b.png,caf\xe9,val\n");
        refused(
            "t.csv",
            latin,
            &["t.csv, line 3", "is not UTF-8", "\"café\""],
        );
        let first = r#"{"path": "a.png", "label": "cat", "split": "val"}"#;
        let mixed = format!(
            "{first}\n{}\n",
            first.replace("\"cat\"", "1").replace("a.png", "b")
        );
        refused(
            "t.jsonl",
            mixed,
            &["t.jsonl, line 2, column \"label\": a number here and text at"],
        );
        let long = format!("{first}\n{{\"path\": \"{}\"}}\n", "x".repeat(17 << 20));
        refused(
            "t.jsonl",
            long,
            &["t.jsonl, line 2: longer than 16777216 bytes"],
        );
        // One row of a CSV that has no end.
        let long = format!("{head}b.png,{}", "x".repeat(17 << 20));
        refused(
            "t.csv",
            long,
            &["t.csv, line 3", "a row of more than 16777216 bytes"],
        );
    }

    #[test]
    fn predictions_of_a_class_that_the_data_lacks() {
        let work = Work::empty();
        work.write("t.csv", "path,label,split\na.png,cat,val\nb.png,dog,val\n");
        work.write("said.csv", "path,prediction\na.png,cat\nb.png,cow\n");
        let args = ["--table", "t.csv", "--predictions", "said.csv"];
        let ran = detect(&work, "out").clip().args(args).run().exits(3);
        ran.complains(&[
            "said.csv, line 3, column \"prediction\": unknown class \"cow\"",
            "cat, dog",
        ]);
    }

    fn table(columns: &[(&str, ArrayRef)]) -> Vec<u8> {
        let batch = RecordBatch::try_from_iter(columns.iter().cloned()).unwrap();
        let mut written = Vec::new();
        let mut writer = ArrowWriter::try_new(&mut written, batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        written
    }

    #[test]
    fn parquet_tables() {
        let texts = |values: [&str; 2]| Arc::new(StringArray::from(values.to_vec())) as ArrayRef;
        let path = ("path", texts(["a.png", "b.png"]));
        let split = ("split", texts(["val", "val"]));
        let label = ("label", texts(["cat", "dog"]));
        let missing = table(&[path.clone(), split.clone()]);
        refused(
            "t.parquet",
            missing,
            &["t.parquet, row 1: no column \"label\"; there are path, split"],
        );
        let bytes = (
            "label",
            Arc::new(BinaryArray::from_iter_values([b"a", b"b"])) as ArrayRef,
        );
        let wrong = table(&[path.clone(), split.clone(), bytes]);
        refused(
            "t.parquet",
            wrong,
            &["column \"label\": is of type Binary, expected text"],
        );
        let fields: Fields = vec![Field::new("name", DataType::Utf8, true)].into();
        let nested = StructArray::new(fields, vec![texts(["cat", "dog"])], None);
        let nested = table(&[path.clone(), split.clone(), ("label", Arc::new(nested))]);
        refused(
            "t.parquet",
            nested,
            &["t.parquet, row 1, column \"label\"", "is not text"],
        );
        let sound = table(&[path, split, label]);
        for end in [4, sound.len() / 2, sound.len() - 1] {
            refused(
                "t.parquet",
                &sound[..end],
                &["t.parquet: malformed Parquet"],
            );
        }
    }

    /// Sixty million rows in a few kilobytes.
    #[test]
    fn a_parquet_of_more_rows_than_anyone_has() {
        let schema = Arc::new(Schema::new(vec![Field::new(
            "label",
            DataType::Int64,
            false,
        )]));
        let properties = WriterProperties::builder()
            .set_max_row_group_row_count(Some(1 << 30))
            .set_data_page_row_count_limit(1 << 30)
            .build();
        let mut written = Vec::new();
        let mut writer =
            ArrowWriter::try_new(&mut written, schema.clone(), Some(properties)).unwrap();
        let zeros: ArrayRef = Arc::new(Int64Array::from(vec![0; 1_000_000]));
        let batch = RecordBatch::try_new(schema, vec![zeros]).unwrap();
        for _ in 0..60 {
            writer.write(&batch).unwrap();
        }
        writer.close().unwrap();
        assert!(written.len() < 100_000, "{}", written.len());
        refused(
            "t.parquet",
            written,
            &["t.parquet announces 60000000 rows, the limit is 50000000"],
        );
    }

    /// A header says 65,500 pixels a side, or as many as the format can.
    fn vast(format: ImageFormat) -> Vec<u8> {
        let picture = DynamicImage::ImageRgb8(RgbImage::new(16, 16));
        let mut bytes = Cursor::new(Vec::new());
        picture.write_to(&mut bytes, format).unwrap();
        let mut bytes = bytes.into_inner();
        let find = |bytes: &[u8], what: &[u8]| {
            let at = bytes.windows(what.len()).position(|part| part == what);
            at.unwrap()
        };
        match format {
            ImageFormat::Png => {
                for at in [16, 20] {
                    bytes[at..at + 4].copy_from_slice(&100_000_u32.to_be_bytes());
                }
                let sum = crc32(&bytes[12..29]);
                bytes[29..33].copy_from_slice(&sum.to_be_bytes());
            }
            ImageFormat::Jpeg => {
                let at = find(&bytes, &[0xFF, 0xC0]) + 5;
                bytes[at..at + 4].copy_from_slice(&[0xFF, 0xDC, 0xFF, 0xDC]);
            }
            ImageFormat::Gif => {
                bytes[6..10].fill(0xFF);
                let at = find(&bytes, &[0x2C, 0, 0, 0, 0, 16, 0, 16, 0]) + 5;
                bytes[at..at + 4].fill(0xFF);
            }
            ImageFormat::Bmp => {
                for at in [18, 22] {
                    bytes[at..at + 4].copy_from_slice(&65_500_u32.to_le_bytes());
                }
            }
            ImageFormat::Tiff => {
                // Width, height, and rows of the one strip: a short or long each.
                for tag in [[0x00, 0x01], [0x01, 0x01], [0x16, 0x01]] {
                    let entry = (0..bytes.len() - 12).find(|&at| {
                        bytes[at..at + 2] == tag
                            && bytes[at + 3] == 0
                            && bytes[at + 4..at + 8] == [1, 0, 0, 0]
                    });
                    let at = entry.unwrap();
                    bytes[at + 2] = 4;
                    bytes[at + 8..at + 12].copy_from_slice(&100_000_u32.to_le_bytes());
                }
            }
            ImageFormat::WebP => {
                let at = find(&bytes, b"VP8L") + 9;
                // 14 bits each of width and height, less one: 16,383.
                bytes[at..at + 3].copy_from_slice(&[0xFE, 0xBF, 0xFF]);
                bytes[at + 3] |= 0x0F;
            }
            other => panic!("{other:?}"),
        }
        assert!(bytes.len() < 2048, "{format:?}: {}", bytes.len());
        bytes
    }

    fn crc32(bytes: &[u8]) -> u32 {
        let mut sum = u32::MAX;
        for byte in bytes {
            sum ^= u32::from(*byte);
            for _ in 0..8 {
                sum = (sum >> 1) ^ (0xEDB8_8320 & (sum & 1).wrapping_neg());
            }
        }
        !sum
    }

    const FORMATS: [(ImageFormat, &str); 6] = [
        (ImageFormat::Png, "png"),
        (ImageFormat::Jpeg, "jpg"),
        (ImageFormat::Gif, "gif"),
        (ImageFormat::Bmp, "bmp"),
        (ImageFormat::Tiff, "tif"),
        (ImageFormat::WebP, "webp"),
    ];

    #[test]
    fn images_of_vast_size_are_refused_by_their_headers() {
        for (format, _) in FORMATS {
            let error = decode_rgb(&vast(format), Exif::Ignore).unwrap_err();
            let DecodeError::TooLarge { width, height, .. } = error else {
                panic!("{format:?}: {error:?}");
            };
            assert!(
                width >= 16_383 && height >= 16_383,
                "{format:?}: {width} x {height}"
            );
        }
    }

    /// Detection where one image is bad; it is named.
    fn with_image(name: &str, bytes: &[u8]) -> Ran {
        let work = Work::empty();
        let mut picture = Cursor::new(Vec::new());
        RgbImage::new(16, 16)
            .write_to(&mut picture, ImageFormat::Png)
            .unwrap();
        work.write("a.png", picture.into_inner());
        work.write(name, bytes);
        let text = format!(
            "id,path,label,split,prediction\n1,a.png,cat,train,\n2,{name},cat,val,dog\n3,a.png,dog,val,dog\n"
        );
        work.write("t.csv", text);
        detect(&work, "out").clip().args(["--table", "t.csv"]).run()
    }

    #[test]
    fn an_image_of_vast_size_ends_a_run_by_its_name() {
        for (format, extension) in [FORMATS[0], FORMATS[4]] {
            let name = format!("vast.{extension}");
            let ran = with_image(&name, &vast(format)).exits(3);
            ran.complains(&[&name, "100000 x 100000 pixels, the limit is 64000000"]);
        }
    }

    fn shard(work: &Work, name: &str, image: &[u8]) {
        let mut shard = tar::Builder::new(Vec::new());
        for (name, bytes) in [(name, image), ("0.cls", b"1")] {
            let mut header = tar::Header::new_ustar();
            // The library would not write such names.
            header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
            header.set_size(bytes.len() as u64);
            header.set_mode(0o644);
            header.set_cksum();
            shard.append(&header, bytes).unwrap();
        }
        work.write("shards/val-0.tar", shard.into_inner().unwrap());
    }

    #[test]
    fn shards() {
        let work = Work::empty();
        let refused = |expected: &[&str]| {
            let ran = detect(&work, "out").clip();
            let ran = ran
                .args(["--dataset", "webdataset", "--root", "shards"])
                .run();
            ran.exits(3).complains(expected);
        };
        shard(&work, "../x.png", b"image");
        refused(&["val-0.tar, member 1", "\"../x.png\" leaves the root"]);
        shard(&work, "0.png", &[0; 5000]);
        let path = work.path("shards/val-0.tar");
        let whole = fs::read(&path).unwrap();
        fs::write(&path, &whole[..3000]).unwrap();
        refused(&["val-0.tar, member 1", "\"0.png\" is cut off"]);
        let mut huge = whole;
        huge[124..136].copy_from_slice(b"77777777777\0");
        huge[148..156].fill(b' ');
        let sum: u32 = huge[..512].iter().copied().map(u32::from).sum();
        huge[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        fs::write(&path, huge).unwrap();
        refused(&["val-0.tar, member 1", "\"0.png\" is cut off"]);
    }

    #[test]
    fn rows_of_images() {
        let work = Work::with_world();
        let placed = hub(&work);
        predictions(&work, &placed);
        let path = work.path("hub/data/train-00000-of-00001.parquet");
        let whole = fs::read(&path).unwrap();
        let refused = |expected: &[&str]| {
            let ran = detect(&work, "out").clip();
            let ran = ran.args([
                "--dataset",
                "hf",
                "--root",
                "hub",
                "--predictions",
                "by_id.csv",
            ]);
            ran.run().exits(3).complains(expected);
        };
        fs::write(&path, &whole[..whole.len() / 2]).unwrap();
        refused(&["train-00000-of-00001.parquet: malformed Parquet"]);
        // An image that is none, in the middle of the file.
        let image = fs::read(
            work.path("faces")
                .join(&placed_of(&placed, "train", 30).path),
        )
        .unwrap();
        let at = whole.windows(image.len()).position(|part| part == image);
        let mut spoiled = whole;
        spoiled[at.unwrap()] ^= 0xff;
        fs::write(&path, spoiled).unwrap();
        refused(&["train-00000-of-00001.parquet/30", "not an image"]);
    }

    fn placed_of<'a>(placed: &'a [Placed], split: &str, number: usize) -> &'a Placed {
        placed
            .iter()
            .filter(|one| one.split == split)
            .nth(number)
            .unwrap()
    }
}
