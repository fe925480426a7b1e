//! What of a workload is ours, and what people wrote on it for us.

use epiphyte_api::WorkloadKind;
use epiphyte_api::names::INSTRUMENT_ANNOTATION;
use epiphyte_plan::{Manifest, Replacement, Workload};
use serde::Deserialize as _;
use serde_json::Value;

use super::finding::{About, Finding};
use super::ours::{parts, version_label};

/// What the keys of people's marks begin with, besides the two whole ones.
const MARKS: [&str; 2] = ["epiphyte.dev/", "lumigo."];

/// A workload that was looked at.
#[derive(Debug)]
pub(super) struct Looked {
    pub(super) workload: Workload,
    pub(super) findings: Vec<Finding>,
    /// Whether it is a ReplicaSet of a Deployment with something of ours: a revision that somebody could go back to.
    pub(super) is_revision: bool,
}

/// Looks at a workload.
///
/// # Errors
/// It cannot be read, and why.
pub(super) fn look(kind: WorkloadKind, object: &Value) -> serde_json::Result<Looked> {
    let workload = Manifest::deserialize(object)?.into_workload(kind);
    let about = About { kind: kind.as_str(), namespace: &workload.namespace, name: &workload.name };
    let mut ours = parts(&workload.pod);
    ours.extend(version_label(object).map(|label| format!("the label {label}")));
    let template = object.pointer(kind.template_pointer());
    ours.extend(template.and_then(version_label).map(|label| format!("the label {label} on its pods")));

    let is_revision = workload.controlled && kind == WorkloadKind::ReplicaSet;
    let mut findings = Vec::new();
    if !ours.is_empty() && !is_revision {
        let what = ours.join("; ");
        findings.push(match (kind, workload.controlled) {
            (WorkloadKind::Job, _) if has_ended(object) => {
                about.information(what, "it has ended, and a Job cannot be changed; it goes with the Job")
            }
            (WorkloadKind::Job, _) => {
                about.leftover(what, "a Job cannot be changed: wait for its end, or delete it and create it again")
            }
            (_, true) => about.leftover(what, "a controller owns it: change what that controller makes it from"),
            (_, false) => about.leftover(
                what,
                format!(
                    "run `epiphyte operator --uninstall`, which says what hinders; by hand: `kubectl edit {} -n {} {}`",
                    kind.as_str().to_lowercase(),
                    workload.namespace,
                    workload.name
                ),
            ),
        });
    }
    let marks = marks(object);
    if !marks.is_empty() && !workload.controlled {
        findings.push(about.information(marks, "a person wrote it, so it stays; without Epiphyte it does nothing"));
    }
    Ok(Looked { workload, findings, is_revision: is_revision && !ours.is_empty() })
}

/// Marks that people wrote on an object: annotations and labels, with their values.
pub(super) fn marks(object: &Value) -> String {
    let of = |what: &str, pointer: &str| -> Vec<String> {
        let members = object.pointer(pointer).and_then(Value::as_object);
        let is_mark = |(key, _): &(&String, &Value)| {
            *key == INSTRUMENT_ANNOTATION || MARKS.iter().any(|prefix| key.starts_with(prefix))
        };
        let marks = members.into_iter().flatten().filter(is_mark);
        let said = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        marks.map(|(key, value)| format!("the {what} {key}: {}", said(value))).collect()
    };
    let mut marks = of("annotation", "/metadata/annotations");
    marks.extend(of("label", "/metadata/labels"));
    if let Some(ours) = version_label(object) {
        marks.retain(|mark| *mark != format!("the label {ours}"));
    }
    marks.join("; ")
}

/// Whether a Job has ended.
fn has_ended(job: &Value) -> bool {
    let conditions = job.pointer("/status/conditions").and_then(Value::as_array);
    let is = |condition: &Value, key: &str, wanted: &[&str]| {
        condition.get(key).and_then(Value::as_str).is_some_and(|value| wanted.contains(&value))
    };
    let ended = |it: &Value| is(it, "type", &["Complete", "Failed"]) && is(it, "status", &["True"]);
    conditions.into_iter().flatten().any(ended)
}

/// Whether the pods of a workload are replaced by themselves once its template has changed.
pub(crate) const fn replaces_pods(replacement: Replacement) -> bool {
    matches!(replacement, Replacement::Rollout)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::finding::Severity;
    use super::*;

    fn with_device(kind: WorkloadKind) -> Value {
        let template = json!({ "spec": { "containers": [
            { "name": "app", "resources": { "limits": { "instrumentation.odigos.io/java-native-community": "1" } } },
        ] } });
        let spec = match kind {
            WorkloadKind::CronJob => json!({ "jobTemplate": { "spec": { "template": template } } }),
            _ => json!({ "template": template }),
        };
        json!({ "metadata": { "name": "cart", "namespace": "shop" }, "spec": spec })
    }

    fn severities(kind: WorkloadKind, object: &Value) -> Vec<Severity> {
        look(kind, object).expect("it is read").findings.into_iter().map(|it| it.severity).collect()
    }

    #[test]
    fn a_workload_of_any_kind_with_something_of_ours_is_left_over() {
        for kind in WorkloadKind::ALL {
            assert_eq!(severities(kind, &with_device(kind)), [Severity::Leftover], "{kind}");
        }
    }

    #[test]
    fn a_job_that_has_ended_is_information() {
        let mut job = with_device(WorkloadKind::Job);
        job["status"] = json!({ "conditions": [{ "type": "Complete", "status": "True" }] });
        assert_eq!(severities(WorkloadKind::Job, &job), [Severity::Information]);
    }

    #[test]
    fn a_replica_set_of_a_deployment_is_a_revision() {
        let mut set = with_device(WorkloadKind::ReplicaSet);
        set["metadata"]["ownerReferences"] = json!([{ "kind": "Deployment", "name": "cart", "controller": true }]);
        let looked = look(WorkloadKind::ReplicaSet, &set).expect("it is read");
        assert!(looked.is_revision && looked.findings.is_empty());
    }

    #[test]
    fn marks_are_information_and_our_version_is_no_mark() {
        let mut marked = json!({ "metadata": {
            "name": "cart", "namespace": "shop", "annotations": { "odigos.io/instrument": "true", "team": "shop" },
            "labels": { "lumigo.auto-trace": "false", "epiphyte.dev/own": "1", "app": "cart" },
        } });
        assert_eq!(
            marks(&marked),
            "the annotation odigos.io/instrument: true; the label epiphyte.dev/own: 1; the label lumigo.auto-trace: false"
        );
        assert_eq!(severities(WorkloadKind::Deployment, &marked), [Severity::Information]);
        marked["metadata"] = json!({ "labels": { "lumigo.auto-trace": "lumigo-operator.v0.1.0" } });
        assert_eq!(severities(WorkloadKind::Deployment, &marked), [Severity::Leftover]);
    }
}
