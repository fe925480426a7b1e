//! What planning reads of manifests.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use epiphyte_api::WorkloadKind;
use epiphyte_plan::{
    Annotation, AutoTraceLabel, Container, Delivery, DeliveryMark, Instrument, Manifest, Operator, Part, PreloadSource,
    Replacement, Variables, Workload,
};
use serde_json::{Value, json};

const JAVA: &str = "instrumentation.odigos.io/java-native-community";
const OUR_LIBRARY: &str = "/opt/lumigo/injector/lumigo_injector.so";

fn read(kind: WorkloadKind, manifest: Value) -> Workload {
    serde_json::from_value::<Manifest>(manifest).unwrap().into_workload(kind)
}

/// A Deployment with the given `metadata`.
fn with_metadata(metadata: Value) -> Workload {
    read(WorkloadKind::Deployment, json!({ "metadata": metadata }))
}

/// A Deployment with the given pod specification.
fn with_pod(pod: Value) -> Workload {
    read(WorkloadKind::Deployment, json!({ "spec": { "template": { "spec": pod } } }))
}

/// The only container of a Deployment.
fn with_container(container: Value) -> Container {
    with_pod(json!({ "containers": [container] })).pod.containers[0].clone()
}

#[test]
fn what_the_object_says_of_itself_is_read() {
    let workload = with_metadata(json!({
        "name": "cart", "namespace": "shop", "uid": "0001", "resourceVersion": "42", "generation": 3,
        "creationTimestamp": "2026-01-02T03:04:05Z",
        "labels": { "app": "cart", "lumigo.auto-trace": "TRUE" },
        "annotations": { "odigos.io/instrument": "true", "epiphyte.dev/delivery": "injector", "other": "x" },
        "managedFields": [{ "manager": "kubectl", "fieldsV1": { "f:spec": {} } }],
    }));
    assert_eq!((&*workload.name, &*workload.namespace, &*workload.uid), ("cart", "shop", "0001"));
    assert_eq!((&*workload.resource_version, workload.generation), ("42", 3));
    assert_eq!(workload.created.unwrap().to_string(), "2026-01-02T03:04:05Z");
    assert_eq!(workload.annotation, Some(Annotation::On));
    assert_eq!(workload.label, Some(AutoTraceLabel::On));
    assert_eq!(workload.delivery, Some(DeliveryMark::Chosen(Delivery::Injector)));
    assert!(!workload.deleting && !workload.controlled);
}

#[test]
fn an_object_that_says_nothing_is_read_as_empty() {
    for manifest in [json!({}), json!({ "metadata": {}, "spec": null }), json!({ "spec": {} })] {
        let workload = read(WorkloadKind::Deployment, manifest);
        assert_eq!((&*workload.name, &*workload.uid, workload.generation), ("", "", 0));
        assert_eq!((workload.annotation, workload.label, workload.delivery), (None, None, None));
        assert!(workload.created.is_none() && workload.pod.containers.is_empty());
    }
}

#[test]
fn null_means_absent_everywhere() {
    let workload = read(
        WorkloadKind::Deployment,
        json!({
            "metadata": {
                "creationTimestamp": null, "deletionTimestamp": null, "labels": null, "annotations": null,
                "ownerReferences": null, "generation": null,
            },
            "spec": { "paused": null, "template": { "metadata": null, "spec": {
                "containers": [
                    { "name": "app", "image": null, "env": null, "volumeMounts": null, "resources": null },
                    { "name": "web", "env": [{ "name": "LD_PRELOAD", "value": null, "valueFrom": null }],
                      "resources": { "limits": null, "requests": null } },
                ],
                "initContainers": null, "volumes": null, "nodeName": null, "nodeSelector": null,
                "affinity": { "nodeAffinity": { "requiredDuringSchedulingIgnoredDuringExecution": null } },
                "tolerations": null, "os": null,
            } } },
        }),
    );
    assert!(!workload.deleting && workload.created.is_none());
    assert_eq!(workload.replacement, Replacement::Rollout);
    assert_eq!(workload.pod.scheduling, None);
    let [app, web] = &*workload.pod.containers else { panic!("{workload:?}") };
    assert_eq!(*app, Container { name: "app".into(), ..Container::default() });
    assert_eq!(web.preload.source, PreloadSource::Literal);
}

#[test]
fn marks_are_read_as_they_are_written() {
    let annotated = |value: &str| with_metadata(json!({ "annotations": { "odigos.io/instrument": value } })).annotation;
    assert_eq!(annotated("false"), Some(Annotation::Off));
    assert_eq!(annotated("True"), Some(Annotation::Invalid("True".into())));

    let labelled = |value: &str| with_metadata(json!({ "labels": { "lumigo.auto-trace": value } })).label;
    assert_eq!(labelled("False"), Some(AutoTraceLabel::Off));
    assert_eq!(labelled("lumigo-operator.v0.1.0"), Some(AutoTraceLabel::Version));
    assert_eq!(labelled("skip"), Some(AutoTraceLabel::Other));

    let delivered = |value: &str| with_metadata(json!({ "annotations": { "epiphyte.dev/delivery": value } })).delivery;
    assert_eq!(delivered("device"), Some(DeliveryMark::Chosen(Delivery::Device)));
    assert_eq!(delivered("Device"), Some(DeliveryMark::Invalid("Device".into())));
}

#[test]
fn only_an_owner_that_controls_makes_a_workload_its_own() {
    let owned = |owners: Value| with_metadata(json!({ "ownerReferences": owners })).controlled;
    assert!(owned(json!([{ "kind": "A" }, { "kind": "B", "controller": true }])));
    assert!(!owned(json!([{ "kind": "A" }, { "kind": "B", "controller": false }])));
    assert!(!owned(json!([])));
}

#[test]
fn the_template_of_a_cron_job_is_that_of_its_job() {
    let template = |name: &str| json!({ "spec": { "containers": [{ "name": name }] } });
    let manifest =
        json!({ "spec": { "template": template("no"), "jobTemplate": { "spec": { "template": template("yes") } } } });
    assert_eq!(&*read(WorkloadKind::CronJob, manifest.clone()).pod.containers[0].name, "yes");
    assert_eq!(&*read(WorkloadKind::Job, manifest).pod.containers[0].name, "no");
}

#[test]
fn what_replaces_pods_depends_on_kind_and_strategy() {
    use Replacement::{Immutable, Manual, NextRun, Rollout};
    let strategy = |value: Value| json!({ "updateStrategy": value });
    let partition = |partition: i64| strategy(json!({ "rollingUpdate": { "partition": partition } }));
    let cases = [
        (WorkloadKind::Deployment, json!({}), Rollout),
        (WorkloadKind::Deployment, json!({ "paused": true }), Manual),
        (WorkloadKind::DaemonSet, json!({}), Rollout),
        (WorkloadKind::DaemonSet, strategy(json!({ "type": "OnDelete" })), Manual),
        (WorkloadKind::StatefulSet, strategy(json!({ "type": "OnDelete" })), Manual),
        (WorkloadKind::StatefulSet, partition(2), Manual),
        (WorkloadKind::StatefulSet, partition(0), Rollout),
        (WorkloadKind::ReplicaSet, json!({}), Manual),
        (WorkloadKind::CronJob, json!({}), NextRun),
        (WorkloadKind::Job, json!({}), Immutable),
    ];
    for (kind, spec, expected) in cases {
        assert_eq!(read(kind, json!({ "spec": spec })).replacement, expected, "{kind} {spec}");
    }
}

#[test]
fn devices_are_read_from_limits_and_requests_under_our_prefix_only() {
    let container = with_container(json!({ "name": "app", "resources": {
        "limits": { "cpu": "1", "instrumentation.odigos.io/of-tomorrow": 1, JAVA: "1" },
        "requests": { JAVA: "1", "memory": "1Gi" },
    } }));
    assert_eq!(
        &*container.devices,
        ["instrumentation.odigos.io/java-native-community".into(), "instrumentation.odigos.io/of-tomorrow".into()]
    );
    assert!(container.is_ours());
}

#[test]
fn where_a_preload_comes_from_is_told_apart() {
    let preload = |env: Value| with_container(json!({ "name": "app", "env": env })).preload;
    let ours = |value: &str| preload(json!([{ "name": "LD_PRELOAD", "value": value }]));
    assert_eq!(preload(json!([])).source, PreloadSource::Unset);
    assert_eq!(ours("/lib/theirs.so").source, PreloadSource::Literal);
    let reference = json!([{ "name": "LD_PRELOAD", "valueFrom": { "fieldRef": { "fieldPath": "metadata.name" } } }]);
    assert_eq!(preload(reference).source, PreloadSource::Reference);
    let twice = json!([{ "name": "LD_PRELOAD", "value": "a" }, { "name": "LD_PRELOAD", "value": "b" }]);
    assert_eq!(preload(twice).source, PreloadSource::Ambiguous);
    assert_eq!(ours(&format!("{OUR_LIBRARY}:/lib/theirs.so")).source, PreloadSource::Ambiguous);
}

#[test]
fn our_library_is_known_at_the_end_of_a_preload_and_alone() {
    let preload = |value: &str| {
        let preload = with_container(json!({ "env": [{ "name": "LD_PRELOAD", "value": value }] })).preload;
        (preload.ends_with_injector, preload.ends_with_device, preload.ours_alone)
    };
    assert_eq!(preload(OUR_LIBRARY), (true, false, true));
    assert_eq!(preload("/var/odigos/injector/injector.so"), (false, true, true));
    assert_eq!(preload(&format!("/lib/theirs.so:{OUR_LIBRARY}")), (true, false, false));
    assert_eq!(preload(&format!(":{OUR_LIBRARY}")), (true, false, false));
    assert!(!preload(&format!("/elsewhere{OUR_LIBRARY}")).0);
    assert_eq!(preload("/lib/theirs.so"), (false, false, false));
    assert_eq!(preload(""), (false, false, false));
}

#[test]
fn mounts_in_the_way_of_ours_are_seen() {
    let mounted = |path: &str| {
        let container = with_container(json!({ "volumeMounts": [{ "name": "data", "mountPath": path }] }));
        (container.mounts_over_injector, container.mounts_over_device)
    };
    assert_eq!(mounted("/opt/lumigo"), (true, false));
    assert_eq!(mounted("/opt/lumigo/"), (true, false));
    assert_eq!(mounted("/opt/lumigo/injector"), (true, false));
    assert_eq!(mounted("/opt"), (true, false));
    assert_eq!(mounted("/var/odigos"), (false, true));
    assert_eq!(mounted("/opt/lumigo-data"), (false, false));
    assert_eq!(mounted("/data"), (false, false));
}

/// A pod as the injector leaves it.
fn injected() -> Value {
    let variables = ["LUMIGO_TRACER_TOKEN", "LUMIGO_ENDPOINT", "LUMIGO_LOGS_ENDPOINT", "LUMIGO_ENABLE_TRACES"]
        .into_iter()
        .chain(["LUMIGO_ENABLE_LOGS", "LUMIGO_CONTAINER_NAME"])
        .map(|name| json!({ "name": name, "value": "x" }));
    let preload = json!({ "name": "LD_PRELOAD", "value": OUR_LIBRARY });
    json!({
        "volumes": [{ "name": "lumigo-injector", "emptyDir": { "sizeLimit": "200M" } }],
        "initContainers": [
            { "name": "lumigo-injector", "volumeMounts": [{ "name": "lumigo-injector", "mountPath": "/target" }] },
        ],
        "containers": [{
            "name": "app",
            "env": variables.chain([preload]).collect::<Value>(),
            "volumeMounts": [{ "name": "lumigo-injector", "mountPath": "/opt/lumigo", "readOnly": true }],
        }],
    })
}

fn parts(pod: Value) -> (Part, Part, bool) {
    let pod = with_pod(pod).pod;
    (pod.volume, pod.init_container, pod.containers[0].injected)
}

#[test]
fn an_injected_pod_is_known_as_ours() {
    let pod = with_pod(injected()).pod;
    let app = pod.container("app").unwrap();
    assert_eq!((pod.volume, pod.init_container), (Part::Ours, Part::Ours));
    assert!(app.injected && !app.mounts_over_injector);
    assert_eq!(app.variables, Variables::ALL);
    assert_eq!(pod.instrument(app), Some(Instrument::Injector));
}

#[test]
fn a_pod_without_our_names_has_none_of_our_parts() {
    assert_eq!(parts(json!({ "containers": [{ "name": "app" }] })), (Part::Absent, Part::Absent, false));
}

#[test]
fn a_volume_under_our_name_that_is_no_empty_dir_is_somebody_elses() {
    let mut pod = injected();
    pod["volumes"][0] = json!({ "name": "lumigo-injector", "configMap": { "name": "x" } });
    assert_eq!(parts(pod), (Part::Foreign, Part::Foreign, false));
}

#[test]
fn a_volume_under_our_name_that_is_mounted_elsewhere_is_somebody_elses() {
    let mut pod = injected();
    pod["containers"][0]["volumeMounts"][0]["mountPath"] = json!("/data");
    assert_eq!(parts(pod), (Part::Foreign, Part::Foreign, false));

    let mut pod = injected();
    let sidecar = json!({ "name": "prepare", "volumeMounts": [{ "name": "lumigo-injector", "mountPath": "/x" }] });
    pod["initContainers"].as_array_mut().unwrap().push(sidecar);
    assert_eq!(parts(pod), (Part::Foreign, Part::Foreign, false));
}

#[test]
fn a_volume_under_our_name_that_nobody_uses_is_somebody_elses() {
    let pod = json!({ "volumes": [{ "name": "lumigo-injector", "emptyDir": {} }], "containers": [{ "name": "app" }] });
    assert_eq!(parts(pod), (Part::Foreign, Part::Absent, false));
}

#[test]
fn an_init_container_under_our_name_without_our_volume_is_somebody_elses() {
    let pod = json!({ "initContainers": [{ "name": "lumigo-injector" }], "containers": [{ "name": "app" }] });
    assert_eq!(parts(pod), (Part::Absent, Part::Foreign, false));
}

#[test]
fn what_is_left_of_an_injection_is_ours_but_not_whole() {
    let mut pod = injected();
    pod["initContainers"] = json!([]);
    assert_eq!(parts(pod.clone()), (Part::Ours, Part::Absent, true));
    let pod = with_pod(pod).pod;
    assert_eq!(pod.instrument(&pod.containers[0]), None);
}

#[test]
fn the_platform_is_read_from_the_os_and_the_node_selector() {
    let platform = |pod: Value| {
        let pod = with_pod(pod).pod;
        (pod.os.as_deref().map(str::to_owned), pod.arch.as_deref().map(str::to_owned))
    };
    assert_eq!(platform(json!({ "os": { "name": "windows" } })), (Some("windows".to_owned()), None));
    let selector = json!({ "nodeSelector": { "kubernetes.io/os": "linux", "beta.kubernetes.io/arch": "arm64" } });
    assert_eq!(platform(selector), (Some("linux".to_owned()), Some("arm64".to_owned())));
    assert_eq!(platform(json!({})), (None, None));
}

#[test]
fn demands_on_a_node_are_read_and_no_demand_is_none() {
    assert_eq!(with_pod(json!({ "tolerations": [], "nodeSelector": {} })).pod.scheduling, None);
    let scheduling = with_pod(json!({
        "nodeName": "one",
        "nodeSelector": { "disk": "ssd" },
        "affinity": { "nodeAffinity": { "requiredDuringSchedulingIgnoredDuringExecution": { "nodeSelectorTerms": [
            { "matchExpressions": [{ "key": "zone", "operator": "In", "values": ["a"] }],
              "matchFields": [{ "key": "metadata.name", "operator": "Someday", "values": null }] },
        ] } } },
        "tolerations": [{ "operator": "Exists" }, { "key": "soft", "effect": "PreferNoSchedule" }],
    }))
    .pod
    .scheduling
    .unwrap();
    assert_eq!(scheduling.node_name.as_deref(), Some("one"));
    assert_eq!(scheduling.selector, [("disk".into(), "ssd".into())]);
    let terms = scheduling.terms.unwrap();
    assert_eq!((terms[0].labels[0].operator, terms[0].fields[0].operator), (Operator::In, Operator::Unknown));
    let [toleration] = &*scheduling.tolerations else { panic!("the soft one keeps no pod away") };
    assert_eq!((&toleration.key, &toleration.value, toleration.effect), (&None, &None, None));
}

#[test]
fn a_device_counts_as_on_only_where_a_literal_preload_is_chained() {
    let instrument = |env: Value| {
        let pod = with_pod(json!({ "containers": [{ "resources": { "limits": { JAVA: "1" } }, "env": env }] })).pod;
        pod.instrument(&pod.containers[0]).is_some()
    };
    assert!(instrument(json!([])));
    assert!(!instrument(json!([{ "name": "LD_PRELOAD", "value": "/lib/theirs.so" }])));
    let chained = "/lib/theirs.so:/var/odigos/injector/injector.so";
    assert!(instrument(json!([{ "name": "LD_PRELOAD", "value": chained }])));
}

#[test]
fn companions_are_read_beside_a_label_that_turns_injection_on_only() {
    let companions = |mark: &str| {
        let labels = json!({ "lumigo.auto-trace": mark, "lumigo.token-secret": "mine", "lumigo.enable-logs": "true" });
        with_metadata(json!({ "labels": labels })).companions
    };
    let read = companions("True").unwrap();
    assert_eq!((&*read.token.name, &*read.token.key), ("mine", "token"));
    assert!(read.traces && read.logs && read.invalid.is_empty());
    assert_eq!(companions("false"), None);
    assert_eq!(companions("lumigo-operator.v1"), None);
    assert_eq!(with_metadata(json!({ "labels": { "lumigo.auto-trace": "true" } })).companions, None);
}
