//! Identities as trees: what of two may differ, and the name that follows from one.

use serde_json::Value;

use crate::run::settings_diff;

/// A hash of the identity that the order of their keys does not change.
pub(super) fn run_id(identity: &Value) -> String {
    let mut hasher = blake3::Hasher::new();
    for (key, value) in settings_diff::flatten(identity) {
        // Lengths first, so that no two trees run into the same bytes.
        for part in [key, value.to_string()] {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part.as_bytes());
        }
    }
    hasher.finalize().to_hex()[..16].to_owned()
}

/// What one of two commands does not know goes with anything: both forget it.
pub(super) fn forget_unknown(a: &mut Value, b: &mut Value) {
    if a.is_null() || b.is_null() {
        (*a, *b) = (Value::Null, Value::Null);
    } else if let (Value::Object(a), Value::Object(b)) = (a, b) {
        for (key, a) in a {
            if let Some(b) = b.get_mut(key) {
                forget_unknown(a, b);
            }
        }
    }
}

/// Puts what was known before in place of what is not known now.
pub(super) fn fill(now: &mut Value, before: &Value) {
    match (now, before) {
        (now, before) if now.is_null() => *now = before.clone(),
        (Value::Object(now), Value::Object(before)) => {
            for (key, before) in before {
                fill(now.entry(key.clone()).or_insert(Value::Null), before);
            }
        }
        _ => {}
    }
}
