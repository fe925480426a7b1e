//! What nobody may read, in a plan or in what Helm says.

use serde_json::Value;

/// What is shown in place of a secret.
pub(crate) const HIDDEN: &str = "(hidden)";

/// Words in a value's name that tell of a secret.
const TELLING: [&str; 6] = ["token", "password", "passwd", "secret", "credential", "apikey"];

/// Shorter texts are everywhere: to hide them would hide the plan.
const SHORTEST: usize = 6;

/// The texts among the values that people set that are secrets, by the names that they have, the longest first.
pub(crate) fn secrets(set: &Value) -> Vec<String> {
    let mut found = Vec::new();
    collect(set, false, &mut found);
    found.sort_by(|a, b| b.len().cmp(&a.len()).then(a.cmp(b)));
    found.dedup();
    found
}

fn collect(value: &Value, is_secret: bool, found: &mut Vec<String>) {
    match value {
        Value::Object(entries) => entries.iter().for_each(|(key, value)| {
            collect(value, is_secret || tells(key), found);
        }),
        Value::Array(items) => items.iter().for_each(|item| collect(item, is_secret, found)),
        // Line by line, for the lines of a text are indented wherever it is shown.
        Value::String(text) if is_secret => {
            for line in text.lines().map(str::trim).filter(|line| line.len() >= SHORTEST) {
                found.push(line.to_owned());
                // As it stands between quotes.
                found.push(format!("{line:?}").trim_matches('"').to_owned());
            }
        }
        _ => {}
    }
}

/// Whether a name is that of a secret.
pub(crate) fn tells(key: &str) -> bool {
    let key = key.to_ascii_lowercase().replace(['-', '_'], "");
    TELLING.iter().any(|word| key.contains(word))
}

/// A text without the secrets in it.
pub(crate) fn hide(text: &str, secrets: &[String]) -> String {
    secrets.iter().fold(text.to_owned(), |text, secret| text.replace(secret.as_str(), HIDDEN))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_named_like_a_secret_is_one_with_all_that_is_below() {
        let set = json!({
            "lumigoToken": {"value": "t_abcdef"}, "api_key": "k_123456", "replicas": 2, "name": "not-one",
            "passwords": ["p_123456"], "token": "short", "credentials": "first line\nsecond line\n",
        });
        assert_eq!(secrets(&set), ["second line", "first line", "k_123456", "p_123456", "t_abcdef"]);
    }

    #[test]
    fn a_secret_that_holds_another_is_hidden_whole() {
        let secrets = secrets(&json!({"token": "abcdef", "password": "abcdefgh"}));
        assert_eq!(hide("a: abcdefgh, b: abcdef", &secrets), "a: (hidden), b: (hidden)");
    }
}
