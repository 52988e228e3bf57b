//! What differs between two trees of settings, key by key.

use std::collections::BTreeMap;
use std::fmt::{self, Display};

use serde_json::Value;

/// The most of a value that is shown, in characters.
const MAX_SHOWN: usize = 100;

/// One key whose value differs.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// The key, with its tables before it: `generate.steps`.
    pub key: String,
    /// The value before; none if the key is new.
    pub old: Option<Value>,
    /// The value now; none if the key is gone.
    pub new: Option<Value>,
}

impl Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let show = |value: &Option<Value>| value.as_ref().map_or("(absent)".to_owned(), shorten);
        let Self { key, old, new } = self;
        write!(f, "{key}: {} → {}", show(old), show(new))
    }
}

/// A value on one line, not too long.
fn shorten(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(MAX_SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// The keys whose values differ, sorted; none if the settings mean the same.
///
/// The order of keys does not count. A list counts as one value, unless it holds tables.
pub fn diff(old: &Value, new: &Value) -> Vec<Change> {
    let mut keys: BTreeMap<String, (Option<Value>, Option<Value>)> = BTreeMap::new();
    for (key, value) in flatten(old) {
        keys.entry(key).or_default().0 = Some(value);
    }
    for (key, value) in flatten(new) {
        keys.entry(key).or_default().1 = Some(value);
    }
    keys.into_iter()
        .filter(|(_, (old, new))| old != new)
        .map(|(key, (old, new))| Change { key, old, new })
        .collect()
}

/// Every value that is not a table, by its dotted key, sorted.
pub fn flatten(settings: &Value) -> BTreeMap<String, Value> {
    let mut flat = BTreeMap::new();
    flatten_into(&mut flat, String::new(), settings);
    flat
}

fn flatten_into(flat: &mut BTreeMap<String, Value>, key: String, value: &Value) {
    match value {
        // An empty table has no keys to tell it by.
        Value::Object(table) if !table.is_empty() || key.is_empty() => {
            for (name, value) in table {
                let dot = if key.is_empty() { "" } else { "." };
                flatten_into(flat, format!("{key}{dot}{}", quote(name)), value);
            }
        }
        Value::Array(items) if items.iter().any(Value::is_object) => {
            for (index, value) in items.iter().enumerate() {
                flatten_into(flat, format!("{key}[{index}]"), value);
            }
        }
        _ => {
            flat.insert(key, value.clone());
        }
    }
}

/// A key as TOML spells it, so that a dot in a name is not taken for a table.
fn quote(name: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !name.is_empty() && name.chars().all(bare) {
        name.to_owned()
    } else {
        Value::from(name).to_string()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn shown(old: &Value, new: &Value) -> Vec<String> {
        diff(old, new).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn every_kind_of_change_is_named() {
        let old = json!({"seed": 1, "generate": {"steps": 20, "size": [64, 64]}, "gone": "x"});
        let new = json!({"generate": {"size": [64, 32], "steps": 20}, "seed": 2, "new": {}});
        assert_eq!(
            shown(&old, &new),
            [
                "generate.size: [64,64] → [64,32]",
                "gone: \"x\" → (absent)",
                "new: (absent) → {}",
                "seed: 1 → 2",
            ]
        );
    }

    #[test]
    fn the_order_of_keys_does_not_count() {
        let (a, b) = (
            json!({"a": 1, "b": {"c": 2, "d": 3}}),
            json!({"b": {"d": 3, "c": 2}, "a": 1}),
        );
        assert_eq!(diff(&a, &b), []);
    }

    #[test]
    fn a_dot_in_a_name_is_not_a_table() {
        let changes = diff(&json!({"a.b": 1}), &json!({"a": {"b": 1}}));
        let keys: Vec<_> = changes.iter().map(|change| change.key.as_str()).collect();
        assert_eq!(keys, ["\"a.b\"", "a.b"]);
    }

    #[test]
    fn a_table_that_became_a_value_is_told() {
        assert_eq!(
            shown(&json!({"a": {"b": 1}}), &json!({"a": 1})),
            ["a: (absent) → 1", "a.b: 1 → (absent)"]
        );
    }

    #[test]
    fn tables_in_a_list_are_compared_one_by_one() {
        let old = json!({"models": [{"a": 1, "b": 2}, {"a": 3}]});
        let new = json!({"models": [{"b": 2, "a": 1}, {"a": 4}]});
        assert_eq!(shown(&old, &new), ["models[1].a: 3 → 4"]);
    }

    #[test]
    fn long_values_are_cut_between_characters() {
        let long = json!({"a": "é".repeat(500)});
        let line = &shown(&long, &json!({}))[0];
        assert_eq!(line, &format!("a: \"{}… → (absent)", "é".repeat(99)));
    }
}
