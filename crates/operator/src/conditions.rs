//! Conditions of a status, laid over those that are there.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use serde_json::{Value, json};

/// The conditions of an object's status with ours over them: those that this build does not know stay, and a condition keeps
/// its transition time unless its status changes.
pub(crate) fn overlay(object: &Value, wanted: &[Condition], now: Timestamp) -> Vec<Value> {
    let present = || object.pointer("/status/conditions").and_then(Value::as_array).into_iter().flatten();
    let type_of = |entry: &Value| entry.get("type").and_then(Value::as_str).unwrap_or_default().to_owned();
    let ours = wanted.iter().map(|condition| {
        let held = present().find(|entry| type_of(entry) == condition.type_);
        let unchanged = held.filter(|it| it.get("status").and_then(Value::as_str) == Some(&condition.status));
        let mut known = json!(condition);
        let since = unchanged.and_then(|it| it.get("lastTransitionTime")).cloned();
        if let Some(time) = known.get_mut("lastTransitionTime") {
            *time = since.unwrap_or_else(|| json!(Time(now)));
        }
        laid_over(held, &known)
    });
    let is_foreign = |entry: &&Value| wanted.iter().all(|condition| condition.type_ != type_of(entry));
    ours.chain(present().filter(is_foreign).cloned()).collect()
}

/// The members of `known` over those of `present`.
pub(crate) fn laid_over(present: Option<&Value>, known: &Value) -> Value {
    let mut entry = present.cloned().unwrap_or_else(|| json!({}));
    if let (Some(entry), Some(known)) = (entry.as_object_mut(), known.as_object()) {
        entry.extend(known.clone());
    }
    entry
}
