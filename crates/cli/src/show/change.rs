//! A change of an object, as a unified diff of its YAML.

use serde_json::Value;
use similar::TextDiff;

/// Lines shown around each change.
const CONTEXT: usize = 3;

/// What differs, without file names; empty where nothing does.
pub(crate) fn difference(before: &Value, after: &Value) -> anyhow::Result<String> {
    if before == after {
        return Ok(String::new());
    }
    let [before, after] = [before, after].map(yaml_serde::to_string);
    let (before, after) = (before?, after?);
    let difference = TextDiff::from_lines(&before, &after);
    Ok(difference.unified_diff().context_radius(CONTEXT).to_string())
}
