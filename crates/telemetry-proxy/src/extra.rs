//! What a user adds to the Collectors' configurations: a second configuration each, which the Collector merges by its own rules.

use serde::Deserialize;
use serde_json::{Map, Value};

/// What is added to each.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Extra {
    /// To that of *traffic*.
    pub traffic: Option<Addition>,
    /// To that of *events*.
    pub events: Option<Addition>,
}

/// A configuration to be merged in. No file's contents come into it: tokens are in files.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Map<String, Value>")]
pub struct Addition(Map<String, Value>);

impl TryFrom<Map<String, Value>> for Addition {
    type Error = &'static str;

    fn try_from(map: Map<String, Value>) -> Result<Self, Self::Error> {
        if map.values().any(has_template) {
            return Err("nothing is put in the place of ${...} here, for it could be a token");
        }
        if map.get("service").is_some_and(|service| service.get("telemetry").is_some()) {
            return Err("service.telemetry is the proxy's own: by it the Collector's health is told");
        }
        Ok(Self(map))
    }
}

impl Addition {
    /// As the Collector reads it.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut escaped = self.0.clone();
        escaped.values_mut().for_each(escape);
        let mut bytes = serde_json::to_vec_pretty(&escaped).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    }
}

fn has_template(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains("${"),
        Value::Array(values) => values.iter().any(has_template),
        Value::Object(map) => map.iter().any(|(key, value)| key.contains("${") || has_template(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Has every dollar stand for itself.
fn escape(value: &mut Value) {
    match value {
        Value::String(text) => *text = text.replace('$', "$$"),
        Value::Array(values) => values.iter_mut().for_each(escape),
        Value::Object(map) => map.values_mut().for_each(escape),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use crate::settings::Settings;

    fn extra(yaml: &str) -> Result<Option<String>, String> {
        let settings = Settings::from_yaml(&format!("extra: {{traffic: {yaml}}}"))?;
        Ok(settings.extra.traffic.map(|it| String::from_utf8(it.to_bytes()).expect("text")))
    }

    #[test]
    fn it_is_handed_on_as_it_is() {
        let text = extra("{processors: {transform/a: {n: 5, s: 5s, b: true, l: [x]}}}").expect("valid").expect("some");
        let read: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        let wanted = serde_json::json!({"processors": {"transform/a": {"n": 5, "s": "5s", "b": true, "l": ["x"]}}});
        assert_eq!(read, wanted);
        assert_eq!(extra("null"), Ok(None));
    }

    #[test]
    fn no_file_can_be_brought_in_and_a_dollar_stands_for_itself() {
        for bad in ["'${file:/run/epiphyte/admitted}'", "['$${file:/x}']", "{'${env:X}': 1}", "{a: [{b: 'x${y'}]}"] {
            let error = extra(&format!("{{exporters: {bad}}}")).expect_err(bad);
            assert!(error.contains("could be a token"), "{error}");
        }
        assert!(extra("{a: 'x$1'}").expect("valid").expect("some").contains("x$$1"));
    }

    #[test]
    fn what_is_no_mapping_or_takes_the_health_away_is_refused() {
        for bad in ["5", "[]", "text", "{service: {telemetry: {metrics: {level: none}}}}"] {
            assert!(extra(bad).is_err(), "{bad}");
        }
    }
}
