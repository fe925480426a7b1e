//! The injector delivery: after nothing but a Secret and a `Lumigo`, in namespaces as strict as they come.

use std::collections::BTreeMap;

use epiphyte_api::WorkloadKind;
use epiphyte_surgery::normal_form;
use epiphyte_testbed::otlp::Span;
use serde_json::{Value, json};

use crate::installed::{Installed, test};
use crate::support::{TOKEN, eventually, until};
use crate::workloads::{container, deployment, of_kind, with_command, with_probe, with_resources};

/// Makes a call that nobody answers, which is a span, and ends.
const PYTHON_CALLS: [&str; 3] = [
    "python3",
    "-c",
    "
import urllib.request
try:
    urllib.request.urlopen('http://127.0.0.1:9/')
except OSError as error:
    print(error)
",
];
const NODE_CALLS: [&str; 3] =
    ["node", "-e", "require('http').get('http://127.0.0.1:9/').on('error', (error) => console.log(error.message))"];

/// A namespace under the restricted Pod Security Standard, with a quota for all that a container can ask for, and with
/// bounds and defaults for each container.
async fn strict(installed: &Installed, namespace: &str) {
    let (quota, range) = (
        json!({ "requests.cpu": "1500m", "requests.memory": "4Gi", "limits.cpu": "20", "limits.memory": "10Gi", "pods": "20" }),
        json!({
            "type": "Container",
            "default": { "cpu": "1", "memory": "256Mi" },
            "defaultRequest": { "cpu": "20m", "memory": "64Mi" },
            "min": { "cpu": "20m", "memory": "16Mi" },
            "max": { "cpu": "2", "memory": "1Gi" },
        }),
    );
    let named = |api_version: &str, kind: &str, name: &str| json!({ "apiVersion": api_version, "kind": kind, "metadata": { "name": name, "namespace": namespace } });
    let mut strict = named("v1", "Namespace", namespace);
    strict["metadata"] = json!({ "name": namespace, "labels": { "pod-security.kubernetes.io/enforce": "restricted" } });
    let (mut quotas, mut ranges) = (named("v1", "ResourceQuota", "all"), named("v1", "LimitRange", "all"));
    quotas["spec"] = json!({ "hard": quota });
    ranges["spec"] = json!({ "limits": [range] });
    for object in [strict, quotas, ranges] {
        installed.cluster.apply(&object).await;
    }
    until("the quota is counted", || async { used(installed, namespace).await.is_object() }).await;
}

/// What the quota of a strict namespace counts.
async fn used(installed: &Installed, namespace: &str) -> Value {
    installed.cluster.get("v1", "resourcequotas", namespace, "all").await.expect("the quota")["status"]["used"].clone()
}

/// What surgery may change of a workload: its labels and its template, in the API server's normal form.
fn editable(kind: WorkloadKind, mut workload: Value) -> Value {
    normal_form(kind, &mut workload);
    json!([workload["metadata"].get("labels"), workload.pointer(kind.template_pointer())])
}

/// The workloads of a namespace that can be edited, by their names.
async fn editables(installed: &Installed, namespace: &str, of: &[(WorkloadKind, &str)]) -> BTreeMap<String, Value> {
    let mut found = BTreeMap::new();
    for (kind, name) in of {
        let workload = installed.cluster.workload(*kind, namespace, name).await;
        found.insert((*name).to_owned(), editable(*kind, workload));
    }
    found
}

/// Whether there is anything of ours, by the one word that all of it has in its name.
fn has_trace(object: &Value) -> bool {
    ["lumigo", "LUMIGO", "LD_PRELOAD"].iter().any(|word| object.to_string().contains(word))
}

/// The only pod of a workload, once it is injected or once it is not, and all its containers are ready or have ended well.
async fn pod(installed: &Installed, namespace: &str, app: &str, injected: bool) -> Value {
    eventually(&format!("one pod of {namespace}/{app}, injected: {injected}"), || async {
        let name = installed.pod(namespace, app).await;
        let pod = installed.cluster.get("v1", "pods", namespace, &name).await?;
        let has = |status: &Value| status["ready"] == true || status["state"]["terminated"]["exitCode"] == 0;
        let all_are = pod["status"]["containerStatuses"].as_array().is_some_and(|all| all.iter().all(has));
        (all_are && has_trace(&pod) == injected).then_some(pod)
    })
    .await
}

/// A span of a pod, by the name that the pod gives itself.
fn span_of(installed: &Installed, pod: &Value) -> Span {
    let name = pod["metadata"]["name"].as_str().expect("a name");
    installed.spans(&format!("span of {name}"), |spans| {
        spans.iter().find(|span| span.resource.get("k8s.pod.name").is_some_and(|it| it == name)).cloned()
    })
}

/// A Job made of a CronJob's template, as its schedule would.
fn run_now(installed: &Installed, namespace: &str, cron_job: &str, name: &str) {
    installed.cluster.kubectl(&["create", "job", "-n", namespace, name, &format!("--from=cronjob/{cron_job}")]);
}

/// Replaces the pods of what replaces none by itself.
fn delete_pods(installed: &Installed, namespace: &str, app: &str) {
    installed.cluster.kubectl(&["delete", "pods", "-n", namespace, "-l", &format!("app={app}")]);
}

#[test]
fn six_kinds_in_three_languages_send_spans_with_the_token_of_their_namespace_and_are_left_without_a_trace() {
    test("injected", async |installed, namespace| {
        use WorkloadKind::{CronJob, DaemonSet, Deployment, Job, ReplicaSet, StatefulSet};
        let cluster = &installed.cluster;
        strict(installed, namespace).await;
        let python = || with_probe(container("app", "sample-python"));
        let guaranteed = json!({ "cpu": "300m", "memory": "192Mi" });
        let burstable = [json!({ "cpu": "50m", "memory": "128Mi" }), json!({ "cpu": "2", "memory": "512Mi" })];
        let java = with_resources(with_probe(container("app", "sample-java")), &burstable[0], &burstable[1]);
        let workloads = [
            (Deployment, "web", with_resources(python(), &guaranteed, &guaranteed), "python"),
            (DaemonSet, "everywhere", java, "java"),
            (StatefulSet, "ledger", with_probe(container("app", "sample-node")), "nodejs"),
            (ReplicaSet, "bare", python(), "python"),
            (CronJob, "nightly", with_command(container("app", "sample-node"), &NODE_CALLS), "nodejs"),
        ];
        let those = workloads.each_ref().map(|(kind, name, ..)| (*kind, *name));
        let pods = ["web", "everywhere", "ledger", "bare"];
        let manifests = workloads
            .each_ref()
            .map(|(kind, name, container, _)| of_kind(*kind, name, std::slice::from_ref(container)));
        installed.apply(namespace, &manifests);
        let mut classes = BTreeMap::new();
        for name in pods {
            classes.insert(name, pod(installed, namespace, name, false).await["status"]["qosClass"].clone());
        }
        assert_eq!(classes["web"], "Guaranteed");
        let (before, quota) = (editables(installed, namespace, &those).await, used(installed, namespace).await);

        installed.cluster.lumigo(namespace).await;
        for (kind, name) in those {
            until(&format!("{kind} {name} is injected"), || async {
                has_trace(&editable(kind, cluster.workload(kind, namespace, name).await))
            })
            .await;
        }
        delete_pods(installed, namespace, "bare");
        for (_, name, _, language) in &workloads[..4] {
            let pod = pod(installed, namespace, name, true).await;
            let span = span_of(installed, &pod);
            assert_eq!(span.authorization, format!("LumigoToken {TOKEN}"), "{span:?}");
            for (key, value) in [("telemetry.sdk.language", *language), ("k8s.container.name", "app")] {
                assert_eq!(span.resource.get(key).map(String::as_str), Some(value), "{key} of {span:?}");
            }
            assert_eq!(pod["status"]["qosClass"], classes[name], "{name}");
            let init = &pod["status"]["initContainerStatuses"][0];
            assert_eq!((&init["restartCount"], &init["state"]["terminated"]["exitCode"]), (&json!(0), &json!(0)));
        }
        until("the quota counts what it counted before", || async { used(installed, namespace).await == quota }).await;

        let job = |name| of_kind(Job, name, &[with_command(container("app", "sample-python"), &PYTHON_CALLS)]);
        installed.apply(namespace, &[job("import")]);
        run_now(installed, namespace, "nightly", "nightly-now");
        for name in ["import", "nightly"] {
            let span = span_of(installed, &pod(installed, namespace, name, true).await);
            assert_eq!(span.authorization, format!("LumigoToken {TOKEN}"), "{span:?}");
        }

        cluster.kubectl(&["delete", "lumigo", "-n", namespace, "lumigo"]);
        until("the workloads are as they were", || async { editables(installed, namespace, &those).await == before })
            .await;
        delete_pods(installed, namespace, "bare");
        cluster.kubectl(&["delete", "jobs", "-n", namespace, "import", "nightly-now"]);
        installed.apply(namespace, &[job("import-again")]);
        run_now(installed, namespace, "nightly", "nightly-again");
        for name in pods.into_iter().chain(["import-again", "nightly"]) {
            pod(installed, namespace, name, false).await;
        }
    });
}

#[test]
fn pods_are_let_in_and_filled_however_they_say_what_they_are() {
    test("injected-odd", async |installed, namespace| {
        strict(installed, namespace).await;
        installed.cluster.lumigo(namespace).await;
        let python = || with_probe(container("app", "sample-python"));
        let mut by_container = python();
        let mut context = by_container["securityContext"].clone();
        context["runAsNonRoot"] = json!(true);
        context["runAsUser"] = json!(1000);
        context["seccompProfile"] = json!({ "type": "RuntimeDefault" });
        by_container["securityContext"] = context;
        let mut by_container = deployment("by-container", &[by_container]);
        by_container["spec"]["template"]["spec"]["securityContext"] = json!({});
        let mut with_group = deployment("with-group", &[python()]);
        with_group["spec"]["template"]["spec"]["securityContext"]["fsGroup"] = json!(2000);

        let odd = |(name, command): (&str, &[&str])| with_command(container(name, "sample-odd"), command);
        let programs: [(&str, &[&str]); 5] = [
            ("musl", &["/odd/c-musl"]),
            ("static", &["/odd/c-static"]),
            ("static-musl", &["/odd/c-musl-static"]),
            ("rust", &["/odd/rust-static"]),
            ("shell", &["sh", "-c", "echo waiting; rust-static; exit 0"]),
        ];
        // Less than the agents weigh, which are in memory as they are copied.
        let small = json!({ "cpu": "100m", "memory": "24Mi" });
        let odds = programs.map(odd).map(|container| with_resources(container, &small, &small));
        installed.apply(namespace, &[by_container, with_group, deployment("odd", &odds)]);

        for (name, user) in [("by-container", 1234), ("with-group", 2000)] {
            let pod = pod(installed, namespace, name, true).await;
            assert_eq!(pod["spec"]["initContainers"][0]["securityContext"]["runAsUser"], user);
            assert_eq!(span_of(installed, &pod).authorization, format!("LumigoToken {TOKEN}"));
        }
        let pod = pod(installed, namespace, "odd", true).await;
        assert_eq!(pod["status"]["qosClass"], "Guaranteed");
        assert_eq!(pod["status"]["initContainerStatuses"][0]["restartCount"], 0, "{}", pod["status"]);
        let name = pod["metadata"]["name"].as_str().expect("a name");
        for (container, _) in programs {
            let said = installed.cluster.kubectl(&["logs", "-n", namespace, name, "-c", container]);
            assert_eq!(said.lines().next(), Some("waiting"), "{container}");
            assert!(!said.contains("preload"), "{container}: {said}");
        }
        for status in pod["status"]["containerStatuses"].as_array().expect("containers") {
            assert_eq!(status["restartCount"], 0, "{status}");
        }
    });
}

#[test]
fn the_agents_are_copied_over_what_is_there_of_them_and_who_cannot_copy_them_says_why() {
    test("injected-again", async |installed, namespace| {
        strict(installed, namespace).await;
        let fill = |name: &str, target: &str| {
            let mut container = container(name, "agents");
            container["env"] = json!([{ "name": "TARGET_DIRECTORY", "value": target }]);
            container["volumeMounts"] = json!([{ "name": "agents", "mountPath": "/target" }]);
            container
        };
        let pod = |name: &str, inits: Vec<Value>| {
            let mut pod = of_kind(
                WorkloadKind::Job,
                name,
                &[with_command(container("app", "sample-odd"), &["sh", "-c", "exit 0"])],
            );
            let spec = &mut pod["spec"]["template"]["spec"];
            spec["initContainers"] = json!(inits);
            spec["volumes"] = json!([{ "name": "agents", "emptyDir": {} }]);
            pod["spec"]["backoffLimit"] = json!(0);
            pod
        };
        installed.apply(
            namespace,
            &[
                pod("twice", vec![fill("first", "/target"), fill("second", "/target")]),
                pod("nowhere", vec![fill("first", "/elsewhere")]),
            ],
        );
        let ended = |app: &'static str, phase: &'static str| async move {
            eventually(&format!("a pod of {app} that {phase}"), || async {
                let pods = installed.cluster.list("v1", "pods", namespace).await;
                let of = |pod: &&Value| pod["metadata"]["labels"]["app"] == app && pod["status"]["phase"] == phase;
                pods.iter().find(of).cloned()
            })
            .await
        };
        ended("twice", "Succeeded").await;
        let failed = ended("nowhere", "Failed").await;
        let terminated = &failed["status"]["initContainerStatuses"][0]["state"]["terminated"];
        assert_eq!(terminated["exitCode"], 2);
        let said = terminated["message"].as_str().unwrap_or_default();
        assert!(said.contains("TARGET_DIRECTORY is /elsewhere, which cannot be used"), "{terminated}");
    });
}
