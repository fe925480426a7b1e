//! The status of an `InstrumentedApplication`: verdict and reason of each container, and the conditions.

use epiphyte_api::{ContainerStatus, InstrumentedApplicationStatus, Reason, condition};
use epiphyte_plan::{Decision, Finding, Gate, GateState, Replacement, Verdict, Workload};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use serde_json::{Value, json};

use crate::conditions;

/// The status that a workload's object is to have. The times of its conditions say nothing: [`overlay`] sets them.
pub(crate) fn status_of(workload: &Workload, verdict: &Verdict, generation: i64) -> InstrumentedApplicationStatus {
    let condition = |type_: &str, state: GateState, finding: &Finding| Condition {
        type_: type_.to_owned(),
        status: match state {
            GateState::Holds => "True",
            GateState::Fails => "False",
            GateState::Waits | GateState::Unasked => "Unknown",
        }
        .to_owned(),
        reason: finding.reason.code().to_owned(),
        message: finding.to_string(),
        observed_generation: Some(generation),
        last_transition_time: Time(Timestamp::UNIX_EPOCH),
    };
    let gate = |type_, gate: &Gate| condition(type_, gate.state, &gate.finding);
    let (state, finding) = instrumented(workload, verdict);
    InstrumentedApplicationStatus {
        containers: verdict
            .containers
            .iter()
            .map(|container| {
                let settled = container.settled_by();
                ContainerStatus {
                    container_name: container.name.to_string(),
                    verdict: container.decision.as_str().to_owned(),
                    reason: settled.reason.code().to_owned(),
                    message: settled.to_string(),
                }
            })
            .collect(),
        conditions: vec![
            gate(condition::MARKED, &verdict.marked),
            gate(condition::DETECTED, &verdict.detected),
            gate(condition::COLLECTORS_READY, &verdict.collectors),
            condition(condition::INSTRUMENTED, state, &finding),
        ],
    }
}

/// Whether the template is instrumented, and why it is or is not.
pub fn instrumented(workload: &Workload, verdict: &Verdict) -> (GateState, Finding) {
    let is_on = workload.pod.containers.iter().any(|container| workload.pod.instrument(container).is_some());
    let wants_on = verdict.containers.iter().any(|container| matches!(container.decision, Decision::On(_)));
    match (is_on, wants_on) {
        (false, true) => (GateState::Fails, Reason::InstrumentationPending.into()),
        (true, true) if verdict.differs_from(workload) => (GateState::Holds, Reason::InstrumentationPending.into()),
        (true, true) if workload.replacement == Replacement::Manual => {
            (GateState::Holds, Reason::AwaitingPodReplacement.into())
        }
        (true, true) => (GateState::Holds, Reason::Instrumented.into()),
        (true, false) if verdict.differs_from(workload) => (GateState::Holds, Reason::RemovalPending.into()),
        (is_on, false) => (if is_on { GateState::Holds } else { GateState::Fails }, hindrance(verdict)),
    }
}

/// The finding that tells a person the most about why nothing is to be instrumented: the first condition that does not
/// hold, else what settled the first container.
fn hindrance(verdict: &Verdict) -> Finding {
    let gates = [&verdict.marked, &verdict.detected, &verdict.collectors];
    let failing = gates.into_iter().find(|gate| matches!(gate.state, GateState::Fails | GateState::Waits));
    let settled = || verdict.containers.first().map(epiphyte_plan::ContainerVerdict::settled_by);
    failing.map(|gate| gate.finding.clone()).or_else(settled).unwrap_or_else(|| Reason::NotMarked.into())
}

/// Lays the wanted status over the one that is there, as a merge patch: entries and conditions that this build does not
/// know stay, and a condition keeps its transition time unless its status changes. Containers that the template no longer
/// has go.
pub(crate) fn overlay(present: &Value, wanted: &InstrumentedApplicationStatus, now: Timestamp) -> Value {
    let entries = present.pointer("/status/containers").and_then(Value::as_array);
    let containers = wanted.containers.iter().map(|container| {
        let is_it = |entry: &&Value| {
            entry.get("containerName").and_then(Value::as_str) == Some(container.container_name.as_str())
        };
        conditions::laid_over(entries.into_iter().flatten().find(is_it), &json!(container))
    });
    json!({
        "containers": containers.collect::<Vec<_>>(),
        "conditions": conditions::overlay(present, &wanted.conditions, now),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("in range")
    }

    fn wanted(status: &str, reason: &str) -> InstrumentedApplicationStatus {
        InstrumentedApplicationStatus {
            containers: vec![ContainerStatus {
                container_name: "app".to_owned(),
                verdict: "on".to_owned(),
                reason: reason.to_owned(),
                message: "words".to_owned(),
            }],
            conditions: vec![Condition {
                type_: condition::INSTRUMENTED.to_owned(),
                status: status.to_owned(),
                reason: reason.to_owned(),
                message: "words".to_owned(),
                observed_generation: Some(1),
                last_transition_time: Time(Timestamp::UNIX_EPOCH),
            }],
        }
    }

    #[test]
    fn what_a_newer_version_wrote_survives() {
        let present = json!({ "status": {
            "containers": [{ "containerName": "app", "verdict": "off", "agentVersion": "2.0" }],
            "conditions": [
                { "type": "Healthy", "status": "True" },
                { "type": "Instrumented", "status": "False", "score": 7 },
            ],
        }});
        let status = overlay(&present, &wanted("True", "Instrumented"), at(100));
        assert_eq!(status.pointer("/containers/0/agentVersion"), Some(&json!("2.0")));
        assert_eq!(status.pointer("/containers/0/verdict"), Some(&json!("on")));
        assert_eq!(status.pointer("/conditions/0/score"), Some(&json!(7)));
        assert_eq!(status.pointer("/conditions/1/type"), Some(&json!("Healthy")));
    }

    #[test]
    fn a_transition_time_changes_with_the_status_alone() {
        let first = json!({ "status": overlay(&json!({}), &wanted("False", "NotMarked"), at(100)) });
        let another_reason = json!({ "status": overlay(&first, &wanted("False", "CollectorsMissing"), at(200)) });
        let pointer = "/status/conditions/0/lastTransitionTime";
        assert_eq!(another_reason.pointer(pointer), first.pointer(pointer));
        let another_status = json!({ "status": overlay(&another_reason, &wanted("True", "Instrumented"), at(300)) });
        assert_eq!(another_status.pointer(pointer), Some(&json!(Time(at(300)))));
    }

    #[test]
    fn a_container_that_the_template_no_longer_has_goes() {
        let present = json!({ "status": { "containers": [{ "containerName": "gone", "verdict": "on" }] } });
        let status = overlay(&present, &wanted("True", "Instrumented"), at(100));
        assert_eq!(status.pointer("/containers/0/containerName"), Some(&json!("app")));
        assert_eq!(status.pointer("/containers/1"), None);
    }
}
