//! Predictions from a file of their own, joined to the examples by `id` or `path`.

use std::collections::HashMap;
use std::path::Path;

use super::outputs::{Classes, Outputs};
use super::records::{self, Location};
use super::{Dataset, DatasetError, ExampleId, Split, table};

/// What a join did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joined {
    /// Examples that got a prediction.
    pub matched: usize,
    /// Those of them that had another prediction before.
    pub replaced: usize,
    /// Per split, in order of work, how many examples have no prediction now; splits where all
    /// have one are left out.
    pub without: Vec<(Split, usize)>,
}

/// Gives examples the predictions of a `.csv`, `.jsonl`, `.ndjson` or `.parquet` file.
///
/// Columns: `id` or `path` (`id` counts if both are there), `prediction` or `score`, and optionally
/// `confidence`, `probabilities` and `group`, as in [`table`]. A row replaces what its example had.
/// The data set is taken and a new one of the same examples given back.
///
/// # Errors
///
/// With file and line: rows for unknown examples, second rows for one example, unknown classes, bad
/// cells; and [`DatasetError::NoPredictions`] if the data set has a val split and none of it has a
/// prediction afterwards.
pub fn join_predictions(dataset: Dataset, path: &Path) -> Result<(Dataset, Joined), DatasetError> {
    join_predictions_on(dataset, path, Split::Val)
}

/// As [`join_predictions`], for a use that needs predictions on the split `needed` in place of val.
///
/// # Errors
///
/// Those of [`join_predictions`], with that split.
pub fn join_predictions_on(
    mut dataset: Dataset,
    path: &Path,
    needed: Split,
) -> Result<(Dataset, Joined), DatasetError> {
    let mut rows: Vec<(ExampleId, usize, Outputs)> = Vec::new();
    let keys = Keys::new(&dataset);
    // Line of the row that an example already has.
    let mut taken: HashMap<ExampleId, usize> = HashMap::new();
    records::for_each(path, &mut |row| {
        let id = keys.find(row)?;
        let outputs = Outputs::read(row)?;
        if !outputs.say_something() {
            return Err(row.absent("prediction"));
        }
        if let Some(line) = taken.insert(id, row.place.line) {
            return Err(DatasetError::DuplicatePrediction {
                first: Location { path, line }.to_string(),
                second: row.place.to_string(),
                id: dataset.example(id).id.clone(),
            });
        }
        rows.push((id, row.place.line, outputs));
        Ok(())
    })?;
    drop(keys);

    let matched = rows.len();
    let mut replaced = 0;
    let classes = Classes::new(&dataset.classes);
    for (id, line, outputs) in rows {
        let example = &mut dataset.examples[id.0];
        let old = example.prediction;
        outputs.put(example, &classes, Location { path, line })?;
        replaced += usize::from(old.is_some() && old != example.prediction);
    }
    let (examples, without) = (
        dataset.of_split(needed).count(),
        dataset.without_prediction(needed),
    );
    if examples > 0 && without == examples {
        return Err(DatasetError::NoPredictions {
            split: needed,
            examples,
            path: path.to_owned(),
        });
    }
    let counts = Split::ALL.map(|split| (split, dataset.without_prediction(split)));
    let joined = Joined {
        matched,
        replaced,
        without: counts.into_iter().filter(|(_, count)| *count > 0).collect(),
    };
    Ok((dataset, joined))
}

/// The examples by what a row may name them with.
struct Keys<'a> {
    ids: HashMap<&'a str, ExampleId>,
    /// `None` for a path that several examples share.
    paths: HashMap<&'a str, Option<ExampleId>>,
}

impl<'a> Keys<'a> {
    fn new(dataset: &'a Dataset) -> Self {
        let mut paths = HashMap::with_capacity(dataset.len());
        for (id, example) in dataset.iter() {
            paths
                .entry(example.path.as_str())
                .and_modify(|first| *first = None)
                .or_insert(Some(id));
        }
        Self {
            ids: dataset
                .iter()
                .map(|(id, example)| (example.id.as_str(), id))
                .collect(),
            paths,
        }
    }

    /// The example that a row is about.
    fn find(&self, row: &records::Row<'_>) -> Result<ExampleId, DatasetError> {
        let place = || row.place.to_string();
        if row.has("id") {
            let id = row.required("id")?;
            return self.ids.get(id.as_str()).copied().ok_or_else(|| {
                let (key, value) = ("id", id);
                DatasetError::UnknownExample {
                    place: place(),
                    key,
                    value,
                }
            });
        }
        let path = table::path(row)?;
        match self.paths.get(path.as_str()) {
            Some(Some(id)) => Ok(*id),
            Some(None) => Err(DatasetError::SharedPath {
                place: place(),
                path,
            }),
            None => Err(DatasetError::UnknownExample {
                place: place(),
                key: "path",
                value: path,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::{TableOptions, read_table};
    use super::*;

    /// Examples `1` to `4`: two of val, one of test, one of train.
    fn dataset(folder: &Path) -> Dataset {
        let path = folder.join("table.csv");
        let text = "id,path,label,split\n1,a.jpg,cat,val\n2,b.jpg,dog,val\n\
                    3,c.jpg,cat,test\n4,c.jpg,dog,train\n";
        fs::write(&path, text).unwrap();
        read_table(&path, &TableOptions::default()).unwrap()
    }

    fn join(name: &str, text: &str) -> Result<(Dataset, Joined), DatasetError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        join_predictions(dataset(folder.path()), &path)
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
            matches!(error, DatasetError::MissingColumn { .. }),
            "{error:?}"
        );
    }

    #[test]
    fn a_second_join_counts_what_it_replaces() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p.csv");
        fs::write(&path, "id,prediction\n1,cat\n2,cat\n").unwrap();
        let (data, _) = join_predictions(dataset(folder.path()), &path).unwrap();
        fs::write(&path, "id,prediction\n1,dog\n2,cat\n").unwrap();
        let (data, joined) = join_predictions(data, &path).unwrap();
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
        let error = join("p.csv", "id,prediction\n1,\n").unwrap_err();
        assert!(matches!(error, DatasetError::EmptyCell { .. }), "{error:?}");
    }
}
