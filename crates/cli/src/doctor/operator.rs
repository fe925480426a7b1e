//! Whether the operator is there and ready, and one of its replicas leads.

use epiphyte_api::Diagnosis;
use epiphyte_api::names::LEASE;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::patient::Patient;
use super::report::{Finding, Looked};
use crate::audit::{DEPLOYMENTS, LEASES, text};
use crate::cluster::Refusal;
use crate::uninstall::is_held;

pub(super) async fn look(patient: &Patient<'_>) -> Looked {
    let operators = patient.operators.as_ref().map_err(|why| Refusal::Forbidden(why.clone()))?;
    let Some(operator) = patient.operator() else {
        return Ok(vec![Finding::of(Diagnosis::OperatorMissing, "no Deployment of the name and label of an operator")]);
    };
    let (diagnosis, found) = readiness(operator);
    let mut findings = vec![Finding::of(diagnosis, found).of_object(&DEPLOYMENTS, operator)];
    let others = operators.iter().filter(|it| text(it, "/metadata/namespace") != patient.system);
    findings.extend(others.map(|other| {
        let found = format!("the other is in {}", patient.system);
        Finding::of(Diagnosis::OperatorTwice, found).of_object(&DEPLOYMENTS, other)
    }));
    Ok(findings)
}

/// How many replicas of a Deployment are ready, and what that means.
fn readiness(operator: &Value) -> (Diagnosis, String) {
    let number = |pointer: &str| operator.pointer(pointer).and_then(Value::as_i64);
    let wanted = number("/spec/replicas").unwrap_or(1);
    let ready = number("/status/readyReplicas").unwrap_or_default();
    let images = operator.pointer("/spec/template/spec/containers").and_then(Value::as_array).into_iter().flatten();
    let image = images.map(|it| text(it, "/image")).next().unwrap_or_default();
    let found = format!("{ready} of {wanted} replicas are ready, image {image}");
    let diagnosis = match (wanted, ready) {
        (0, _) => Diagnosis::OperatorScaledToZero,
        (_, 0) => Diagnosis::OperatorNotReady,
        (wanted, ready) if ready < wanted => Diagnosis::OperatorPartlyReady,
        _ => Diagnosis::OperatorReady,
    };
    (diagnosis, found)
}

/// Whether a replica leads.
pub(super) async fn leader(patient: &Patient<'_>) -> Looked {
    let lease = patient.cluster.get(&LEASES, Some(&patient.system), LEASE).await?;
    if lease.is_none() && !patient.has_operator() {
        return Ok(vec![Finding::of(Diagnosis::NothingToCheck, "there is no operator")]);
    }
    let (diagnosis, found) = leads(&lease.unwrap_or_default(), patient.now());
    Ok(vec![Finding::of(diagnosis, found).about(LEASES.kind, &patient.system, LEASE)])
}

fn leads(lease: &Value, now: Timestamp) -> (Diagnosis, String) {
    let holder = text(lease, "/spec/holderIdentity");
    if holder.is_empty() {
        return (Diagnosis::LeaderMissing, "nobody holds the lease".to_owned());
    }
    let renewed = text(lease, "/spec/renewTime").parse::<Timestamp>().unwrap_or(Timestamp::UNIX_EPOCH);
    let ago = SignedDuration::from_secs(now.duration_since(renewed).as_secs().max(0));
    let found = format!("{holder} renewed it {ago:#} ago");
    (if is_held(lease, now) { Diagnosis::LeaderWrites } else { Diagnosis::LeaderStale }, found)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_deployment_is_judged_by_its_ready_replicas() {
        let of = |wanted: i64, ready: i64| {
            readiness(&json!({ "spec": { "replicas": wanted }, "status": { "readyReplicas": ready } })).0
        };
        assert_eq!(of(2, 2), Diagnosis::OperatorReady);
        assert_eq!(of(2, 1), Diagnosis::OperatorPartlyReady);
        assert_eq!(of(2, 0), Diagnosis::OperatorNotReady);
        assert_eq!(of(0, 0), Diagnosis::OperatorScaledToZero);
    }

    #[test]
    fn a_lease_that_ran_out_is_stale() {
        let lease = json!({ "spec": {
            "holderIdentity": "a", "leaseDurationSeconds": 15, "renewTime": "2026-01-01T00:00:00.000000Z",
        } });
        let at = |text: &str| leads(&lease, text.parse().expect("a time"));
        assert_eq!(at("2026-01-01T00:00:10Z").0, Diagnosis::LeaderWrites);
        assert_eq!(at("2026-01-01T00:01:10Z"), (Diagnosis::LeaderStale, "a renewed it 1m 10s ago".to_owned()));
        assert_eq!(leads(&Value::Null, Timestamp::UNIX_EPOCH).0, Diagnosis::LeaderMissing);
    }
}
