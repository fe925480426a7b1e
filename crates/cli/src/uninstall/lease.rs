//! Whether an operator is at work, by its lease.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::audit::text;

/// Whether somebody holds a lease at a moment.
pub(crate) fn is_held(lease: &Value, now: Timestamp) -> bool {
    if text(lease, "/spec/holderIdentity").is_empty() {
        return false;
    }
    let seconds = lease.pointer("/spec/leaseDurationSeconds").and_then(Value::as_i64).unwrap_or_default();
    let renewed = text(lease, "/spec/renewTime").parse::<Timestamp>();
    renewed.is_ok_and(|renewed| now.duration_since(renewed) < SignedDuration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_lease_is_held_until_it_is_given_back_or_runs_out() {
        let lease = |holder: &str| {
            json!({ "spec": {
                "holderIdentity": holder, "leaseDurationSeconds": 15, "renewTime": "2026-01-01T00:00:00.000000Z",
            } })
        };
        let at = |text: &str| text.parse::<Timestamp>().expect("a time");
        assert!(is_held(&lease("a"), at("2026-01-01T00:00:10Z")));
        assert!(!is_held(&lease("a"), at("2026-01-01T00:00:16Z")));
        assert!(!is_held(&lease(""), at("2026-01-01T00:00:10Z")));
        assert!(!is_held(&json!({}), at("2026-01-01T00:00:10Z")));
    }
}
