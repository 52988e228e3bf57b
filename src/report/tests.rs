//! Every file: what is written reads back equal, and the committed schema is that of the type.

mod overview;
pub(super) mod samples;

use std::fmt::Debug;
use std::fs;
use std::path::Path;

use schemars::{JsonSchema, SchemaGenerator, generate::SchemaSettings};
use serde_json::Value;

use super::*;
use crate::direction::ModeId;

fn reads_back<T: JsonFile + PartialEq + Debug>(file: &T) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file.json");
    file.write(&path).unwrap();
    assert_eq!(T::read(&path).unwrap(), *file);
    let first = fs::read(&path).unwrap();
    T::read(&path).unwrap().write(&path).unwrap();
    assert_eq!(fs::read(&path).unwrap(), first, "the same bytes again");
}

#[test]
fn every_file_reads_back_equal() {
    for full in [true, false] {
        reads_back(&samples::detection(full));
        reads_back(&samples::summary(full));
        reads_back(&samples::evaluation(full));
        reads_back(&samples::run(full));
        reads_back(&samples::pool(full));
    }
}

/// Breaks a sound report.
type Break = fn(&mut Value);

#[test]
fn a_key_that_is_missing_or_wrong_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("report.json");
    let sound = serde_json::to_value(samples::detection(true)).unwrap();
    let breaks: [(&str, Break); 3] = [
        ("splits[0].examples", |r| {
            r["splits"][0]["examples"] = "many".into();
        }),
        ("classes[0]: missing field `cv_score`", |r| {
            r["classes"][0].as_object_mut().unwrap().remove("cv_score");
        }),
        ("label_errors.examples[0].split", |r| {
            r["label_errors"]["examples"][0]["split"] = "tset".into();
        }),
    ];
    for (expected, break_it) in breaks {
        let mut broken = sound.clone();
        break_it(&mut broken);
        fs::write(&path, broken.to_string()).unwrap();
        let error = DetectionReport::read(&path).unwrap_err();
        let JsonFileError::Malformed { key, source, .. } = &error else {
            panic!("{error:?}");
        };
        let found = format!("{key}: {source}");
        assert!(found.starts_with(expected), "{found}");
        assert!(error.to_string().contains(&path.display().to_string()));
    }
}

#[test]
fn entries_are_found_by_their_mode() {
    let report = samples::detection(true);
    let id = ModeId::new(1, 2);
    assert_eq!(report.mode(id).unwrap().mode.class, "dog");
    assert_eq!(report.mode(ModeId::new(2, 1)), None);
    assert_eq!(samples::summary(true).mode(id).unwrap().mode.id(), id);
}

#[test]
fn a_spread_of_nothing_is_none() {
    let spread = retraining::Spread::new(f64::NAN, 0.0);
    assert_eq!((spread.mean, spread.sd), (None, Some(0.0)));
}

#[test]
fn tables_hold_every_space_split_and_mode() {
    let mut report = samples::detection(true);
    for entry in &mut report.classes {
        entry.mode.p_value = Some(0.25);
    }
    let tables = csv::tables(&report, &report.duplicates.first).unwrap();
    let lines = |name: &str| -> Vec<String> {
        let (_, bytes) = tables.iter().find(|(table, _)| *table == name).unwrap();
        let text = String::from_utf8(bytes.clone()).unwrap();
        text.lines().map(str::to_owned).collect()
    };
    let [f, third, upper] = [1.0 - 2.0 / 12.0, 1.0 / 3.0, 1.0 / 3.0 + 0.5];
    let classes = lines("classes.csv");
    assert_eq!(
        classes[1..3],
        [
            format!(
                "clip,val,(overall),,true,12,2,{f},0.75,,,,,,0.875,0.7,0.9,2,0.7,0.4,{upper},,{third},0.5,1,2,3,4,\
                 0.25,3"
            ),
            format!(
                "clip,val,dog,2,true,12,2,{f},{},0.2,{third},0.25,{third},true,0.875,0.7,0.9,2,0.7,0.4,{upper},a finding,\
                 {third},0.5,1,2,3,4,0.25,",
                0.1 + 0.2
            ),
        ]
    );
    assert_eq!(classes.len(), 5, "the other space is there once");
    assert!(
        classes[3].starts_with("other,val,(overall)"),
        "{}",
        classes[3]
    );
    assert_eq!(
        lines("modes.csv")[1],
        format!(
            "1,dog,2,8,20,0.4,1,{},{},false,0.25,{third},a finding,1,12",
            1.0 - third,
            8.0 * (1.0 - third)
        )
    );
    let heads = lines("heads.csv");
    assert_eq!(
        heads[1],
        format!(
            "clip,val,(overall),,10,false,0.7,0.4,{upper},{},3,9.5,{third},,0.1,0.3,",
            0.7 / 0.1
        )
    );
    assert_eq!(lines("deciles.csv").len(), 1 + 4 * 3);
    assert_eq!(
        lines("duplicates.csv")[1],
        "a,test,dog,b,train,cat,embedding"
    );
    assert_eq!(lines("warnings.csv")[2], "no_train,,,false,no train");
    let error = &lines("label_errors.csv")[1];
    assert!(
        error.starts_with("a,b.png,val,dog,cat,0.50999")
            && error.ends_with(",12 15,0.3333333333333333"),
        "{error}"
    );
}

/// The schema as it is committed: draft 2020-12, what is written rather than what is read.
fn schema<T: JsonSchema>() -> String {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    let schema = SchemaGenerator::new(settings).into_root_schema_for::<T>();
    let mut body = schema.to_value();
    // What it is about comes first.
    let mut ordered = serde_json::Map::new();
    if let Some(body) = body.as_object_mut() {
        for key in ["$schema", "title", "description"] {
            ordered.extend(body.remove_entry(key));
        }
        ordered.append(body);
    }
    format!("{:#}\n", Value::Object(ordered))
}

/// With `UPDATE_SCHEMAS=1` in the environment the files are written in place of compared.
#[test]
fn the_committed_schemas_are_those_of_the_types() {
    let update = std::env::var_os("UPDATE_SCHEMAS").is_some();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/schemas");
    for (name, schema) in [
        ("report", schema::<DetectionReport>()),
        ("summary", schema::<Summary>()),
        ("evaluate", schema::<EvaluationReport>()),
        ("run", schema::<RunRecord>()),
        ("pool", schema::<PoolRecord>()),
        ("directions", schema::<DirectionsFile>()),
    ] {
        let path = folder.join(format!("{name}.schema.json"));
        if update {
            fs::write(&path, &schema).unwrap();
        }
        let committed = fs::read_to_string(&path).unwrap_or_default();
        assert!(
            committed == schema,
            "{name}.schema.json is not the type's any more: UPDATE_SCHEMAS=1 cargo test --lib report"
        );
        let missing = undescribed(&serde_json::from_str(&schema).unwrap());
        assert!(missing.is_empty(), "{name}: no words on {missing:?}");
    }
}

/// The properties of a schema that have no description, of its own or of the type that they refer to.
fn undescribed(schema: &Value) -> Vec<String> {
    let mut missing = Vec::new();
    let parts = [schema].into_iter().chain(
        schema["$defs"]
            .as_object()
            .into_iter()
            .flat_map(|defs| defs.values()),
    );
    for part in parts {
        let named = part["properties"].as_object().into_iter().flatten();
        missing.extend(
            named
                .filter(|(_, property)| property["description"].as_str().is_none())
                .map(|(name, _)| name.clone()),
        );
    }
    missing
}
