//! Tables made here in the hub's layout, and one that `datasets` wrote.

use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, Float64Array, Int64Array, StringArray, StructArray,
};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Field, Fields, Schema};
use arrow::record_batch::RecordBatch;
use parquet::arrow::ArrowWriter;
use parquet::file::properties::{EnabledStatistics, WriterProperties};

use super::*;
use crate::io::IoError;
use crate::io::image::Exif;

const NAMES: &str = r#"{"info": {"features": {
    "image": {"_type": "Image"},
    "label": {"names": ["cat", "dog"], "_type": "ClassLabel"},
    "place": {"names": ["indoors", "outdoors"], "_type": "ClassLabel"}
}}}"#;

/// A picture of one color, as PNG.
fn png(value: u8) -> Vec<u8> {
    let image = image::RgbImage::from_pixel(3, 2, image::Rgb([value, 0, 0]));
    let mut bytes = std::io::Cursor::new(Vec::new());
    image.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    bytes.into_inner()
}

/// A column of images: bytes, path.
fn images(rows: &[(Option<Vec<u8>>, Option<&str>)]) -> ArrayRef {
    let bytes: BinaryArray = rows.iter().map(|row| row.0.as_deref()).collect();
    let paths: StringArray = rows.iter().map(|row| row.1).collect();
    let fields: Fields = vec![
        Field::new("bytes", DataType::Binary, true),
        Field::new("path", DataType::Utf8, true),
    ]
    .into();
    // The hub's tables have no null structs, but other writers' may.
    let there = rows.iter().map(|row| row.0.is_some() || row.1.is_some());
    let nulls = there.collect::<NullBuffer>();
    let columns: Vec<ArrayRef> = vec![Arc::new(bytes), Arc::new(paths)];
    Arc::new(StructArray::new(fields, columns, Some(nulls)))
}

fn ints(values: &[i64]) -> ArrayRef {
    Arc::new(Int64Array::from(values.to_vec()))
}

fn texts(values: &[&str]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

struct Made {
    dir: tempfile::TempDir,
    properties: WriterProperties,
}

impl Made {
    fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
            properties: WriterProperties::default(),
        }
    }

    fn root(&self) -> &Path {
        self.dir.path()
    }

    /// Writes a table, with `features` as the metadata of `datasets`.
    fn table(&self, name: &str, features: Option<&str>, columns: &[(&str, ArrayRef)]) -> PathBuf {
        let fields: Vec<Field> = columns
            .iter()
            .map(|(name, column)| Field::new(*name, column.data_type().clone(), true))
            .collect();
        let mut schema = Schema::new(fields);
        if let Some(features) = features {
            let metadata = [("huggingface".to_owned(), features.to_owned())];
            schema = schema.with_metadata(metadata);
        }
        let columns = columns.iter().map(|(_, column)| column.clone()).collect();
        let batch = RecordBatch::try_new(Arc::new(schema), columns).unwrap();
        let path = self.root().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let file = fs::File::create(&path).unwrap();
        let properties = Some(self.properties.clone());
        let mut writer = ArrowWriter::try_new(file, batch.schema(), properties).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        path
    }

    /// Two pictures, the first's red is `first`, and labels.
    fn pair(&self, name: &str, first: u8, labels: ArrayRef) -> PathBuf {
        let image = images(&[
            (Some(png(first)), Some("a.png")),
            (Some(png(first + 1)), None),
        ]);
        self.table(name, Some(NAMES), &[("image", image), ("label", labels)])
    }

    fn read(&self) -> Result<Dataset, DatasetError> {
        self.chosen(None, None)
    }

    fn chosen(&self, label: Option<&str>, group: Option<&str>) -> Result<Dataset, DatasetError> {
        let options = LayoutOptions {
            label: label.map(str::to_owned),
            group: group.map(str::to_owned),
            ..LayoutOptions::default()
        };
        super::read(self.root(), &options, &mut Remarks::default())
    }

    /// The chain of the error.
    fn refused(&self) -> String {
        chain(&self.read().unwrap_err())
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let source = error.source().map_or_else(String::new, chain);
    format!("{error}: {source}")
}

/// The red of an example's image.
fn red(data: &Dataset, index: usize) -> u8 {
    let image = data.image(&data.examples[index]);
    image.rgb(Exif::Ignore).unwrap().get_pixel(0, 0).0[0]
}

fn ids(data: &Dataset) -> Vec<&str> {
    data.examples.iter().map(|e| e.id.as_str()).collect()
}

#[test]
fn a_table_of_datasets_itself_is_read() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/hf");
    let options = LayoutOptions {
        group: Some("place".to_owned()),
        ..LayoutOptions::default()
    };
    let data = read(&root, &options, &mut Remarks::default()).unwrap();
    assert_eq!(data.classes, ["tench, Tinca tinca", "goldfish"]);
    assert_eq!(data.examples.len(), 5);
    for (i, example) in (0_u8..).zip(&data.examples) {
        let file = "data/validation-00000-of-00001.parquet";
        assert_eq!((example.path.as_str(), example.split), (file, Split::Val));
        assert_eq!(example.id, format!("{file}/{i}"));
        assert_eq!(example.label, usize::from(i % 2));
        let place = (i > 0).then(|| format!("pond {i}"));
        assert_eq!(example.group, place);
        let image = data.image(example).rgb(Exif::Ignore).unwrap();
        assert_eq!(image.dimensions(), (4, 3));
        assert!(image.pixels().all(|p| p.0 == [10 * i, 20 * i, 30 * i]));
    }
}

#[test]
fn splits_are_those_of_file_names_wherever_the_files_lie() {
    let made = Made::new();
    made.pair("data/train-00000-of-00002.parquet", 10, ints(&[0, 1]));
    made.pair("data/train-00001-of-00002.parquet", 20, ints(&[1, 1]));
    made.pair("default/validation/0000.parquet", 30, ints(&[0, 0]));
    made.pair("test.parquet", 40, ints(&[1, 0]));
    fs::write(made.root().join("README.md"), "---").unwrap();
    let data = made.read().unwrap();
    assert_eq!(data.classes, ["cat", "dog"]);
    let splits: Vec<Split> = data.examples.iter().map(|e| e.split).collect();
    let expected = [Split::Train, Split::Train, Split::Val, Split::Test].map(|s| [s; 2]);
    assert_eq!(splits, expected.concat());
    let labels: Vec<usize> = data.examples.iter().map(|e| e.label).collect();
    assert_eq!(labels, [0, 1, 1, 1, 0, 0, 1, 0]);
    let reds: Vec<u8> = (0..8).map(|i| red(&data, i)).collect();
    assert_eq!(reds, [10, 11, 20, 21, 30, 31, 40, 41]);
    assert_eq!(ids(&data)[3], "data/train-00001-of-00002.parquet/1");
    let one = LayoutOptions::default();
    let file = made.root().join("test.parquet");
    let data = super::read(&file, &one, &mut Remarks::default()).unwrap();
    assert_eq!(ids(&data), ["test.parquet/0", "test.parquet/1"]);
    assert_eq!((data.examples[0].split, red(&data, 1)), (Split::Test, 41));
}

#[test]
fn without_metadata_labels_are_numbers_or_text() {
    let made = Made::new();
    let image = || images(&[(Some(png(1)), None), (Some(png(2)), None)]);
    let columns = |label| {
        [
            ("number", ints(&[7, 8])),
            ("img", image()),
            ("label", label),
        ]
    };
    made.table("val.parquet", None, &columns(ints(&[10, 9])));
    let data = made.read().unwrap();
    assert_eq!(data.classes, ["9", "10"]);
    assert_eq!(data.examples[0].label, 1);
    let options = LayoutOptions {
        classes: Some((0..11).map(|i| format!("class {i}")).collect()),
        ..LayoutOptions::default()
    };
    let data = super::read(made.root(), &options, &mut Remarks::default()).unwrap();
    assert_eq!((data.classes.len(), data.examples[0].label), (11, 10));

    made.table("val.parquet", None, &columns(texts(&["owl", "eel"])));
    let data = made.chosen(None, Some("number")).unwrap();
    assert_eq!(data.classes, ["eel", "owl"]);
    assert_eq!(data.examples[0].group.as_deref(), Some("7"));
    assert_eq!((data.examples[0].label, red(&data, 0)), (1, 1));
}

#[test]
fn a_column_of_bare_bytes_is_one_of_images() {
    let made = Made::new();
    let bytes = BinaryArray::from_iter_values([png(5), png(6)]);
    let columns: [(&str, ArrayRef); 2] = [("image", Arc::new(bytes)), ("label", ints(&[0, 1]))];
    made.table("train.parquet", None, &columns);
    let data = made.read().unwrap();
    assert_eq!([red(&data, 0), red(&data, 1)], [5, 6]);
}

#[test]
fn columns_are_chosen_by_name() {
    let made = Made::new();
    let kinds = BooleanArray::from(vec![true, false]);
    let columns: [(&str, ArrayRef); 4] = [
        (
            "photo",
            images(&[(Some(png(1)), None), (Some(png(2)), None)]),
        ),
        ("breed", texts(&["x", "y"])),
        ("place", ints(&[1, 0])),
        ("old", Arc::new(kinds)),
    ];
    made.table("val.parquet", Some(NAMES), &columns);
    let data = made.chosen(Some("breed"), Some("old")).unwrap();
    assert_eq!(data.classes, ["x", "y"]);
    assert_eq!(data.examples[0].group.as_deref(), Some("true"));
    // The only column that the metadata gives class names.
    let data = made.chosen(None, None).unwrap();
    assert_eq!(data.classes, ["indoors", "outdoors"]);
    let data = made.chosen(Some("breed"), Some("place")).unwrap();
    assert_eq!(data.examples[0].group.as_deref(), Some("outdoors"));
    let error = made.chosen(Some("bread"), None).unwrap_err();
    let DatasetError::MissingColumn { found, .. } = error else {
        panic!("{error:?}");
    };
    assert_eq!(found, ["photo", "breed", "place", "old"]);
}

#[test]
fn labels_that_are_not_known_are_passed_over() {
    let made = Made::new();
    made.pair("test.parquet", 0, ints(&[-1, 1]));
    let mut remarks = Remarks::default();
    let data = super::read(made.root(), &LayoutOptions::default(), &mut remarks).unwrap();
    assert_eq!(ids(&data), ["test.parquet/1"]);
    assert_eq!(red(&data, 0), 1);
    assert!(
        remarks.doubts[0].starts_with("1 row has no label"),
        "{remarks:?}"
    );

    // What other writers leave of it: no metadata, holes, floats, text.
    let image = images(&[
        (Some(png(1)), None),
        (Some(png(2)), None),
        (Some(png(3)), None),
    ]);
    let columns: [ArrayRef; 4] = [
        ints(&[-1, 0, 1]),
        Arc::new(Int64Array::from(vec![None, Some(0), Some(1)])),
        Arc::new(Float64Array::from(vec![f64::NAN, 0.0, 1.0])),
        texts(&["None", "0", "1"]),
    ];
    for (features, label) in [None, Some(NAMES)]
        .into_iter()
        .flat_map(|f| columns.clone().map(|c| (f, c)))
    {
        if features.is_some() && label.data_type() == &DataType::Utf8 {
            continue;
        }
        made.table(
            "test.parquet",
            features,
            &[("image", image.clone()), ("label", label)],
        );
        let mut remarks = Remarks::default();
        let data = super::read(made.root(), &LayoutOptions::default(), &mut remarks).unwrap();
        assert_eq!(
            (data.classes.len(), ids(&data)),
            (2, vec!["test.parquet/1", "test.parquet/2"])
        );
        assert_eq!(data.examples[1].label, 1);
        assert!(
            remarks.doubts[0].starts_with("1 row has no label"),
            "{remarks:?}"
        );
    }
}

#[test]
fn columns_of_predictions_are_read() {
    let made = Made::new();
    let image = images(&[(Some(png(1)), None), (Some(png(2)), None)]);
    let columns = |prediction: ArrayRef| {
        [
            ("image", image.clone()),
            ("label", ints(&[0, 1])),
            ("prediction", prediction),
            (
                "confidence",
                Arc::new(Float64Array::from(vec![0.75, 0.5])) as ArrayRef,
            ),
        ]
    };
    for prediction in [ints(&[1, 1]), texts(&["dog", "dog"])] {
        made.table("val.parquet", Some(NAMES), &columns(prediction));
        let data = made.read().unwrap();
        let said: Vec<_> = data
            .examples
            .iter()
            .map(|e| (e.prediction, e.confidence))
            .collect();
        assert_eq!(said, [(Some(1), Some(0.75)), (Some(1), Some(0.5))]);
    }
    // In the order that the user gives, indices count that.
    made.table("val.parquet", Some(NAMES), &columns(ints(&[0, 1])));
    let options = LayoutOptions {
        classes: Some(["dog", "cat"].map(str::to_owned).to_vec()),
        ..LayoutOptions::default()
    };
    let data = super::read(made.root(), &options, &mut Remarks::default()).unwrap();
    assert_eq!(data.classes, ["dog", "cat"]);
    let said: Vec<_> = data
        .examples
        .iter()
        .map(|e| (e.label, e.prediction))
        .collect();
    assert_eq!(said, [(1, Some(0)), (0, Some(1))]);
}

#[test]
fn what_save_to_disk_wrote_is_named() {
    let made = Made::new();
    fs::create_dir(made.root().join("train")).unwrap();
    fs::write(made.root().join("train/data-00000-of-00001.arrow"), "").unwrap();
    assert!(made.refused().contains("save_to_disk"));
}

#[test]
fn a_path_without_bytes_is_a_file_below_the_root() {
    for statistics in [EnabledStatistics::None, EnabledStatistics::Chunk] {
        let mut made = Made::new();
        made.properties = WriterProperties::builder()
            .set_statistics_enabled(statistics)
            .build();
        fs::create_dir(made.root().join("pictures")).unwrap();
        fs::write(made.root().join("pictures/b.png"), png(9)).unwrap();
        let image = images(&[(Some(png(1)), None), (None, Some("pictures/b.png"))]);
        made.table(
            "val.parquet",
            Some(NAMES),
            &[("image", image), ("label", ints(&[0, 1]))],
        );
        let data = made.read().unwrap();
        assert_eq!(ids(&data), ["val.parquet/0", "val.parquet/1"]);
        assert_eq!(data.examples[1].path, "pictures/b.png");
        assert_eq!((red(&data, 0), red(&data, 1)), (1, 9));
    }
    let bad: [(Option<&str>, &str); 5] = [
        (Some("pictures/none.png"), "no such file below the root"),
        (Some("../secret.png"), "leaves the root"),
        (Some("/etc/passwd"), "is absolute"),
        (Some("https://example.org/a.png"), "is a URL"),
        (None, "neither bytes nor a path"),
    ];
    for (path, expected) in bad {
        let made = Made::new();
        let image = images(&[(Some(png(1)), None), (None, path)]);
        made.table(
            "val.parquet",
            Some(NAMES),
            &[("image", image), ("label", ints(&[0, 1]))],
        );
        let text = made.refused();
        assert!(text.contains("val.parquet, row 1 (from 0)"), "{text}");
        assert!(text.contains(expected), "{text}");
    }
}

#[test]
fn a_split_that_no_file_names_is_that_of_the_column() {
    let made = Made::new();
    let image = images(&[(Some(png(1)), None), (Some(png(2)), None)]);
    let columns = [
        ("image", image.clone()),
        ("label", ints(&[0, 1])),
        ("split", texts(&["train", "test"])),
    ];
    made.table("0000.parquet", Some(NAMES), &columns);
    let data = made.read().unwrap();
    assert_eq!(data.examples[1].split, Split::Test);
    made.table("0000.parquet", Some(NAMES), &columns[..2]);
    assert!(made.refused().contains("names no split"));
    let both = [("split", texts(&["train", "val"]))];
    made.table(
        "train.parquet",
        Some(NAMES),
        &[&columns[..2], &both].concat(),
    );
    fs::remove_file(made.root().join("0000.parquet")).unwrap();
    let text = made.refused();
    assert!(
        text.contains("row 1 (from 0): its split is \"val\", but its path \"train.parquet\""),
        "{text}"
    );
    fs::remove_file(made.root().join("train.parquet")).unwrap();
    let columns = [
        columns[0].clone(),
        columns[1].clone(),
        ("split", texts(&["train", "tost"])),
    ];
    made.table("0000.parquet", Some(NAMES), &columns);
    let text = made.refused();
    assert!(
        text.contains("row 1 (from 0), column \"split\"") && text.contains("tost"),
        "{text}"
    );
}

#[test]
fn faults_name_file_row_and_column() {
    let made = Made::new();
    let path = made.pair("val.parquet", 0, ints(&[0, 2]));
    let text = made.refused();
    let place = format!("{}, row 1 (from 0), column \"label\"", path.display());
    assert!(text.contains(&place) && text.contains("cat, dog"), "{text}");
    let labels = Float64Array::from(vec![0.0, 1.5]);
    made.pair("val.parquet", 0, Arc::new(labels));
    let text = made.refused();
    assert!(
        text.contains(&place) && text.contains("\"1.5\" is not text or a whole number"),
        "{text}"
    );
    let labels = BooleanArray::from(vec![true, false]);
    made.pair("val.parquet", 0, Arc::new(labels));
    let text = made.refused();
    assert!(
        text.contains("column \"label\": is of type Boolean, expected text or whole"),
        "{text}"
    );

    let image: ArrayRef = texts(&["a.png", "b.png"]);
    made.table(
        "val.parquet",
        None,
        &[("image", image), ("label", ints(&[0, 1]))],
    );
    let text = made.refused();
    assert!(
        text.contains("column \"image\": is of type Utf8, expected images"),
        "{text}"
    );
    made.table("val.parquet", None, &[("label", ints(&[0, 1]))]);
    let text = made.refused();
    assert!(
        text.contains("no column \"image\"; there are label"),
        "{text}"
    );

    made.pair("val.parquet", 0, ints(&[0, 1]));
    made.pair("test.parquet", 0, texts(&["cat", "dog"]));
    assert!(made.refused().contains("another type or other class names"));
    fs::remove_file(made.root().join("test.parquet")).unwrap();
    let image = images(&[(Some(png(1)), None)]);
    let columns = [("image", image), ("label", ints(&[0]))];
    made.table("val.parquet", Some("{"), &columns);
    assert!(made.refused().contains("is no JSON"));
    fs::write(
        &path,
        "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n",
    )
    .unwrap();
    assert!(made.refused().contains("git lfs pull"));
    fs::write(&path, "PAR1 and no more").unwrap();
    assert!(made.refused().contains("val.parquet: malformed Parquet"));
    fs::remove_file(&path).unwrap();
    assert!(matches!(
        made.read().unwrap_err(),
        DatasetError::NoExamples { .. }
    ));
}

#[test]
fn an_image_that_is_none_is_named_by_its_row() {
    let made = Made::new();
    let image = images(&[(Some(png(1)), None), (Some(b"text".to_vec()), None)]);
    made.table(
        "val.parquet",
        Some(NAMES),
        &[("image", image), ("label", ints(&[0, 1]))],
    );
    let data = made.read().unwrap();
    let error = data.image(&data.examples[1]).rgb(Exif::Ignore).unwrap_err();
    assert!(matches!(&error, IoError::Image { path, .. } if path.ends_with("val.parquet/1")));
}
