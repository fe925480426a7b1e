//! What each delivery adds to a workload, and what is left when it is taken off, by example.

mod workload;

use epiphyte_api::{Device, Reason, WorkloadKind};
use epiphyte_plan::Decision;
use epiphyte_surgery::{normal_form, with_resource_version};
use serde_json::{Value, json};
use workload::{DEVICE, INJECTOR, OFF, Subject, deployment, device};

const DEVICE_LIBRARY: &str = "/var/odigos/injector/injector.so";
const INJECTOR_LIBRARY: &str = "/opt/lumigo/injector/lumigo_injector.so";

#[test]
fn a_device_on_a_container_without_resources_is_one_limit_and_the_token() {
    let mut subject = Subject::new(deployment(json!({ "name": "app" })));
    assert_eq!(
        subject.operate(DEVICE),
        json!([
            {
                "op": "add",
                "path": "/spec/template/spec/containers/0/resources",
                "value": { "limits": { "instrumentation.odigos.io/java-native-community": "1" } },
            },
            {
                "op": "add",
                "path": "/spec/template/spec/containers/0/env",
                "value": [{
                    "name": "LUMIGO_TRACER_TOKEN",
                    "valueFrom": { "secretKeyRef": { "name": "lumigo-credentials", "key": "token", "optional": true } },
                }],
            },
        ])
    );
}

#[test]
fn a_device_in_a_namespace_without_a_lumigo_is_nothing_but_one_limit() {
    let mut subject = Subject::new(deployment(json!({ "name": "app", "resources": { "limits": { "cpu": "1" } } })));
    subject.rendering.device_token = None;
    assert_eq!(
        subject.operate(DEVICE),
        json!([{
            "op": "add",
            "path": "/spec/template/spec/containers/0/resources/limits/instrumentation.odigos.io~1java-native-community",
            "value": "1",
        }])
    );
}

#[test]
fn a_manifest_and_its_form_on_the_api_server_get_the_same_patch() {
    let mut bare = Subject::new(deployment(json!({ "name": "app" })));
    let mut stored =
        Subject::new(deployment(json!({ "name": "app", "resources": {}, "env": [], "volumeMounts": null })));
    let template = stored.object.pointer_mut("/spec/template").expect("a template");
    template["metadata"] = json!({ "creationTimestamp": null });
    for decision in [DEVICE, INJECTOR] {
        assert_eq!(bare.clone().operate(decision), stored.clone().operate(decision));
    }
    assert_ne!(bare.operate(INJECTOR), json!([]));
    assert_ne!(stored.operate(INJECTOR), json!([]));
}

#[test]
fn the_injector_adds_volume_init_container_mount_variables_and_labels() {
    let mut subject = Subject::new(deployment(json!({ "name": "app" })));
    subject.operate(INJECTOR);
    assert_eq!(subject.object["metadata"]["labels"], json!({ "lumigo.auto-trace": "lumigo-operator.v1.0.0" }));
    assert_eq!(
        subject.object["spec"]["template"],
        json!({
            "metadata": { "labels": { "lumigo.auto-trace": "lumigo-operator.v1.0.0" } },
            "spec": {
                "volumes": [{ "name": "lumigo-injector", "emptyDir": { "sizeLimit": "200M" } }],
                "initContainers": [{
                    "name": "lumigo-injector",
                    "image": "epiphyte/agents:1.0.0",
                    "env": [{ "name": "TARGET_DIRECTORY", "value": "/target" }],
                    "securityContext": {
                        "allowPrivilegeEscalation": false,
                        "capabilities": { "drop": ["ALL"] },
                        "readOnlyRootFilesystem": true,
                        "runAsUser": 1234,
                        "seccompProfile": { "type": "RuntimeDefault" },
                    },
                    "volumeMounts": [{ "name": "lumigo-injector", "mountPath": "/target" }],
                }],
                "containers": [{
                    "name": "app",
                    "env": [
                        { "name": "LD_PRELOAD", "value": INJECTOR_LIBRARY },
                        {
                            "name": "LUMIGO_TRACER_TOKEN",
                            "valueFrom": {
                                "secretKeyRef": { "name": "lumigo-credentials", "key": "token", "optional": true },
                            },
                        },
                        {
                            "name": "LUMIGO_ENDPOINT",
                            "value": "http://epiphyte-telemetry-proxy.lumigo-system.svc.cluster.local:4318/v1/traces",
                        },
                        {
                            "name": "LUMIGO_LOGS_ENDPOINT",
                            "value": "http://epiphyte-telemetry-proxy.lumigo-system.svc.cluster.local:4318/v1/logs",
                        },
                        { "name": "LUMIGO_ENABLE_TRACES", "value": "true" },
                        { "name": "LUMIGO_ENABLE_LOGS", "value": "false" },
                        { "name": "LUMIGO_CONTAINER_NAME", "value": "app" },
                    ],
                    "volumeMounts": [{ "name": "lumigo-injector", "mountPath": "/opt/lumigo", "readOnly": true }],
                }],
            },
        })
    );
}

#[test]
fn the_init_container_asks_for_what_the_first_container_asks_for_after_each_change_of_the_template() {
    let mut subject = Subject::new(deployment(json!({ "name": "app", "resources": { "requests": { "cpu": "1" } } })));
    subject.operate(INJECTOR);
    assert_eq!(subject.pod()["initContainers"][0]["resources"], json!({ "requests": { "cpu": "1" } }));
    for (changed, expected) in [(json!({ "limits": { "cpu": "1" } }), true), (json!({}), false)] {
        let mut new = subject.object.clone();
        new["spec"]["template"]["spec"]["containers"][0]["resources"] = changed.clone();
        subject.admit(new, INJECTOR);
        let found = subject.pod()["initContainers"][0].get("resources").cloned();
        assert_eq!(found, expected.then_some(changed));
    }
}

#[test]
fn the_init_container_runs_as_the_pods_group_and_never_as_root_where_the_pod_forbids_it() {
    let security_context = |pod: Value, container: Value| {
        let mut object = deployment(json!({ "name": "app", "securityContext": container }));
        object["spec"]["template"]["spec"]["securityContext"] = pod;
        let mut subject = Subject::new(object);
        subject.operate(INJECTOR);
        let context = &subject.pod()["initContainers"][0]["securityContext"];
        (context["runAsUser"].clone(), context.get("runAsNonRoot").cloned())
    };
    let strict = json!({ "runAsNonRoot": true });
    assert_eq!(security_context(json!({ "fsGroup": 2000 }), json!({})), (json!(2000), None));
    assert_eq!(security_context(json!({ "fsGroup": 0 }), json!({})), (json!(0), None));
    assert_eq!(security_context(json!({ "fsGroup": 0 }), strict.clone()), (json!(1234), Some(json!(true))));
    assert_eq!(security_context(strict, json!({})), (json!(1234), Some(json!(true))));
}

#[test]
fn init_containers_and_native_sidecars_are_left_alone_and_ours_comes_last() {
    let mut object = deployment(json!({ "name": "app" }));
    let theirs = json!([{ "name": "migrate" }, { "name": "proxy", "restartPolicy": "Always" }]);
    object["spec"]["template"]["spec"]["initContainers"] = theirs.clone();
    let mut subject = Subject::new(object);
    subject.operate(INJECTOR);
    let init_containers = subject.pod()["initContainers"].as_array().expect("init containers");
    assert_eq!(init_containers[..2], theirs.as_array().expect("a list")[..]);
    assert_eq!(init_containers[2]["name"], "lumigo-injector");
}

#[test]
fn a_literal_preload_is_chained_by_either_delivery_and_comes_back() {
    for theirs in ["/usr/lib/a.so", "/usr/lib/a.so /usr/lib/b.so", "/usr/lib/a.so:", ""] {
        for (decision, ours) in [(DEVICE, DEVICE_LIBRARY), (INJECTOR, INJECTOR_LIBRARY)] {
            let mut subject = Subject::with_preload(theirs);
            let before = subject.object.clone();
            subject.operate(decision);
            assert_eq!(subject.env()[0], json!({ "name": "LD_PRELOAD", "value": format!("{theirs}:{ours}") }));
            subject.restore();
            assert_eq!(subject.object, before);
        }
    }
}

#[test]
fn a_change_of_delivery_changes_the_library_in_the_chain() {
    let mut subject = Subject::with_preload("/usr/lib/a.so");
    subject.operate(DEVICE);
    subject.operate(INJECTOR);
    assert_eq!(subject.env()[0]["value"], format!("/usr/lib/a.so:{INJECTOR_LIBRARY}"));
    subject.operate(device(Device::Python));
    assert_eq!(subject.env()[0]["value"], format!("/usr/lib/a.so:{DEVICE_LIBRARY}"));
    assert_eq!(
        subject.container()["resources"]["limits"],
        json!({ "instrumentation.odigos.io/python-native-community": "1" })
    );
    assert!(subject.container().get("volumeMounts").is_none() && subject.pod().get("initContainers").is_none());
}

#[test]
fn the_go_device_leaves_the_preload_alone() {
    let mut subject = Subject::with_preload("/usr/lib/a.so");
    subject.operate(device(Device::Go));
    assert_eq!(subject.env()[0]["value"], "/usr/lib/a.so");
}

#[test]
fn a_preload_that_another_webhook_appended_to_ours_survives() {
    let mut subject = Subject::new(deployment(json!({ "name": "app" })));
    subject.operate(INJECTOR);
    let preload = subject.object.pointer_mut("/spec/template/spec/containers/0/env/0/value").expect("a preload");
    *preload = format!("{INJECTOR_LIBRARY}:/mesh/mesh.so").into();
    subject.restore();
    assert_eq!(subject.container()["env"], json!([{ "name": "LD_PRELOAD", "value": "/mesh/mesh.so" }]));
}

#[test]
fn what_cannot_be_taken_off_again_is_refused_and_left_bare() {
    let reference = json!({ "configMapKeyRef": { "name": "settings", "key": "preload" } });
    let preload = |value: &str| json!({ "name": "LD_PRELOAD", "value": value });
    let env = |entries: Value| json!({ "name": "app", "env": entries });
    let mount = |path: &str| json!({ "name": "app", "volumeMounts": [{ "name": "data", "mountPath": path }] });
    for (container, decision, reason) in [
        (env(json!([{ "name": "LD_PRELOAD", "valueFrom": reference }])), INJECTOR, Reason::PreloadReferenced),
        (env(json!([preload("/a.so"), preload("/b.so")])), DEVICE, Reason::PreloadAmbiguous),
        (env(json!([preload(&format!("/a.so:{INJECTOR_LIBRARY}"))])), INJECTOR, Reason::PreloadAmbiguous),
        (env(json!([{ "name": "LUMIGO_ENDPOINT", "value": "mine" }])), INJECTOR, Reason::VariableTaken),
        (env(json!([{ "name": "LUMIGO_TRACER_TOKEN", "valueFrom": reference }])), DEVICE, Reason::VariableTaken),
        (mount("/opt/lumigo"), INJECTOR, Reason::MountPathTaken),
        (mount("/opt"), INJECTOR, Reason::MountPathTaken),
        (mount("/var/odigos/x"), DEVICE, Reason::MountPathTaken),
    ] {
        let mut subject = Subject::new(deployment(container));
        assert_eq!(subject.operate(decision), json!([]));
        assert_eq!(subject.refused(), [("app", reason)]);
    }
}

#[test]
fn a_foreign_volume_under_our_name_is_refused_and_survives_restoration() {
    let mut object = deployment(json!({ "name": "app" }));
    object["spec"]["template"]["spec"]["volumes"] =
        json!([{ "name": "lumigo-injector", "configMap": { "name": "a" } }]);
    let mut subject = Subject::new(object.clone());
    assert_eq!(subject.operate(INJECTOR), json!([]));
    assert_eq!(subject.refused(), [("app", Reason::VolumeTaken)]);
    subject.restore();
    assert_eq!(subject.object, object);
}

#[test]
fn a_container_that_lost_a_variable_of_ours_is_completed() {
    let mut subject = Subject::new(deployment(json!({ "name": "app" })));
    subject.operate(INJECTOR);
    let whole = subject.object.clone();
    let env = subject.object.pointer_mut("/spec/template/spec/containers/0/env").and_then(Value::as_array_mut);
    env.expect("variables").pop();
    let patch = subject.operate(INJECTOR);
    assert_eq!(patch.as_array().map(Vec::len), Some(1), "{patch}");
    assert_eq!(subject.object, whole);
}

#[test]
fn a_label_of_the_users_is_never_overwritten() {
    let labels = |workload: Option<&str>, template: Option<&str>| {
        let mut object = deployment(json!({ "name": "app" }));
        let label = |value: &str| json!({ "lumigo.auto-trace": value });
        object["metadata"]["labels"] = workload.map_or(Value::Null, label);
        object["spec"]["template"]["metadata"] = json!({ "labels": template.map_or(Value::Null, label) });
        let mut subject = Subject::new(object);
        let before = subject.object.clone();
        subject.operate(INJECTOR);
        let label = |path: &str| subject.object.pointer(path).and_then(Value::as_str).map(str::to_owned);
        let written =
            (label("/metadata/labels/lumigo.auto-trace"), label("/spec/template/metadata/labels/lumigo.auto-trace"));
        subject.restore();
        assert_eq!(normal(&subject.object), normal(&before));
        written
    };
    let text = |text: &str| Some(text.to_owned());
    let ours = || text("lumigo-operator.v1.0.0");
    assert_eq!(labels(None, None), (ours(), ours()));
    assert_eq!(labels(Some("True"), None), (text("True"), ours()));
    assert_eq!(labels(Some("True"), Some("mine")), (text("True"), text("mine")));
    assert_eq!(labels(None, Some("mine")), (ours(), text("mine")));
}

#[test]
fn the_last_injected_container_takes_volume_init_container_and_labels_with_it() {
    let mut object = deployment(json!({ "name": "app" }));
    object["spec"]["template"]["spec"]["containers"] = json!([{ "name": "app" }, { "name": "worker" }]);
    let mut subject = Subject::new(object.clone());
    subject.operate(INJECTOR);
    subject.operate_each(&[OFF, INJECTOR]);
    assert!(subject.container().get("env").is_none());
    assert_eq!(subject.pod()["volumes"][0]["name"], "lumigo-injector");
    subject.operate_each(&[OFF, Decision::Keep]);
    assert_eq!(subject.pod()["volumes"][0]["name"], "lumigo-injector");
    subject.operate_each(&[OFF, OFF]);
    assert_eq!(normal(&subject.object), normal(&object));
}

#[test]
fn a_cron_job_is_edited_in_the_template_of_its_jobs() {
    let pod = json!({ "metadata": {}, "spec": { "containers": [{ "name": "app" }] } });
    let object = json!({ "metadata": { "name": "a" }, "spec": { "jobTemplate": { "spec": { "template": pod } } } });
    let mut subject = Subject { kind: WorkloadKind::CronJob, ..Subject::new(object) };
    let patch = subject.operate(DEVICE);
    assert_eq!(patch[0]["path"], "/spec/jobTemplate/spec/template/spec/containers/0/resources");
}

#[test]
fn items_of_lists_are_removed_under_a_test_of_their_name() {
    let mut subject = Subject::with_preload("/usr/lib/a.so");
    subject.operate(DEVICE);
    assert_eq!(
        subject.restore(),
        json!([
            {
                "op": "remove",
                "path": "/spec/template/spec/containers/0/resources/limits",
            },
            {
                "op": "replace",
                "path": "/spec/template/spec/containers/0/env/0/value",
                "value": "/usr/lib/a.so",
            },
            {
                "op": "test",
                "path": "/spec/template/spec/containers/0/env/1/name",
                "value": "LUMIGO_TRACER_TOKEN",
            },
            {
                "op": "remove",
                "path": "/spec/template/spec/containers/0/env/1",
            },
        ])
    );
}

#[test]
fn a_patch_can_be_made_to_fail_on_a_later_version_of_the_object() {
    let patch = with_resource_version(json_patch::Patch::default(), "42");
    let condition = json!([{ "op": "replace", "path": "/metadata/resourceVersion", "value": "42" }]);
    assert_eq!(serde_json::to_value(patch).expect("a patch"), condition);
}

#[test]
fn an_object_that_cannot_be_read_is_left_alone() {
    let object = deployment(json!({ "name": "app", "env": "not a list" }));
    let mut subject = Subject::new(object.clone());
    assert!(subject.try_operate(INJECTOR).is_err());
    assert_eq!(subject.object, object);
}

#[test]
fn patches_of_the_injector_are_no_larger_than_the_edit() {
    let object = |containers: usize, variables: usize| {
        let variable = |index| json!({ "name": format!("VARIABLE_{index}"), "value": "value" });
        let container = |index| {
            json!({
                "name": format!("container-{index}"),
                "env": (0..variables).map(variable).collect::<Vec<_>>(),
                "volumeMounts": [{ "name": "data", "mountPath": "/data" }],
            })
        };
        let mut object = deployment(json!({}));
        let pod = &mut object["spec"]["template"]["spec"];
        pod["containers"] = (0..containers).map(container).collect();
        pod["volumes"] = json!([{ "name": "data", "emptyDir": {} }]);
        object
    };
    for (containers, variables, most) in [(1, 5, 2048), (10, 40, 13_000)] {
        let patch = Subject::new(object(containers, variables)).operate(INJECTOR).to_string();
        assert!(patch.len() <= most, "{} bytes for {containers} x {variables}: {patch}", patch.len());
    }
}

fn normal(object: &Value) -> Value {
    let mut object = object.clone();
    normal_form(WorkloadKind::Deployment, &mut object);
    object
}
