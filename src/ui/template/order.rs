//! The order of fields in what `json` prints. Templates keep objects as maps, which have none; Go prints structs in the
//! order of their fields, and maps in that of their keys.

use serde_json::{Map, Value};

use super::{MAPS, ORDERED, PLAIN, SHOWN};

/// Lets every struct carry its own JSON, where its fields are not in the order that a map's keys would have.
pub(super) fn keep(value: &mut Value) {
    keep_in(value, false);
}

fn keep_in(value: &mut Value, is_map: bool) {
    if let Value::Array(items) = value {
        items.iter_mut().for_each(keep);
        return;
    }
    let Value::Object(fields) = value else { return };
    if is_map {
        // Its keys are somebody's own, and may be called as what only structs have.
        fields.retain(|name, _| ![PLAIN, SHOWN, ORDERED].contains(&name.as_str()));
    }
    let has_order = !is_map && !fields.contains_key(PLAIN) && !fields.keys().is_sorted();
    let written = has_order.then(|| plain_fields(fields).to_string());
    for (name, field) in fields.iter_mut() {
        keep_in(field, MAPS.contains(&name.as_str()));
    }
    if let Some(written) = written {
        fields.insert(ORDERED.to_owned(), written.into());
    }
}

/// A value as JSON shows it, without what templates see besides.
fn plain(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(plain).collect(),
        Value::Object(fields) => plain_fields(fields),
        other => other.clone(),
    }
}

fn plain_fields(fields: &Map<String, Value>) -> Value {
    match fields.get(PLAIN) {
        Some(value) => plain(value),
        None => {
            let own = fields.iter().filter(|(name, _)| *name != SHOWN);
            own.map(|(name, value)| (name.clone(), plain(value))).collect()
        }
    }
}
