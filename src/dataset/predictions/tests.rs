use std::fs;

use super::super::{TableOptions, read_table};
use super::*;

/// Examples `1` to `4`: two of val, one of test, one of train.
fn dataset(folder: &Path) -> Dataset {
    let path = folder.join("table.csv");
    let text = "id,path,label,split\n1,a.jpg,cat,val\n2,b.jpg,dog,val\n\
                3,c.jpg,cat,test\n4,c.jpg,dog,train\n";
    fs::write(&path, text).unwrap();
    read_table(&path, &TableOptions::default(), &mut Remarks::default()).unwrap()
}

fn join(name: &str, text: &str) -> Result<(Dataset, Joined), DatasetError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, text).unwrap();
    join_predictions(dataset(folder.path()), &path, &mut Remarks::default())
}

#[test]
fn by_id_and_by_path() {
    let (data, joined) = join(
        "p.csv",
        "id,prediction,confidence,probabilities,group\n\
         2,cat,0.75,\"[0.75, 0.25]\",grass\n3,dog,,,\n",
    )
    .unwrap();
    assert_eq!(
        joined,
        Joined {
            matched: 2,
            replaced: 0,
            without: vec![(Split::Train, 1), (Split::Val, 1)],
        }
    );
    let two = &data.examples[1];
    assert_eq!((two.prediction, two.confidence), (Some(0), Some(0.75)));
    assert_eq!(two.probabilities.as_deref(), Some(&[0.75, 0.25][..]));
    assert_eq!(two.group.as_deref(), Some("grass"));
    assert_eq!(data.examples[2].prediction, Some(1));
    assert_eq!(data.examples[0].prediction, None);

    let (data, joined) = join(
        "p.jsonl",
        "{\"path\": \"./a.jpg\", \"prediction\": \"dog\"}\n",
    )
    .unwrap();
    assert_eq!(joined.matched, 1);
    assert_eq!(data.examples[0].prediction, Some(1));
}

#[test]
fn a_score_stands_where_there_is_no_prediction() {
    let text = "id,prediction,score\n1,,-2.5\n2,cat,0.25\n3,,7\n";
    let (data, joined) = join("p.csv", text).unwrap();
    assert_eq!(
        (joined.matched, joined.without),
        (3, vec![(Split::Train, 1)])
    );
    let one = &data.examples[0];
    assert_eq!((one.prediction, one.score), (None, Some(-2.5)));
    let two = &data.examples[1];
    assert_eq!((two.prediction, two.score), (Some(0), None));
    for cell in ["nan", "inf", "high"] {
        let error = join("p.csv", &format!("id,score\n1,{cell}\n")).unwrap_err();
        assert!(
            matches!(&error, DatasetError::BadCell { column, .. } if column == "score"),
            "{error:?}"
        );
    }
    let error = join("p.csv", "id,score\n1,\n").unwrap_err();
    assert!(
        matches!(error, DatasetError::NoPredictions { .. }),
        "{error:?}"
    );
}

#[test]
fn a_second_join_counts_what_it_replaces() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("p.csv");
    fs::write(&path, "id,prediction\n1,cat\n2,cat\n").unwrap();
    let (data, _) =
        join_predictions(dataset(folder.path()), &path, &mut Remarks::default()).unwrap();
    fs::write(&path, "id,prediction\n1,dog\n2,cat\n").unwrap();
    let (data, joined) = join_predictions(data, &path, &mut Remarks::default()).unwrap();
    assert_eq!((joined.matched, joined.replaced), (2, 1));
    assert_eq!(data.examples[0].prediction, Some(1));
}

#[test]
fn unknown_examples_are_named() {
    let error = join("p.csv", "id,prediction\n1,cat\n9,cat\n").unwrap_err();
    let DatasetError::UnknownExample {
        place,
        key: "id",
        value,
        ..
    } = &error
    else {
        panic!("{error:?}");
    };
    assert!(place.ends_with("p.csv, line 3") && value == "9", "{place}");

    let error = join("p.csv", "path,prediction\nx.jpg,cat\n").unwrap_err();
    assert!(
        matches!(error, DatasetError::UnknownExample { key: "path", .. }),
        "{error:?}"
    );
}

#[test]
fn unknown_classes_list_the_known() {
    let error = join("p.csv", "id,prediction\n1,cat\n2,cow\n").unwrap_err();
    let DatasetError::UnknownClass {
        place, name, known, ..
    } = &error
    else {
        panic!("{error:?}");
    };
    assert!(place.ends_with("line 3") && name == "cow" && known == &["cat", "dog"]);
    assert!(error.to_string().contains("cat, dog"), "{error}");
}

#[test]
fn duplicates_name_both_rows() {
    let error = join("p.csv", "id,prediction\n1,cat\n2,cat\n1,cat\n").unwrap_err();
    let DatasetError::DuplicatePrediction { first, second, id } = &error else {
        panic!("{error:?}");
    };
    assert!(first.ends_with("line 2") && second.ends_with("line 4") && id == "1");
}

#[test]
fn val_without_any_prediction_is_an_error() {
    let error = join("p.csv", "id,prediction\n3,cat\n").unwrap_err();
    assert!(
        matches!(
            error,
            DatasetError::NoPredictions {
                split: Split::Val,
                examples: 2,
                ..
            }
        ),
        "{error:?}"
    );
    assert!(matches!(
        join("p.csv", "id,prediction\n").unwrap_err(),
        DatasetError::NoPredictions { .. }
    ));
}

#[test]
fn shared_paths_and_missing_keys_are_errors() {
    let error = join("p.csv", "path,prediction\nc.jpg,cat\n").unwrap_err();
    assert!(
        matches!(error, DatasetError::SharedPath { .. }),
        "{error:?}"
    );
    let error = join("p.csv", "name,prediction\nc.jpg,cat\n").unwrap_err();
    assert!(
        matches!(&error, DatasetError::MissingColumn { column, .. } if column == "path"),
        "{error:?}"
    );
    let error = join("p.csv", "id,label\n1,cat\n").unwrap_err();
    assert!(
        matches!(&error, DatasetError::MissingColumn { column, .. } if column == "prediction"),
        "{error:?}"
    );
}

/// The same, with what was said; examples as in [`dataset`].
fn said(name: &str, text: &str) -> Result<(Dataset, Remarks), String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, text).unwrap();
    let mut remarks = Remarks::default();
    let joined = join_predictions(dataset(folder.path()), &path, &mut remarks);
    let (data, _) = joined.map_err(|error| error.to_string())?;
    Ok((data, remarks))
}

fn predictions(data: &Dataset) -> Vec<Option<usize>> {
    data.examples.iter().map(|e| e.prediction).collect()
}

#[test]
fn indices_are_read_in_every_form_of_table() {
    for (name, text) in [
        ("p.csv", "id,prediction\n1,1\n2,0\n3,1\n"),
        ("p.csv", "id,prediction\n1,1.0\n2,0.0\n3,1.0\n"),
        ("p.csv", ";id;y_pred\n0;1;1\n1;2;0\n2;3;1\n"),
        ("p.csv", "id,prediction_index\n1,1\n2,0\n3,1\n"),
        (
            "p.jsonl",
            "{\"id\": 1, \"prediction\": 1}\n{\"id\": 2, \"prediction\": 0.0}\n{\"id\": 3, \"prediction\": \"1\"}\n",
        ),
        (
            "p.json",
            "[{\"id\": 1, \"pred\": 1}, {\"id\": 2, \"pred\": 0}, {\"id\": 3, \"pred\": 1}]",
        ),
    ] {
        let (data, remarks) = said(name, text).unwrap_or_else(|e| panic!("{text}: {e}"));
        assert_eq!(
            predictions(&data),
            [Some(1), Some(0), Some(1), None],
            "{text}"
        );
        let order = remarks
            .taken
            .iter()
            .any(|text| text.ends_with("0 = cat, 1 = dog"));
        assert!(order, "{text}: {remarks:?}");
    }
    let error = said("p.csv", "id,prediction\n1,1\n2,2\n").unwrap_err();
    assert!(
        error.contains("line 3") && error.contains("\"2\"") && error.contains("data.classes"),
        "{error}"
    );
}

#[test]
fn the_labels_beside_predictions_settle_what_numbers_mean() {
    let folder = tempfile::tempdir().unwrap();
    let names = ["1", "2", "3"].map(str::to_owned).to_vec();
    let example =
        |(at, label)| crate::dataset::Example::new(format!("{at}.png"), label, Split::Val);
    let examples = [0, 1, 2].into_iter().enumerate().map(example).collect();
    let data = Dataset::new(folder.path().to_owned(), names, examples).unwrap();
    let join = |text: &str| {
        let path = folder.path().join("p.csv");
        fs::write(&path, text).unwrap();
        let joined = join_predictions(data.clone(), &path, &mut Remarks::default());
        joined
            .map(|(data, _)| predictions(&data))
            .map_err(|e| e.to_string())
    };
    let error = join("path,prediction\n0.png,1\n1.png,2\n2.png,2\n").unwrap_err();
    assert!(
        error.contains("prediction_name or prediction_index"),
        "{error}"
    );
    let names = join("path,label,prediction\n0.png,1,1\n1.png,2,2\n2.png,3,2\n");
    assert_eq!(names, Ok(vec![Some(0), Some(1), Some(1)]));
    let indices = join("path,label,prediction\n0.png,0,1\n1.png,1,2\n2.png,2,2\n");
    assert_eq!(indices, Ok(vec![Some(1), Some(2), Some(2)]));
}

#[test]
#[allow(clippy::too_many_lines, reason = "a line a fault")]
fn columns_that_contradict_each_other_name_the_line() {
    let row = |columns: &str, cells: &str| {
        said("p.csv", &format!("id,{columns}\n1,{cells}\n")).map(|(data, _)| predictions(&data)[0])
    };
    let both = "prediction,confidence,probabilities";
    assert_eq!(row(both, "dog,0.62,\"[0.38, 0.62]\""), Ok(Some(1)));
    // Rounded, and two that are equal after rounding.
    assert_eq!(row(both, "dog,0.6,\"[0.38, 0.615]\""), Ok(Some(1)));
    assert_eq!(row(both, "dog,0.5,\"[0.5, 0.5]\""), Ok(Some(1)));
    for (columns, cells, words) in [
        (
            both,
            "dog,0.62,\"[0.62, 0.38]\"",
            "line 2: the prediction is \"dog\", but of the probabilities that of \"cat\"",
        ),
        (
            both,
            "dog,0.9,\"[0.38, 0.62]\"",
            "line 2: the confidence is 0.9, but the probability",
        ),
        (
            "prediction,probability_cat,probability_dog",
            "cat,0.1,0.9",
            "line 2: the prediction is \"cat\"",
        ),
        (
            "prediction,logits",
            "cat,\"[-1, 3]\"",
            "line 2: the prediction is \"cat\"",
        ),
        (
            "prediction,pred_idx",
            "cat,1",
            "line 2: prediction says class \"cat\", prediction_index says \"dog\"",
        ),
        (
            "prediction,split",
            "cat,test",
            "line 2: its split is \"test\", but \"1\" has split \"val\"",
        ),
        (
            "prediction,label",
            "cat,dog",
            "line 2: its label is \"dog\", but \"1\" has label \"cat\"",
        ),
        (
            "prediction,target",
            "cat,1",
            "line 2: its label is \"1\", but \"1\" has label \"cat\"",
        ),
        ("pred,y_pred", "cat,dog", "pred, y_pred could each be it"),
    ] {
        let error = row(columns, cells).unwrap_err();
        assert!(error.contains(words), "{columns}: {error}");
    }
    // Labels of another kind are not compared, and that is said.
    let (_, remarks) = said("p.csv", "id,prediction,label\n1,cat,n02123045\n").unwrap();
    assert!(
        remarks.taken.iter().any(|text| text.contains("n02123045")),
        "{remarks:?}"
    );
    // A score of one class is no confidence.
    let (_, remarks) = said("p.csv", "id,prediction,confidence\n1,cat,0.1\n").unwrap();
    assert!(
        remarks.doubts[0].starts_with("1 confidences are below 1/2"),
        "{remarks:?}"
    );
}

#[test]
fn probabilities_or_logits_alone_are_enough() {
    for (name, text) in [
        (
            "p.jsonl",
            "{\"id\": 1, \"probabilities\": {\"dog\": 0.75, \"cat\": 0.25}}",
        ),
        ("p.jsonl", "{\"id\": 1, \"probs\": [0.25, 0.75]}"),
        ("p.csv", "id,probability_0,probability_1\n1,0.25,0.75\n"),
        ("p.csv", "id,probability_dog,probability_cat\n1,0.75,0.25\n"),
        ("p.csv", "id;probability_dog;probability_cat\n1;0,75;0,25\n"),
        ("p.jsonl", "{\"id\": 1, \"logits\": [1.0, 2.0986123]}"),
    ] {
        let (data, remarks) = said(name, text).unwrap_or_else(|e| panic!("{text}: {e}"));
        let one = &data.examples[0];
        let p = one.confidence.unwrap();
        assert!(
            one.prediction == Some(1) && (p - 0.75).abs() < 1e-6,
            "{text}: {p}"
        );
        assert!(
            remarks
                .taken
                .iter()
                .any(|text| text.contains("the most probable class")),
            "{remarks:?}"
        );
    }
}

#[test]
fn rows_without_a_prediction_are_passed_over_and_counted() {
    for (name, text) in [
        ("p.csv", "id,prediction\n1,\n2,cat\n"),
        ("p.csv", "id,prediction,confidence\n1,nan,nan\n2,cat,0.5\n"),
        ("p.csv", "id,prediction\n1,-1\n2,0\n"),
        (
            "p.jsonl",
            "{\"id\": 1, \"prediction\": null}\n{\"id\": 2, \"prediction\": \"cat\"}\n",
        ),
        (
            "p.jsonl",
            "{\"id\": 1, \"prediction\": \"None\"}\n{\"id\": 2, \"prediction\": \"cat\"}\n",
        ),
    ] {
        let (data, remarks) = said(name, text).unwrap_or_else(|e| panic!("{text}: {e}"));
        assert_eq!(predictions(&data), [None, Some(0), None, None], "{text}");
        assert!(
            remarks.doubts[0].starts_with("1 row has no prediction"),
            "{text}: {remarks:?}"
        );
    }
}

#[test]
fn rows_about_other_images_are_passed_over_where_nothing_lacks() {
    let (data, remarks) = said("p.csv", "id,prediction\n1,cat\n2,cat\n9,cat\n").unwrap();
    assert_eq!(predictions(&data), [Some(0), Some(0), None, None]);
    assert!(remarks.doubts[0].contains("line 4, \"9\""), "{remarks:?}");
    // One of test is there and has none: which row was it to be?
    let folder = tempfile::tempdir().unwrap();
    let table = folder.path().join("table.csv");
    let text = "path,label,split\nval/a.jpg,cat,val\ntest/b.jpg,dog,test\ntest/c.jpg,cat,test\n";
    fs::write(&table, text).unwrap();
    let mut remarks = Remarks::default();
    let data = read_table(&table, &TableOptions::default(), &mut remarks).unwrap();
    let path = folder.path().join("p.csv");
    let text = "path,prediction\nval/a.jpg,cat\ntest/b.jpg,dog\nc.jpg,dog\n";
    fs::write(&path, text).unwrap();
    let error = join_predictions(data, &path, &mut remarks)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("line 4") && error.contains("is it \"test/c.jpg\"?"),
        "{error}"
    );
}

#[test]
fn a_running_number_is_no_id() {
    let (data, remarks) = said(
        "p.csv",
        "id,path,prediction\n100,a.jpg,dog\n101,b.jpg,cat\n",
    )
    .unwrap();
    assert_eq!(predictions(&data), [Some(1), Some(0), None, None]);
    assert!(remarks.taken[0].contains("joined by path"), "{remarks:?}");
}
