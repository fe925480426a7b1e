//! Whether the API server is of a version that will do, and serves what is needed.

use epiphyte_api::Diagnosis;
use serde_json::Value;

use super::patient::Patient;
use super::report::{Finding, Looked};
use crate::audit::text;

/// The oldest minor version of Kubernetes 1 that Epiphyte runs on.
const OLDEST: u32 = 30;

/// Groups and versions that any of our programs asks for, definitions of our own apart.
const NEEDED: [(&str, &str); 9] = [
    ("admissionregistration.k8s.io", "v1"),
    ("apiextensions.k8s.io", "v1"),
    ("apps", "v1"),
    ("authorization.k8s.io", "v1"),
    ("batch", "v1"),
    ("coordination.k8s.io", "v1"),
    ("discovery.k8s.io", "v1"),
    ("policy", "v1"),
    ("rbac.authorization.k8s.io", "v1"),
];

pub(super) async fn look(patient: &Patient<'_>) -> Looked {
    let version = patient.version.json();
    let told = text(&version, "/gitVersion");
    let groups = patient.cluster.ask("/apis").await.map_err(crate::cluster::Refusal::Fatal)?;
    if patient.version.status != 200 || groups.status != 200 {
        let found = format!("/version and /apis are answered by {} and {}", patient.version.status, groups.status);
        return Ok(vec![Finding::of(Diagnosis::NotTold, found)]);
    }
    let mut findings = Vec::new();
    if minor(&version).is_some_and(|minor| minor < OLDEST) {
        findings.push(Finding::of(Diagnosis::ApiServerTooOld, told));
    }
    let missing = missing(&groups.json());
    findings.extend(missing.into_iter().map(|it| Finding::of(Diagnosis::ApiNotServed, it)));
    if findings.is_empty() {
        findings.push(Finding::of(Diagnosis::ApiServerServes, format!("Kubernetes {told}")));
    }
    Ok(findings)
}

/// The minor version; some providers write a sign behind it.
fn minor(version: &Value) -> Option<u32> {
    let minor = text(version, "/minor");
    minor.get(..minor.find(|it: char| !it.is_ascii_digit()).unwrap_or(minor.len()))?.parse().ok()
}

/// What is needed and not served.
fn missing(groups: &Value) -> Vec<String> {
    let served = |group: &str, version: &str| {
        let groups = groups.get("groups").and_then(Value::as_array).into_iter().flatten();
        let versions = groups
            .filter(|it| text(it, "/name") == group)
            .flat_map(|it| it.get("versions").and_then(Value::as_array).into_iter().flatten());
        versions.into_iter().any(|it| text(it, "/version") == version)
    };
    NEEDED.iter().filter(|(group, version)| !served(group, version)).map(|(g, v)| format!("{g}/{v}")).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_version_is_read_with_what_providers_write_behind_it() {
        assert_eq!(minor(&json!({ "minor": "34" })), Some(34));
        assert_eq!(minor(&json!({ "minor": "29+" })), Some(29));
        assert_eq!(minor(&json!({})), None);
    }

    #[test]
    fn what_is_not_served_is_named() {
        let group = |(name, version): &(&str, &str)| json!({ "name": name, "versions": [{ "version": version }] });
        let all: Vec<Value> = NEEDED.iter().map(group).collect();
        assert!(missing(&json!({ "groups": all })).is_empty());
        assert_eq!(missing(&json!({ "groups": &all[1..] })), ["admissionregistration.k8s.io/v1"]);
    }
}
