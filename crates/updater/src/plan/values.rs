//! Differences between the values of two versions of a chart. Pure.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::secret::{HIDDEN, tells};

/// A value that nobody set and that has another default in the next chart.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ValueChange {
    /// Its path, such as `proxy.resources.limits.memory`.
    pub path: String,
    /// The default now, if the chart has one: `null` is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
    /// The default then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Value>,
}

/// The paths of the values in a tree, in order; a list is one value.
pub(super) fn paths(values: &Value) -> Vec<String> {
    leaves(values).into_keys().collect()
}

/// The values that nobody set and that differ.
pub(super) fn changes(before: &Value, defaults: &Value, set: &Value) -> Vec<ValueChange> {
    let (before, after, set) = (leaves(before), leaves(defaults), leaves(set));
    let mut all: Vec<&String> = before.keys().chain(after.keys()).collect();
    all.sort_unstable();
    all.dedup();
    // A value that is set decides over all that is below it, and none below one that is set is a default.
    let is_set = |path: &str| set.keys().any(|set| is_within(path, set) || is_within(set, path));
    let default = |of: &BTreeMap<String, &Value>, path: &str| {
        let value = of.get(path).map(|value| (*value).clone());
        value.map(|value| if path.split('.').any(tells) { HIDDEN.into() } else { value })
    };
    let differs = |path: &&String| before.get(*path) != after.get(*path) && !is_set(path);
    let change = |path: &String| ValueChange {
        path: path.clone(),
        before: default(&before, path),
        after: default(&after, path),
    };
    all.into_iter().filter(differs).map(change).collect()
}

/// The values that people set and that the next chart does not mention, neither themselves nor a tree that they are to go into.
pub(super) fn unknown(set: &Value, defaults: &Value) -> Vec<String> {
    let known = leaves(defaults);
    let mentions = |path: &String| {
        known.iter().any(|(known, value)| {
            // What is empty by default is there to be filled.
            is_within(known, path) || (is_within(path, known) && (path == known || is_empty(value)))
        })
    };
    leaves(set).into_keys().filter(|path| !mentions(path)).collect()
}

fn is_empty(value: &Value) -> bool {
    value.is_null() || value.as_object().is_some_and(Map::is_empty)
}

/// Whether a path is another or below it.
fn is_within(path: &str, other: &str) -> bool {
    path.strip_prefix(other).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

fn leaves(values: &Value) -> BTreeMap<String, &Value> {
    let mut found = BTreeMap::new();
    if let Value::Object(entries) = values {
        walk("", entries, &mut found);
    }
    found
}

fn walk<'a>(above: &str, entries: &'a Map<String, Value>, found: &mut BTreeMap<String, &'a Value>) {
    for (key, value) in entries {
        let path = if above.is_empty() { key.clone() } else { format!("{above}.{key}") };
        match value {
            Value::Object(below) if !below.is_empty() => walk(&path, below, found),
            leaf => {
                found.insert(path, leaf);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_nobody_set_changes_with_the_chart_and_what_was_set_does_not() {
        let before = json!({"image": {"tag": "1", "name": "a"}, "replicas": 3, "gone": true, "args": [1]});
        let after = json!({"image": {"tag": "2", "name": "a"}, "replicas": 1, "new": null, "args": [1, 2]});
        let found = changes(&before, &after, &json!({"replicas": 3}));
        let change = |path: &str, before, after| ValueChange { path: path.to_owned(), before, after };
        assert_eq!(
            found,
            [
                change("args", Some(json!([1])), Some(json!([1, 2]))),
                change("gone", Some(json!(true)), None),
                change("image.tag", Some(json!("1")), Some(json!("2"))),
                change("new", None, Some(json!(null))),
            ]
        );
    }

    #[test]
    fn a_default_that_is_named_like_a_secret_is_not_shown() {
        let found = changes(&json!({"auth": {"password": "a"}}), &json!({"auth": {"password": "b"}}), &json!(null));
        assert_eq!(found.len(), 1);
        assert_eq!(found.first().map(|change| change.after.clone()), Some(Some(json!(HIDDEN))));
    }

    #[test]
    fn what_was_set_and_is_not_in_the_next_chart_is_told() {
        let defaults = json!({"labels": {}, "image": {"tag": "1"}, "nothing": null, "replicas": 1});
        let set = json!({
            "labels": {"a": "b"}, "image": {"tga": "2"}, "nothing": {"x": 1}, "replicas": 2, "old": {"x": 1},
        });
        assert_eq!(unknown(&set, &defaults), ["image.tga", "old.x"]);
    }

    #[test]
    fn no_values_at_all_are_no_differences() {
        assert!(changes(&json!(null), &json!(null), &json!(null)).is_empty());
        assert!(unknown(&json!(null), &json!(null)).is_empty());
    }
}
