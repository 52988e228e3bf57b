use std::fs;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, DictionaryArray, Float32Array, Float32Builder, Float64Array, Int64Array,
    LargeStringArray, ListBuilder, StringArray,
};
use arrow::datatypes::Int32Type;

use super::super::Split;
use super::*;
use crate::io::IoError;
use crate::io::jsonl::MAX_LINE_BYTES;

fn read_with(name: &str, text: &[u8], options: &TableOptions) -> Result<Dataset, DatasetError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, text).unwrap();
    read_table(&path, options, &mut Remarks::default())
}

fn csv(text: &str) -> Result<Dataset, DatasetError> {
    read_with("t.csv", text.as_bytes(), &TableOptions::default())
}

fn jsonl(text: &str) -> Result<Dataset, DatasetError> {
    read_with("t.jsonl", text.as_bytes(), &TableOptions::default())
}

#[test]
fn all_columns_of_a_csv() {
    let data = csv(
        "\u{feff}path, label,split,prediction,confidence,probabilities,group,unit,id,other\r\n\
         a/1.jpg,dog,train,cat,0.6,\"[0.6,0.4]\",grass,video 7,x1,?\r\n\
         ./a//2.jpg,cat,validation,,,,,,,\r\n",
    )
    .unwrap();
    assert_eq!(data.classes, ["cat", "dog"]);
    assert_eq!(
        data.examples,
        [
            Example {
                id: "x1".to_owned(),
                path: "a/1.jpg".to_owned(),
                label: 1,
                split: Split::Train,
                prediction: Some(0),
                confidence: Some(0.6),
                probabilities: Some(vec![0.6, 0.4]),
                score: None,
                group: Some("grass".to_owned()),
                unit: Some("video 7".to_owned()),
                member: None,
            },
            Example {
                id: "a/2.jpg".to_owned(),
                path: "a/2.jpg".to_owned(),
                label: 0,
                split: Split::Val,
                prediction: None,
                confidence: None,
                probabilities: None,
                score: None,
                group: None,
                unit: None,
                member: None,
            },
        ]
    );
}

#[test]
fn a_jsonl_with_numbers_and_objects() {
    let data = jsonl(concat!(
        r#"{"path": "1.jpg", "label": 10, "split": "val", "prediction": 2, "probabilities": {"10": 0.1, "2": 0.9}}"#,
        "\n",
        r#"{"path": "2.jpg", "label": 2, "split": "pool", "group": null, "id": 7}"#,
        "\n",
    ))
    .unwrap();
    // By number, not "10" before "2".
    assert_eq!(data.classes, ["2", "10"]);
    assert_eq!(
        (data.examples[0].label, data.examples[0].prediction),
        (1, Some(0))
    );
    assert_eq!(
        data.examples[0].probabilities.as_deref(),
        Some(&[0.9, 0.1][..])
    );
    assert_eq!(
        (data.examples[1].id.as_str(), data.examples[1].split),
        ("7", Split::Pool)
    );
}

#[test]
fn probability_columns_are_put_into_class_order() {
    let data = csv(
        "path,label,split,prediction,probability_dog,probability_cat\n\
         1.jpg,dog,val,cat,0.3,0.7\n2.jpg,cat,val,,,\n",
    )
    .unwrap();
    assert_eq!(
        data.examples[0].probabilities.as_deref(),
        Some(&[0.7, 0.3][..])
    );
    assert_eq!(data.examples[1].probabilities, None);

    let head = "path,label,split,prediction,";
    let error = csv(&format!(
        "{head}probability_cat\n1.jpg,cat,val,cat,1\n2.jpg,dog,val,dog,1\n"
    ));
    let error = error.unwrap_err();
    assert!(
        matches!(&error, DatasetError::MissingColumn { column, .. } if column == "probability_dog"),
        "{error:?}"
    );
    let error = csv(&format!("{head}probability_cow\n1.jpg,cat,val,cat,1\n")).unwrap_err();
    assert!(
        matches!(&error, DatasetError::UnknownClass { name, .. } if name == "cow"),
        "{error:?}"
    );
    let error = csv(&format!(
        "{head}probability_a,probability_b\n1.jpg,a,val,a,1,\n"
    ))
    .unwrap_err();
    assert!(matches!(&error, DatasetError::EmptyCell { column, .. } if column == "probability_b"));
}

#[test]
fn given_classes_and_root_are_used() {
    let options = TableOptions {
        root: Some(PathBuf::from("/data")),
        classes: Some(["dog", "cow", "cat"].map(str::to_owned).to_vec()),
        free_paths: false,
    };
    let text = b"path,label,split\n1.jpg,cat,val\n";
    let data = read_with("t.csv", text, &options).unwrap();
    assert_eq!((data.classes.len(), data.examples[0].label), (3, 2));
    assert_eq!(data.image_path(&data.examples[0]), Path::new("/data/1.jpg"));

    let error = read_with(
        "t.csv",
        b"path,label,split\n1.jpg,cat,val\n2.jpg,ant,val\n",
        &options,
    );
    let DatasetError::UnknownClass {
        place,
        column,
        name,
        known,
    } = error.unwrap_err()
    else {
        panic!("not an unknown class");
    };
    assert!(place.ends_with("t.csv, line 3"), "{place}");
    assert_eq!(
        (column.as_str(), name.as_str(), known.len()),
        ("label", "ant", 3)
    );
}

#[test]
fn missing_columns_and_cells_are_named() {
    let error = csv("path,split\n1.jpg,val\n").unwrap_err();
    let DatasetError::MissingColumn {
        place,
        column,
        found,
    } = &error
    else {
        panic!("{error:?}");
    };
    assert!(place.ends_with("t.csv, line 1") && column == "label" && found == &["path", "split"]);

    let error = jsonl("{\"path\":\"1\",\"label\":\"a\",\"split\":\"val\"}\n\n{\"path\":\"2\"}\n");
    let error = error.unwrap_err();
    let DatasetError::MissingColumn { place, column, .. } = &error else {
        panic!("{error:?}");
    };
    assert!(place.ends_with("line 3") && column == "split");

    let error = csv("path,label,split\n1.jpg,a,val\n2.jpg,a,\n").unwrap_err();
    let DatasetError::EmptyCell { place, column } = &error else {
        panic!("{error:?}");
    };
    assert!(place.ends_with("line 3") && column == "split");

    let error = csv("path,path,label,split\n").unwrap_err();
    assert!(matches!(&error, DatasetError::DuplicateColumn { column, .. } if column == "path"));
}

#[test]
fn quoted_line_breaks_do_not_shift_line_numbers() {
    let error = csv("path,label,split,group\n1.jpg,a,val,\"x\ny\"\n2.jpg,a,vall,\n").unwrap_err();
    let DatasetError::BadSplit { place, source } = &error else {
        panic!("{error:?}");
    };
    assert!(place.ends_with("line 4"), "{place}");
    assert_eq!(source.name, "vall");
}

#[test]
fn bad_cells_are_named() {
    let row = |cells: &str| {
        csv(&format!(
            "path,label,split,prediction,confidence\n{cells}\n"
        ))
    };
    let error = row("1.jpg,a,val,a,high").unwrap_err();
    let DatasetError::BadCell {
        place,
        column,
        value,
        ..
    } = &error
    else {
        panic!("{error:?}");
    };
    assert!(place.ends_with("line 2") && column == "confidence" && value == "high");
    for value in ["1.5", "-0.1", "NaN", "inf"] {
        let error = row(&format!("1.jpg,a,val,a,{value}")).unwrap_err();
        assert!(
            matches!(error, DatasetError::NotAProbability { .. }),
            "{value}: {error:?}"
        );
    }
    let error = row("1.jpg,a,val,,0.5").unwrap_err();
    assert!(matches!(&error, DatasetError::EmptyCell { column, .. } if column == "prediction"));
    let error = row("1.jpg,a,val,b,0.5").unwrap_err();
    assert!(matches!(&error, DatasetError::UnknownClass { column, .. } if column == "prediction"));

    for value in ["true", "1.5", "[1]"] {
        let error = jsonl(&format!(r#"{{"path":"1","label":{value},"split":"val"}}"#)).unwrap_err();
        assert!(matches!(&error, DatasetError::BadCell { column, .. } if column == "label"));
    }
}

#[test]
fn bad_probabilities_are_named() {
    let row = |value: &str| {
        csv(&format!(
            "path,label,split,prediction,probabilities\n1.jpg,a,val,a,\"{value}\"\n2.jpg,b,val,b,\n"
        ))
    };
    assert!(row("[0.5, 0.5]").is_ok());
    for value in ["0.5 0.5", "3", "[0.5, null]", "[0.5, NaN]"] {
        let error = row(value).unwrap_err();
        assert!(
            matches!(error, DatasetError::BadCell { .. }),
            "{value}: {error:?}"
        );
    }
    let error = row("[0.2, 0.3, 0.5]").unwrap_err();
    assert!(matches!(
        error,
        DatasetError::ProbabilityCount {
            found: 3,
            classes: 2,
            ..
        }
    ));
    assert!(matches!(
        row("[4.2, -1]").unwrap_err(),
        DatasetError::NotAProbability { .. }
    ));
    assert!(matches!(
        row("[0.5, 0.1]").unwrap_err(),
        DatasetError::ProbabilitySum { .. }
    ));
}

#[test]
fn ids_must_differ_and_both_lines_are_named() {
    for (first, second) in [("x", "x"), ("caf\u{e9}", "cafe\u{301}")] {
        let text = format!("id,path,label,split\n{first},1.jpg,a,val\n{second},2.jpg,a,val\n");
        let error = csv(&text).unwrap_err();
        let DatasetError::DuplicateId { first, second, .. } = &error else {
            panic!("{error:?}");
        };
        assert!(
            first.ends_with("line 2") && second.ends_with("line 3"),
            "{error}"
        );
    }
}

#[test]
fn paths_that_leave_the_root_name_their_row() {
    for path in [
        "../1.jpg",
        "/etc/passwd",
        "a/../../b",
        "C:/a.jpg",
        "file:///a",
        "..\\b.jpg",
        ".",
    ] {
        let error = csv(&format!("path,label,split\nok.jpg,a,val\n{path},a,val\n")).unwrap_err();
        let DatasetError::BadPath { place, .. } = &error else {
            panic!("{path}: {error:?}");
        };
        assert!(place.ends_with("line 3"), "{place}");
    }
}

#[test]
fn labels_that_cannot_be_read_are_refused() {
    let error = csv("path,label,split\n1.jpg,a,val\n2.jpg,a\0b,val\n").unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("line 3, column \"label\": class \"a\\0b\""),
        "{text}"
    );
    for label in ["../x", "T - shirt / top", "CON"] {
        let table = csv(&format!("path,label,split\n1.jpg,{label},val\n")).unwrap();
        assert_eq!(table.classes(), [label]);
    }
    let error = csv("path,label,split\n1.jpg,Cat,val\n2.jpg,cat,val\n").unwrap_err();
    assert!(
        matches!(error, DatasetError::ClashingClasses { .. }),
        "{error:?}"
    );
}

#[test]
fn malformed_files_are_named() {
    let error = csv("path,label,split\n1.jpg,a\n").unwrap_err();
    let DatasetError::CellCount { place, .. } = &error else {
        panic!("{error:?}");
    };
    assert!(place.ends_with("line 2"), "{place}");

    let error = jsonl("{\"path\": \"1\"\n").unwrap_err();
    assert!(
        matches!(error, DatasetError::Io(IoError::Json { line: 1, .. })),
        "{error:?}"
    );
    let error = jsonl("[1, 2]\n").unwrap_err();
    assert!(
        matches!(error, DatasetError::Io(IoError::Json { line: 1, .. })),
        "{error:?}"
    );

    let options = TableOptions::default();
    let error = read_with("t.csv", b"path,label,split\n\xff,a,val\n", &options).unwrap_err();
    assert!(
        matches!(&error, DatasetError::NotUtf8 { place, .. } if place.ends_with("line 2")),
        "{error:?}"
    );
    let error = read_with("t.jsonl", b"\n{\"path\": \"\xff\"}\n", &options).unwrap_err();
    assert!(
        matches!(&error, DatasetError::NotUtf8 { place, seen, .. }
            if place.ends_with("line 2") && seen.starts_with('\u{ff}')),
        "{error:?}"
    );
    // A quotation mark that is never closed makes one row of the rest of the file.
    let mut text = b"path,label,split\n1.jpg,a,val\n2.jpg,\"a,val\n".to_vec();
    text.extend_from_slice(&b"3.jpg,a,val\n".repeat(2 * MAX_LINE_BYTES / 12));
    let error = read_with("t.csv", &text, &options).unwrap_err();
    assert!(
        matches!(&error, DatasetError::Csv { place, source }
            if place.ends_with("line 3") && source.to_string().contains("not closed")),
        "{error:?}"
    );
    let error = read_with("t.txt", b"", &options).unwrap_err();
    assert!(
        matches!(error, DatasetError::UnknownTable { .. }),
        "{error:?}"
    );
    let error =
        read_table(Path::new("/no/such.csv"), &options, &mut Remarks::default()).unwrap_err();
    assert!(
        matches!(error, DatasetError::Io(IoError::Read { .. })),
        "{error:?}"
    );
}

#[test]
fn tables_without_rows_are_an_error() {
    for text in ["", "path,label,split\n"] {
        let error = csv(text).unwrap_err();
        assert!(
            matches!(error, DatasetError::NoExamples { .. }),
            "{text:?}: {error:?}"
        );
    }
    assert!(matches!(
        jsonl("\n").unwrap_err(),
        DatasetError::NoExamples { .. }
    ));
}

/// A Parquet file of columns, and its folder.
fn parquet(columns: Vec<(&str, arrow::array::ArrayRef)>) -> Result<Dataset, DatasetError> {
    let batch = arrow::record_batch::RecordBatch::try_from_iter(columns).unwrap();
    let bytes = crate::io::parquet::encode(&batch, &[]).unwrap();
    read_with("t.parquet", &bytes, &TableOptions::default())
}

#[test]
fn a_parquet_is_read_as_the_same_table_in_csv_is() {
    let text: DictionaryArray<Int32Type> = ["dog", "cat"].into_iter().collect();
    let mut list = ListBuilder::new(Float32Builder::new());
    list.append_value([Some(0.6), Some(0.4)]);
    list.append_null();
    let got = parquet(vec![
        (
            "path",
            Arc::new(StringArray::from(vec!["a/1.jpg", "./a//2.jpg"])),
        ),
        ("label", Arc::new(text)),
        (
            "split",
            Arc::new(LargeStringArray::from(vec!["train", "val"])),
        ),
        (
            "prediction",
            Arc::new(StringArray::from(vec![Some("cat"), None])),
        ),
        (
            "confidence",
            Arc::new(Float32Array::from(vec![Some(0.6), None])),
        ),
        ("probabilities", Arc::new(list.finish())),
        (
            "group",
            Arc::new(StringArray::from(vec![Some("grass"), None])),
        ),
        ("id", Arc::new(Int64Array::from(vec![7, 8]))),
        ("other", Arc::new(BinaryArray::from(vec![&b"x"[..], b"y"]))),
    ]);
    let want = csv(
        "path,label,split,prediction,confidence,probabilities,group,id\n\
         a/1.jpg,dog,train,cat,0.6,\"[0.6,0.4]\",grass,7\na/2.jpg,cat,val,,,,,8\n",
    );
    let (got, want) = (got.unwrap(), want.unwrap());
    assert_eq!((got.classes, got.examples), (want.classes, want.examples));
}

#[test]
fn faults_of_a_parquet_name_row_and_column() {
    let table = |label: ArrayRef, path: &str| {
        parquet(vec![
            (
                "path",
                Arc::new(StringArray::from(vec!["1.jpg", path])) as _,
            ),
            ("label", label),
            ("split", Arc::new(StringArray::from(vec!["val", "val"]))),
        ])
    };
    let good = || Arc::new(Int64Array::from(vec![3, 10])) as ArrayRef;
    assert_eq!(table(good(), "2.jpg").unwrap().classes, ["3", "10"]);
    let error = table(good(), "../2.jpg").unwrap_err();
    assert!(
        matches!(&error, DatasetError::BadPath { place, .. } if place.ends_with("t.parquet, row 2")),
        "{error:?}"
    );
    let error = table(Arc::new(BinaryArray::from(vec![&b"x"[..], b"y"])), "2.jpg").unwrap_err();
    assert!(
        matches!(&error, DatasetError::BadColumn { column, found, .. } if column == "label" && found == "Binary"),
        "{error:?}"
    );
    let data = table(Arc::new(Float64Array::from(vec![1.0, f64::NAN])), "2.jpg").unwrap();
    assert_eq!(
        (data.classes.clone(), data.examples.len()),
        (vec!["1".to_owned()], 1)
    );
    let error = table(Arc::new(Float64Array::from(vec![1.5, 2.0])), "2.jpg").unwrap_err();
    assert!(
        matches!(&error, DatasetError::BadCell { column, value, .. } if column == "label" && value == "1.5"),
        "{error:?}"
    );
    let error = parquet(vec![
        ("path", Arc::new(StringArray::from(vec!["1.jpg"])) as _),
        ("image", Arc::new(BinaryArray::from(vec![&b"x"[..]]))),
    ]);
    let error = error.unwrap_err();
    assert!(
        matches!(&error, DatasetError::MissingColumn { column, found, .. } if column == "split" && found == &["path", "image"]),
        "{error:?}"
    );
    let error = read_with("t.parquet", b"PAR1 no", &TableOptions::default()).unwrap_err();
    assert!(matches!(error, DatasetError::Parquet { .. }), "{error:?}");
}

#[test]
fn labels_of_mixed_types_name_both_rows() {
    let error = jsonl(concat!(
        r#"{"path": "1.jpg", "label": 3, "split": "val"}"#,
        "\n",
        r#"{"path": "2.jpg", "label": "10", "split": "val"}"#,
    ));
    let error = error.unwrap_err();
    let DatasetError::MixedTypes {
        place,
        column,
        first,
        number,
    } = &error
    else {
        panic!("{error:?}");
    };
    assert!(
        place.ends_with("line 2") && first.ends_with("line 1") && *column == "label" && !number
    );
}

#[test]
fn labels_that_stand_for_nothing_are_passed_over_and_counted() {
    let table = |text: &str, classes: Option<&[&str]>| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.csv");
        fs::write(&path, text).unwrap();
        let classes = classes.map(|names| names.iter().map(|&name| name.to_owned()).collect());
        let options = TableOptions {
            classes,
            ..TableOptions::default()
        };
        let mut remarks = Remarks::default();
        let data = read_table(&path, &options, &mut remarks).unwrap();
        (data.classes, data.examples.len(), remarks.doubts)
    };
    let rows = "path,label,split\n1.jpg,-1,val\n2.jpg,,val\n3.jpg,NaN,val\n4.jpg,None,val\n5.jpg,cat,val\n";
    let (classes, count, doubts) = table(rows, None);
    assert_eq!((classes, count), (vec!["cat".to_owned()], 1));
    assert!(
        doubts[0].starts_with("4 rows have no label and are passed over, the first: ")
            && doubts[0].contains("line 2"),
        "{doubts:?}"
    );
    let (_, count, _) = table(rows, Some(&["cat", "None"]));
    assert_eq!(count, 2);
    // pandas' floats, whose holes are empty.
    let rows = "path,label,split\n1.jpg,1.0,val\n2.jpg,,val\n3.jpg,0.0,val\n";
    let (classes, count, _) = table(rows, None);
    assert_eq!((classes, count), (vec!["0".to_owned(), "1".to_owned()], 2));
}

#[test]
fn numbers_count_given_classes_and_predictions_beside_labels_are_alike() {
    let options = TableOptions {
        classes: Some(["cat", "dog"].map(str::to_owned).to_vec()),
        ..TableOptions::default()
    };
    let text = b"path,label,split,prediction\n1.jpg,1,val,0\n2.jpg,0,val,1\n";
    let data = read_with("t.csv", text, &options).unwrap();
    let said: Vec<_> = data
        .examples
        .iter()
        .map(|e| (e.label, e.prediction))
        .collect();
    assert_eq!(said, [(1, Some(0)), (0, Some(1))]);
    let error = read_with(
        "t.csv",
        b"path,label,split\n1.jpg,1,val\n2.jpg,2,val\n",
        &options,
    );
    let error = error.unwrap_err().to_string();
    assert!(
        error.contains("line 3") && error.contains("\"2\""),
        "{error}"
    );
}

#[test]
fn every_codec_of_a_parquet_is_read() {
    use ::parquet::basic::{BrotliLevel, Compression, GzipLevel, ZstdLevel};
    use ::parquet::file::properties::WriterProperties;
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("path", Arc::new(StringArray::from(vec!["1.jpg", "2.jpg"]))),
        ("label", Arc::new(StringArray::from(vec!["cat", "dog"]))),
        ("split", Arc::new(StringArray::from(vec!["val", "val"]))),
    ];
    let batch = arrow::record_batch::RecordBatch::try_from_iter(columns).unwrap();
    for codec in [
        Compression::UNCOMPRESSED,
        Compression::SNAPPY,
        Compression::GZIP(GzipLevel::default()),
        Compression::BROTLI(BrotliLevel::default()),
        Compression::LZ4,
        Compression::LZ4_RAW,
        Compression::ZSTD(ZstdLevel::default()),
    ] {
        let properties = WriterProperties::builder().set_compression(codec).build();
        let mut bytes = Vec::new();
        let schema = batch.schema();
        let mut writer =
            ::parquet::arrow::ArrowWriter::try_new(&mut bytes, schema, Some(properties)).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        let data = read_with("t.parquet", &bytes, &TableOptions::default());
        assert_eq!(data.unwrap().classes, ["cat", "dog"], "{codec:?}");
    }
}

#[test]
fn tables_as_spreadsheets_and_windows_write_them() {
    let text = "Path;Label;Split;Pred;Conf\r\nval\\cat\\1.jpg;cat;val;dog;0,75\r\nval\\dog\\1.jpg;dog;val;dog;0,5\r\n";
    let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    for bytes in [
        text.as_bytes().to_vec(),
        [&[0xff, 0xfe][..], &utf16].concat(),
    ] {
        let data = read_with("t.csv", &bytes, &TableOptions::default()).unwrap();
        let one = &data.examples[0];
        assert_eq!(
            (one.path.as_str(), one.prediction, one.confidence),
            ("val/cat/1.jpg", Some(1), Some(0.75))
        );
    }
    for number in ["1,234", "0,7,5", "x"] {
        let text = format!("path;label;split;prediction;confidence\n1.jpg;cat;val;cat;{number}\n");
        let error = read_with("t.csv", text.as_bytes(), &TableOptions::default()).unwrap_err();
        assert!(
            matches!(&error, DatasetError::BadCell { column, .. } if column == "confidence"),
            "{error:?}"
        );
    }
}
