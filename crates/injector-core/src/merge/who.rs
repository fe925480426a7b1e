//! Who the telemetry is from: what the user says, else what the node agent found, else what the pod's name tells.

use super::{Editor, Facts};
use crate::{
    attributes,
    host::Host,
    identity::{NAMESPACE, POD},
    pod_name::{Owner, PodName},
    variables::Variable,
};

const SERVICE: &str = "service.name";

pub(super) fn introduce(editor: &mut Editor<'_, '_>, facts: &Facts<'_>) -> Option<()> {
    let given = editor.given(Variable::ResourceAttributes).unwrap_or_default();
    let container = editor.given(Variable::ContainerName).filter(|name| attributes::is_value(name));
    let host = if facts.identity.get(POD).is_some() { Host::Unknown } else { facts.host };
    let (name, whole) = match host {
        Host::Pod(name) => (name, Some(name)),
        Host::Other(name) => (name, None),
        Host::Unknown => (&b""[..], None),
    };
    let pod = PodName::read(name);

    if !attributes::has(given, SERVICE) {
        let guess = Some(pod.workload).filter(|name| !name.is_empty());
        if let Some(service) = facts.identity.get(SERVICE).or(guess).or(container) {
            editor.supply(Variable::ServiceName, &[service])?;
        }
    }

    let (deployment, replica_set, cron_job, job) = match pod.owner.filter(|_| whole.is_some()) {
        Some(Owner::Deployment(replica_set)) => (Some(pod.workload), Some(replica_set), None, None),
        Some(Owner::CronJob(job)) => (None, None, Some(pod.workload), Some(job)),
        None => (None, None, None, None),
    };
    let own = [
        ("k8s.container.name", container),
        (NAMESPACE, Some(facts.namespace.trim_ascii()).filter(|name| attributes::is_value(name))),
        (POD, whole),
        ("k8s.deployment.name", deployment),
        ("k8s.replicaset.name", replica_set),
        ("k8s.cronjob.name", cron_job),
        ("k8s.job.name", job),
    ];
    let found = own.into_iter().filter_map(|(key, value)| Some((key, value?)));
    let mut missing = facts
        .identity
        .attributes()
        .filter(|(key, _)| *key != SERVICE)
        .chain(found)
        .filter(|(key, _)| !attributes::has(given, key))
        .peekable();
    if missing.peek().is_none() {
        return Some(());
    }
    editor.write(Variable::ResourceAttributes, |text| {
        let start = text.written().len();
        text.push(given)?;
        missing.try_for_each(|(key, value)| attributes::add(text, start, key, value))
    })
}
