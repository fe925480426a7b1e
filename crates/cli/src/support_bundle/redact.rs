//! Takes out of texts and objects what is nobody else's business. Pure.

use epiphyte_api::Token;
use serde_json::Value;

/// What stands in the place of a value that was taken out.
const REMOVED: &str = "(left out)";

/// Parts of keys whose values are secrets, or may be.
const SECRET_KEYS: [&str; 9] =
    ["token", "password", "passwd", "secret", "credential", "authorization", "header", "apikey", "api-key"];

/// Keys of secrets' places: they name where one is, and are no secret.
const PLACES: [&str; 4] = ["secretref", "secretname", "authorizationfile", "tokenless"];

/// A text without anything that looks like a token.
pub(super) fn text(text: &str) -> String {
    let mut rest = text;
    let mut clean = String::with_capacity(text.len());
    while let Some(at) = rest.find(Token::PREFIX) {
        let (before, found) = rest.split_at(at);
        let (prefix, after) = found.split_at(Token::PREFIX.len());
        let count = after.bytes().take_while(u8::is_ascii_hexdigit).count();
        clean.push_str(before);
        clean.push_str(if count >= Token::DIGITS { REMOVED } else { prefix });
        rest = if count >= Token::DIGITS { after.get(count..).unwrap_or_default() } else { after };
    }
    clean + rest
}

/// An object without what only machines read, and without values of variables and annotations, and of settings whose
/// keys speak of secrets.
pub(super) fn object(mut object: Value) -> Value {
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("managedFields");
        for value in
            metadata.get_mut("annotations").and_then(Value::as_object_mut).into_iter().flat_map(|it| it.values_mut())
        {
            *value = REMOVED.into();
        }
    }
    if let Some(data) = object.get_mut("data").and_then(Value::as_object_mut) {
        data.values_mut().for_each(|value| *value = value.as_str().map(settings).unwrap_or_default().into());
    }
    if let Some(template) = object.pointer_mut("/spec/template/metadata/annotations") {
        *template = REMOVED.into();
    }
    variables(&mut object);
    object
}

/// Takes out the values of variables, wherever there are any.
fn variables(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for (key, value) in members {
                match (key.as_str(), &mut *value) {
                    ("env", Value::Array(list)) => {
                        for variable in list.iter_mut().filter_map(|it| it.get_mut("value")) {
                            *variable = REMOVED.into();
                        }
                    }
                    _ => variables(value),
                }
            }
        }
        Value::Array(list) => list.iter_mut().for_each(variables),
        _ => {}
    }
}

/// A settings file without the values of keys that speak of secrets: of such a key the line's value goes, and every line that
/// stands further in below it.
fn settings(yaml: &str) -> String {
    let mut below: Option<usize> = None;
    let mut clean = String::new();
    for line in yaml.lines() {
        let depth = line.len() - line.trim_start().len();
        if below.is_some_and(|secret| depth > secret || line.trim().is_empty()) {
            continue;
        }
        below = None;
        match line.find(':').filter(|at| is_secret(line.get(..*at).unwrap_or_default())) {
            Some(at) => {
                clean += line.get(..at).unwrap_or_default();
                clean += ": ";
                clean += REMOVED;
                below = Some(depth);
            }
            // Within braces there may be any number of keys.
            None if line.contains('{') && SECRET_KEYS.iter().any(|key| line.to_lowercase().contains(key)) => {
                clean += REMOVED;
            }
            None => clean += line,
        }
        clean.push('\n');
    }
    clean
}

fn is_secret(key: &str) -> bool {
    let key = key.trim().trim_start_matches("- ").trim_matches(['"', '\'']).to_lowercase();
    !key.starts_with('#') && !PLACES.contains(&key.as_str()) && SECRET_KEYS.iter().any(|secret| key.contains(secret))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_looks_like_a_token_goes_wherever_it_stands() {
        let log = "sent t_0123456789abcdef01234, and t_0123456789ABCDEF0123456; not t_12 nor part_of";
        assert_eq!(text(log), "sent (left out), and (left out); not t_12 nor part_of");
    }

    #[test]
    fn a_variable_keeps_its_name_and_where_it_is_from() {
        let pod = json!({ "spec": { "template": { "spec": { "containers": [{ "env": [
            { "name": "A", "value": "hunter2" }, { "name": "B", "valueFrom": { "secretKeyRef": { "name": "s", "key": "k" } } },
        ] }] } } } });
        let clean = object(pod);
        let env = clean.pointer("/spec/template/spec/containers/0/env").expect("variables");
        assert_eq!(env[0], json!({ "name": "A", "value": "(left out)" }));
        assert_eq!(env[1]["valueFrom"]["secretKeyRef"]["name"], "s");
    }

    #[test]
    fn annotations_and_managed_fields_go() {
        let clean =
            object(json!({ "metadata": { "name": "a", "managedFields": [1], "annotations": { "b": "hunter2" } } }));
        assert_eq!(clean, json!({ "metadata": { "name": "a", "annotations": { "b": "(left out)" } } }));
    }

    #[test]
    fn settings_keep_all_but_the_values_of_secrets() {
        let yaml = "endpoint:\n  otlp:\n    url: https://a\n    headers:\n      x-key: hunter2\n\n      y: hunter3\n  more: 1\n\
                    apiToken: hunter4\nexporter: {auth: {password: hunter5}}\n";
        let expected = "endpoint:\n  otlp:\n    url: https://a\n    headers: (left out)\n  more: 1\n\
                        apiToken: (left out)\n(left out)\n";
        assert_eq!(settings(yaml), expected);
    }
}
