//! Generated workloads around generated containers.

use epiphyte_api::{WorkloadKind, names};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Value, json};

use super::container::container;
use super::{MOST_CONTAINERS, Sample, Scope, nothing, perhaps, put};

const CONTAINERS: [&str; MOST_CONTAINERS] = ["checkout", "cart", "mail", "proxy"];

/// A workload as a person may have written it.
pub(super) fn workload(scope: Scope) -> impl Strategy<Value = Sample> {
    let label = || {
        prop_oneof![
            6 => Just(None),
            1 => perhaps([json!("true"), json!("False"), json!("mine"), json!("lumigo-operator.v69")]),
        ]
    };
    (select(WorkloadKind::ALL.to_vec()), pod(scope), label(), label(), metadata(scope), metadata(scope)).prop_map(
        move |(kind, pod, label, template_label, mut metadata, mut template_metadata)| {
            put(&mut metadata, "name", Some("checkout".into()));
            put(&mut metadata, "namespace", Some("default".into()));
            if let Some(label) = label {
                put(&mut metadata, "labels", Some(json!({ names::AUTO_TRACE_LABEL: label })));
            }
            // Jobs select by a label of their own making and need none.
            if !matches!(kind, WorkloadKind::Job | WorkloadKind::CronJob) {
                put(&mut template_metadata, "labels", Some(json!({ "app": "checkout" })));
            }
            if let Some(label) = template_label {
                let mut labels = template_metadata.get("labels").cloned().unwrap_or_else(|| json!({}));
                put(&mut labels, names::AUTO_TRACE_LABEL, Some(label));
                put(&mut template_metadata, "labels", Some(labels));
            }
            let template = json!({ "metadata": template_metadata, "spec": pod });
            let object = json!({
                "apiVersion": kind.api_version(),
                "kind": kind.as_str(),
                "metadata": metadata,
                "spec": spec(kind, template),
            });
            Sample { kind, object }
        },
    )
}

/// The specification of a workload that runs nothing, so that a sample on a real API server stays as it is.
fn spec(kind: WorkloadKind, mut template: Value) -> Value {
    let selector = json!({ "matchLabels": { "app": "checkout" } });
    if let Some(pod) = template.get_mut("spec").filter(|_| is_batch(kind)) {
        put(pod, "restartPolicy", Some("Never".into()));
    }
    match kind {
        WorkloadKind::Deployment | WorkloadKind::ReplicaSet => {
            json!({ "replicas": 0, "selector": selector, "template": template })
        }
        WorkloadKind::StatefulSet => {
            json!({ "replicas": 0, "selector": selector, "serviceName": "checkout", "template": template })
        }
        WorkloadKind::DaemonSet => json!({ "selector": selector, "template": template }),
        WorkloadKind::Job => json!({ "suspend": true, "template": template }),
        WorkloadKind::CronJob => {
            let job = json!({ "metadata": {}, "spec": { "template": template } });
            json!({ "schedule": "0 3 * * *", "suspend": true, "jobTemplate": job })
        }
    }
}

fn is_batch(kind: WorkloadKind) -> bool {
    matches!(kind, WorkloadKind::Job | WorkloadKind::CronJob)
}

fn metadata(scope: Scope) -> BoxedStrategy<Value> {
    let mut pool = vec![
        json!({}),
        json!({ "labels": {} }),
        json!({ "labels": { "team": "shop" } }),
        json!({ "annotations": { "example.com/note~1": "a/b" } }),
        json!({ "creationTimestamp": null }),
    ];
    if scope == Scope::Anything {
        pool.push(json!({ "labels": null, "annotations": null }));
        pool.push(json!({ "labels": { names::AUTO_TRACE_LABEL: null } }));
    }
    super::one_of(pool)
}

fn pod(scope: Scope) -> impl Strategy<Value = Value> {
    let security = perhaps([
        json!({}),
        json!({ "fsGroup": 2000 }),
        json!({ "fsGroup": 0, "runAsNonRoot": true, "runAsUser": 1000 }),
        json!({ "runAsNonRoot": true }),
    ]);
    let affinity = perhaps([json!({ "podAntiAffinity": { "requiredDuringSchedulingIgnoredDuringExecution": [
        { "labelSelector": {}, "topologyKey": "kubernetes.io/hostname" }
    ] } })]);
    let containers = proptest::collection::vec(container(scope), 1..=MOST_CONTAINERS);
    (containers, init_containers(scope), volumes(scope), security, affinity).prop_map(
        move |(mut containers, init_containers, volumes, security, affinity)| {
            for (container, name) in containers.iter_mut().zip(CONTAINERS) {
                put(container, "name", Some(name.into()));
            }
            let mut pod = json!({ "containers": containers });
            put(&mut pod, "initContainers", init_containers);
            put(&mut pod, "volumes", volumes);
            put(&mut pod, "securityContext", security);
            put(&mut pod, "affinity", affinity);
            if scope == Scope::Valid {
                drop_loose_mounts(&mut pod);
            }
            pod
        },
    )
}

fn init_containers(scope: Scope) -> BoxedStrategy<Option<Value>> {
    let container = |name: &str| json!({ "name": name, "image": "shop/tools:2" });
    let mounting = |name: &str, path: &str| {
        let mut container = container(name);
        put(&mut container, "volumeMounts", Some(json!([{ "name": names::INJECTOR_NAME, "mountPath": path }])));
        container
    };
    let mut sidecar = container("sidecar");
    put(&mut sidecar, "restartPolicy", Some("Always".into()));
    let usual = subsequence(vec![container("migrate"), sidecar, container("warm-up")], 1..=3);
    let ours = select(vec![
        container(names::INJECTOR_NAME),
        mounting(names::INJECTOR_NAME, "/target"),
        mounting("migrate", "/agents"),
    ]);
    prop_oneof![
        6 => nothing(scope),
        4 => usual.clone().prop_map(|containers| Some(containers.into())),
        1 => ours.prop_map(|container| Some(json!([container]))),
    ]
    .boxed()
}

fn volumes(scope: Scope) -> BoxedStrategy<Option<Value>> {
    let named = |name: &str, source: Value| {
        let mut volume = json!({ "name": name });
        volume
            .as_object_mut()
            .into_iter()
            .for_each(|volume| volume.extend(source.as_object().cloned().unwrap_or_default()));
        volume
    };
    let data = select(vec![
        named("data", json!({ "emptyDir": {} })),
        named("data", json!({ "hostPath": { "path": "/srv" } })),
    ]);
    let ours = select(vec![
        named(names::INJECTOR_NAME, json!({ "emptyDir": {} })),
        named(names::INJECTOR_NAME, json!({ "emptyDir": { "medium": "Memory" } })),
        named(names::INJECTOR_NAME, json!({ "configMap": { "name": "settings" } })),
    ]);
    prop_oneof![
        3 => nothing(scope),
        8 => data.clone().prop_map(|data| Some(json!([data]))),
        2 => (data, ours).prop_map(|(data, ours)| Some(json!([ours, data]))),
    ]
    .boxed()
}

/// Drops mounts of volumes that are not there.
fn drop_loose_mounts(pod: &mut Value) {
    let name = |item: &Value| item.get("name").cloned();
    let volumes: Vec<_> = pod.get("volumes").and_then(Value::as_array).into_iter().flatten().map(name).collect();
    for list in ["containers", "initContainers"] {
        for container in pod.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
            if let Some(mounts) = container.get_mut("volumeMounts").and_then(Value::as_array_mut) {
                mounts.retain(|mount| volumes.contains(&name(mount)));
            }
        }
    }
}
