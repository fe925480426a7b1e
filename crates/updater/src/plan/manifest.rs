//! Differences between the objects of two versions of a chart. Pure.

use std::collections::BTreeMap;

use serde::{Deserialize as _, Serialize};
use serde_json::{Map, Value};
use similar::TextDiff;

use crate::secret::{HIDDEN, hide};

/// Lines of context around a difference.
const CONTEXT: usize = 3;

/// An object that changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ObjectChange {
    /// What becomes of it.
    pub verb: Verb,
    /// Its kind.
    pub kind: String,
    /// Its namespace, where the chart names one.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
    /// What differs, as `diff -u` has it; empty for an object that comes or goes.
    pub diff: String,
}

/// What becomes of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verb {
    /// It comes.
    Create,
    /// It stays, and is another then.
    Change,
    /// It goes.
    Delete,
}

/// What tells objects apart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    kind: String,
    namespace: Option<String>,
    name: String,
    group: String,
}

/// The objects that differ between two manifests, without what is secret in them.
pub(super) fn changes(before: &str, after: &str, secrets: &[String]) -> Vec<ObjectChange> {
    let (before, after) = (objects(before), objects(after));
    let mut all: Vec<&Key> = before.keys().chain(after.keys()).collect();
    all.sort_unstable();
    all.dedup();
    all.into_iter().filter_map(|key| change(key, before.get(key), after.get(key), secrets)).collect()
}

fn change(key: &Key, before: Option<&Value>, after: Option<&Value>, secrets: &[String]) -> Option<ObjectChange> {
    let (verb, diff) = match (before, after) {
        (Some(before), Some(after)) if before == after => return None,
        (Some(before), Some(after)) => (Verb::Change, diff(before, after, secrets)),
        (Some(_), None) => (Verb::Delete, String::new()),
        (None, _) => (Verb::Create, String::new()),
    };
    let Key { kind, namespace, name, .. } = key.clone();
    Some(ObjectChange { verb, kind, namespace, name, diff })
}

fn diff(before: &Value, after: &Value, secrets: &[String]) -> String {
    let (mut before, mut after) = masked(before, after);
    // Before it is written out, since YAML has many ways to write a text.
    hide_in(&mut before, secrets);
    hide_in(&mut after, secrets);
    let text = |object: &Value| yaml_serde::to_string(object).unwrap_or_default();
    let (before, after) = (text(&before), text(&after));
    let diff = TextDiff::from_lines(&before, &after);
    diff.unified_diff().context_radius(CONTEXT).to_string()
}

fn hide_in(value: &mut Value, secrets: &[String]) {
    match value {
        Value::String(text) => *text = hide(text, secrets),
        Value::Array(items) => items.iter_mut().for_each(|item| hide_in(item, secrets)),
        Value::Object(entries) => {
            let hidden = std::mem::take(entries).into_iter().map(|(key, mut value)| {
                hide_in(&mut value, secrets);
                (hide(&key, secrets), value)
            });
            *entries = hidden.collect();
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Both objects, with the contents of a Secret hidden; that they differ stays to be seen.
fn masked(before: &Value, after: &Value) -> (Value, Value) {
    let (mut before, mut after) = (before.clone(), after.clone());
    if before.get("kind").and_then(Value::as_str) == Some("Secret") {
        for field in ["data", "stringData"] {
            let was = before.get(field).and_then(Value::as_object).cloned().unwrap_or_default();
            mask(&mut before, field, |_, _| HIDDEN);
            mask(&mut after, field, |key, value| match was.get(key) {
                Some(was) if was != value => "(hidden, another)",
                _ => HIDDEN,
            });
        }
    }
    (before, after)
}

fn mask(object: &mut Value, field: &str, word: impl Fn(&str, &Value) -> &'static str) {
    if let Some(entries) = object.get_mut(field).and_then(Value::as_object_mut) {
        let hidden = |(key, value): (&String, &Value)| (key.clone(), word(key, value).into());
        *entries = entries.iter().map(hidden).collect::<Map<_, _>>();
    }
}

/// The objects of a manifest. Helm rendered it, so what is none is nothing.
fn objects(manifest: &str) -> BTreeMap<Key, Value> {
    let documents = yaml_serde::Deserializer::from_str(manifest);
    documents.filter_map(|document| Value::deserialize(document).ok()).filter_map(|it| Some((key(&it)?, it))).collect()
}

fn key(object: &Value) -> Option<Key> {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let group = text("/apiVersion")?.rsplit_once('/').map(|(group, _)| group.to_owned()).unwrap_or_default();
    Some(Key { kind: text("/kind")?, namespace: text("/metadata/namespace"), name: text("/metadata/name")?, group })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::secret::secrets;

    fn secret(data: &str) -> String {
        format!("apiVersion: v1\nkind: Secret\nmetadata: {{name: s}}\ndata: {data}\n")
    }

    #[test]
    fn objects_come_change_and_go() {
        let before = "# Source: a\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {x: '1'}\n---\n\
                      apiVersion: v1\nkind: Service\nmetadata: {name: gone}\n---\n";
        let after = "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {x: '2'}\n---\n\
                     apiVersion: v1\nkind: ConfigMap\nmetadata: {name: new, namespace: n}\n---\n# nothing\n";
        let found = changes(before, after, &[]);
        let verbs: Vec<_> = found.iter().map(|it| (it.verb, it.kind.as_str(), it.name.as_str())).collect();
        assert_eq!(
            verbs,
            [(Verb::Change, "ConfigMap", "a"), (Verb::Create, "ConfigMap", "new"), (Verb::Delete, "Service", "gone")]
        );
        let diff = found.first().map(|it| it.diff.as_str()).unwrap_or_default();
        assert!(diff.contains("-  x: '1'\n+  x: '2'\n"), "{diff}");
    }

    #[test]
    fn another_version_of_an_api_is_a_change_and_not_another_object() {
        let object = |version: &str| format!("apiVersion: batch/{version}\nkind: CronJob\nmetadata: {{name: c}}\n");
        let found = changes(&object("v1beta1"), &object("v1"), &[]);
        assert_eq!(found.iter().map(|it| it.verb).collect::<Vec<_>>(), [Verb::Change]);
    }

    #[test]
    fn the_contents_of_a_secret_are_never_shown_but_that_they_differ() {
        let found = changes(&secret("{same: YQ==, other: YWFh}"), &secret("{same: YQ==, other: YmJi}"), &[]);
        let diff = found.first().map(|it| it.diff.clone()).unwrap_or_default();
        assert!(!["YQ==", "YWFh", "YmJi"].iter().any(|secret| diff.contains(secret)), "{diff}");
        assert!(diff.contains("+  other: (hidden, another)"), "{diff}");
    }

    proptest! {
        #[test]
        fn no_secret_is_in_a_difference_however_it_is_written(
            secret in "[ -~]{6,20}", before in "[ -~\n]{0,20}", after in "[ -~\n]{0,20}", number: u8,
        ) {
            let secret = secret.trim();
            prop_assume!(secret.len() >= 6 && !HIDDEN.contains(secret));
            let object = |text: &str, number: u8| serde_json::json!({
                "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"},
                "data": {"a": format!("{text}{secret}{text}"), "b": number, secret: [secret]},
            });
            let yaml = |object: &Value| yaml_serde::to_string(object).unwrap_or_default();
            let secrets = secrets(&serde_json::json!({ "token": secret }));
            let (before, after) = (object(&before, number), object(&after, number.wrapping_add(1)));
            let found = changes(&yaml(&before), &yaml(&after), &secrets);
            let diff = found.first().map(|it| it.diff.clone()).unwrap_or_default();
            prop_assert!(diff.contains(HIDDEN), "{}", diff);
            prop_assert!(!diff.contains(secret), "{}", diff);
        }
    }

    #[test]
    fn a_secret_value_is_hidden_wherever_a_chart_puts_it() {
        let object =
            |x: &str| format!("apiVersion: v1\nkind: Pod\nmetadata: {{name: p}}\nspec: {{a: 'x t_secret', b: {x}}}\n");
        let found = changes(&object("1"), &object("2"), &["t_secret".to_owned()]);
        let diff = found.first().map(|it| it.diff.clone()).unwrap_or_default();
        assert!(diff.contains("(hidden)") && !diff.contains("t_secret"), "{diff}");
    }
}
