//! Settings as a whole: the template, `--set`, and numbers that are none.

use std::error::Error as _;

use serde_json::Value;

use super::*;
use crate::run::settings_diff::flatten;

/// The template with its commented keys, which are those that may be absent.
fn whole_template() -> toml::Table {
    let all: String = template()
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(rest) if rest.contains(" = ") && !rest.contains(": ") => format!("{rest}\n"),
            _ => format!("{line}\n"),
        })
        .collect();
    toml::from_str(&all).unwrap()
}

/// Every key with an example of its value.
fn keys() -> Vec<(String, Value)> {
    let template = serde_json::to_value(whole_template()).unwrap();
    flatten(&template).into_iter().collect()
}

fn checked(assignment: &str) -> Result<CheckedSettings, SettingsError> {
    Settings::read(None, &[assignment.to_owned()])?.check()
}

#[test]
fn the_template_has_every_key() {
    let defaults = serde_json::to_value(Settings::default()).unwrap();
    let there: Vec<String> = keys().into_iter().map(|(key, _)| key).collect();
    let wanted: Vec<String> = flatten(&defaults).into_keys().collect();
    assert_eq!(there, wanted);
}

#[test]
fn no_setting_is_nan_or_infinite() {
    for (key, value) in keys() {
        for bad in ["nan", "inf", "-inf"] {
            let places = match &value {
                Value::Array(items) if items.iter().any(Value::is_number) => items.len(),
                _ => 1,
            };
            for place in 0..places {
                let text = match &value {
                    Value::Array(items) if places > 1 => {
                        let mut items: Vec<String> = items.iter().map(Value::to_string).collect();
                        bad.clone_into(&mut items[place]);
                        format!("{key}=[{}]", items.join(", "))
                    }
                    _ => format!("{key}={bad}"),
                };
                let error = checked(&text).expect_err(&text);
                let cause = error.source().map(ToString::to_string);
                let said = format!("{error} {}", cause.unwrap_or_default());
                assert!(said.contains(&key), "{text}: {said}");
            }
        }
    }
}

#[test]
fn a_scale_of_an_adapter_is_finite() {
    for scale in ["nan", "inf", "-inf"] {
        let error = checked(&format!("generate.lora=[\"style.safetensors:{scale}\"]"));
        assert!(
            matches!(&error, Err(SettingsError::Range { key, .. }) if key == "generate.lora"),
            "{error:?}"
        );
    }
    assert!(
        checked("generate.lora=[\"style.safetensors:-0.5\", \"org/name:a.safetensors\"]").is_ok()
    );
}

#[test]
fn ranges_are_held_at_their_ends() {
    for (fine, not, key) in [
        ("2", "1", "direction.folds"),
        ("1.0", "1.01", "direction.quantile"),
        ("1", "0", "captions.per_class"),
        ("1.5", "0.0", "captions.near_equal"),
        ("1000", "1001", "generate.steps"),
        ("1", "0", "generate.quota"),
        ("1", "0", "generate.batch"),
        ("1", "1.01", "generate.eta"),
        ("8", "12", "generate.height"),
        ("-2", "-2.01", "filter.class_margin"),
        ("0", "-0.1", "filter.min_deviation"),
        ("-1", "1.01", "filter.duplicate.thumbnail"),
    ] {
        assert!(checked(&format!("{key}={fine}")).is_ok(), "{key}={fine}");
        let error = checked(&format!("{key}={not}"));
        assert!(
            matches!(&error, Err(SettingsError::Range { key: found, .. }) if found == key),
            "{error:?}"
        );
    }
}

#[test]
fn the_template_says_the_defaults() {
    assert_eq!(
        toml::from_str::<Settings>(&template()).unwrap(),
        Settings::default()
    );
    let settings: Settings = whole_template().try_into().unwrap();
    assert!(settings.generate.model.is_some() && settings.filter.min_alignment.is_some());
}

#[test]
fn assignments_override_with_types() {
    assert_eq!(checked("generate.steps=12").unwrap().generate.steps, 12);
    assert_eq!(checked("seed=7").unwrap().seed, 7);
    assert_eq!(
        checked("embed.space=a/b.npy").unwrap().embed.space,
        "a/b.npy"
    );
    assert!(matches!(
        checked("generate.steps"),
        Err(SettingsError::Assignment { .. })
    ));
    assert!(matches!(
        checked("generate.stepz=1"),
        Err(SettingsError::Parse { .. })
    ));
    assert!(matches!(
        checked("generate.width=100"),
        Err(SettingsError::Range { key, .. }) if key == "generate.width"
    ));
}

#[test]
fn an_unknown_key_is_named_with_its_line() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "seed = 1\n[generate]\nstps = 3\n").unwrap();
    let error = Settings::read(Some(file.path()), &[]).unwrap_err();
    let SettingsError::Parse { source, .. } = error else {
        panic!("{error:?}")
    };
    let text = source.to_string();
    assert!(text.contains("line 3") && text.contains("stps"), "{text}");
}
