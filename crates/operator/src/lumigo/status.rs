//! The status of a Lumigo: its two conditions, and the workloads that are injected.

use epiphyte_api::{InstrumentedResource, LumigoStatus, Reason, WorkloadKind, lumigo_condition};
use epiphyte_plan::Workload;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

use super::standing::Standing;
use crate::index::{Index, LumigoRecord, WorkloadKey};

/// The most workloads that are listed: an object of some thousand would be too large to be stored.
const LISTED: usize = 1_000;

/// Names of workloads that a message gives.
const NAMED: usize = 3;

/// The order of kinds in the list (Lumigo operator).
const ORDER: [WorkloadKind; 6] = [
    WorkloadKind::DaemonSet,
    WorkloadKind::Deployment,
    WorkloadKind::ReplicaSet,
    WorkloadKind::StatefulSet,
    WorkloadKind::CronJob,
    WorkloadKind::Job,
];

/// The status that a Lumigo is to have, given how it stands. The times of its conditions say nothing.
pub(super) fn status_of(index: &Index, lumigo: &LumigoRecord, standing: &Standing) -> LumigoStatus {
    let condition = |type_: &str, status: &str, reason: Reason, message: String| Condition {
        type_: type_.to_owned(),
        status: status.to_owned(),
        reason: reason.code().to_owned(),
        message,
        observed_generation: Some(lumigo.generation),
        last_transition_time: Time(Timestamp::UNIX_EPOCH),
    };
    let resources = if index.counts(lumigo) { injected(index, &lumigo.namespace) } else { Vec::new() };
    let (active, error) = match standing {
        Standing::Active | Standing::Unknown => {
            let more = resources.len().saturating_sub(LISTED);
            let note =
                if more > 0 { format!(" {more} more workloads are injected than are listed.") } else { String::new() };
            (
                ("True", Reason::LumigoActive, format!("Lumigo is ready.{note}")),
                ("False", Reason::LumigoActive, String::new()),
            )
        }
        Standing::Error(reason) => (
            ("False", *reason, "This Lumigo has an error, see the 'Error' condition.".to_owned()),
            ("True", *reason, complaint(lumigo, *reason)),
        ),
        Standing::Deleting(left) => (
            ("False", Reason::LumigoBeingDeleted, farewell(left)),
            ("False", Reason::LumigoBeingDeleted, String::new()),
        ),
    };
    LumigoStatus {
        conditions: vec![
            condition(lumigo_condition::ACTIVE, active.0, active.1, active.2),
            condition(lumigo_condition::ERROR, error.0, error.1, error.2),
        ],
        instrumented_resources: resources.into_iter().take(LISTED).collect(),
    }
}

/// What is wrong, in the words of the Lumigo operator, and what to do.
fn complaint(lumigo: &LumigoRecord, reason: Reason) -> String {
    let LumigoRecord { namespace, fact, .. } = lumigo;
    let (secret, key) = fact.token.as_ref().map_or(("", ""), |token| (&*token.name, &*token.key));
    let what = match reason {
        Reason::OtherLumigo => return format!("other Lumigo instances in this namespace. {}", reason.next_step()),
        Reason::TokenNotReferenced => "no reference to a secret is given".to_owned(),
        Reason::SecretNameMissing => "no name of a secret is specified".to_owned(),
        Reason::SecretKeyMissing => format!("no key is specified for the secret '{namespace}/{secret}'"),
        Reason::SecretNotFound => format!("cannot retrieve secret '{namespace}/{secret}': it does not exist"),
        Reason::SecretForbidden => format!("cannot retrieve secret '{namespace}/{secret}': not allowed to read it"),
        Reason::SecretKeyNotFound => format!("the secret '{namespace}/{secret}' does not have the key '{key}'"),
        Reason::TokenMalformed => format!(
            "the value of the field '{key}' of the secret '{namespace}/{secret}' is no token, which is `t_` and 21 \
             hexadecimal digits in lower case, and nothing else"
        ),
        other => other.sentence().to_owned(),
    };
    format!("invalid Lumigo token secret reference: {what}. {}", reason.next_step())
}

/// What a Lumigo that is being deleted waits for.
fn farewell(left: &[WorkloadKey]) -> String {
    let named: Vec<String> = left.iter().take(NAMED).map(|key| format!("{} {}", key.kind, key.name)).collect();
    let more = left.len().saturating_sub(NAMED);
    let and_more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!(
        "This Lumigo instance is being deleted; what is yet to be taken off: {}{and_more}. What hinders is told by Events.",
        named.join(", ")
    )
}

/// The workloads of a namespace that are injected, by kind and name.
fn injected(index: &Index, namespace: &str) -> Vec<InstrumentedResource> {
    let is_injected = |workload: &&Workload| workload.pod.containers.iter().any(|container| container.injected);
    let mut workloads: Vec<&Workload> =
        index.workloads_of(namespace).map(|(_, workload)| workload).filter(is_injected).collect();
    let place = |workload: &Workload| ORDER.iter().position(|kind| *kind == workload.kind);
    workloads.sort_unstable_by(|a, b| (place(a), &a.name).cmp(&(place(b), &b.name)));
    let resource = |workload: &Workload| InstrumentedResource {
        api_version: workload.kind.api_version().to_owned(),
        kind: workload.kind.to_string(),
        name: workload.name.to_string(),
        namespace: workload.namespace.to_string(),
        uid: workload.uid.to_string(),
    };
    workloads.into_iter().map(resource).collect()
}
