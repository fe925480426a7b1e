//! Collectors that are held down are the third condition lost: devices go after the grace period, and nothing else does.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use epiphyte_api::WorkloadKind::Deployment;
use epiphyte_testbed::otlp::Span;
use serde_json::Value;

use crate::installed::{OPERATOR_APP, PATIENCE, SYSTEM, test_apart};
use crate::support::{Cluster, PYTHON, TOKEN, annotated, eventually, lumigo_object, token_secret, until};
use crate::workloads::service;

/// Long enough to be seen, and to be told from none; over before the proxy ends a Collector that hangs and starts another.
const GRACE: Duration = Duration::from_secs(15);

/// Settings of the operator.
fn settings() -> String {
    format!("collectors: {{unreadyGracePeriod: {}s}}\n", GRACE.as_secs())
}

/// The namespace of a workload with a device, and that of one tenant.
const HELD: &str = "held";
const TENANT: &str = "tenant";

/// The pods of operator and telemetry proxy.
async fn pods(cluster: &Cluster) -> Vec<Value> {
    let mut pods = cluster.list("v1", "pods", SYSTEM).await;
    pods.retain(|pod| pod["metadata"]["labels"]["app.kubernetes.io/name"] == OPERATOR_APP);
    pods
}

/// What says of each of them that it is the same as ever: who it is, whether it is ready, how often each container started again.
async fn lives(cluster: &Cluster) -> BTreeSet<String> {
    let life = |pod: &Value| {
        let status = &pod["status"];
        let ready =
            status["conditions"].as_array().and_then(|all| all.iter().find(|it| it["type"] == "Ready")).cloned();
        let restarts = status["containerStatuses"].as_array().into_iter().flatten().map(|it| &it["restartCount"]);
        let restarts: Vec<_> = restarts.collect();
        format!("{} ready: {} restarts: {restarts:?}", pod["metadata"]["uid"], ready.unwrap_or_default()["status"])
    };
    pods(cluster).await.iter().map(life).collect()
}

/// The Collectors in these pods, as processes of this machine.
fn collectors(pods: &[Value]) -> Vec<String> {
    let uids: Vec<&str> = pods.iter().map(|pod| pod["metadata"]["uid"].as_str().expect("a uid")).collect();
    let is_ours = |process: &Path| {
        let read = |file| std::fs::read_to_string(process.join(file)).unwrap_or_default();
        // Some write a uid into a name with other signs in it.
        let groups = read("cgroup").replace('_', "-");
        read("comm").trim() == "otelcol" && uids.iter().any(|uid| groups.contains(uid))
    };
    let processes = std::fs::read_dir("/proc").expect("proc").flatten().map(|entry| entry.path());
    let found = processes.filter(|process| is_ours(process));
    found.filter_map(|process| Some(process.file_name()?.to_str()?.to_owned())).collect()
}

/// Holds the Collectors in some pods down until it is dropped, those too that are started in the place of one that hangs.
struct HeldDown {
    pods: Vec<Value>,
    released: Arc<AtomicBool>,
    holding: Option<JoinHandle<()>>,
}

impl HeldDown {
    fn hold(pods: Vec<Value>) -> Self {
        let released = Arc::new(AtomicBool::new(false));
        let (of, until) = (pods.clone(), Arc::clone(&released));
        let holding = thread::spawn(move || {
            while !until.load(Ordering::Relaxed) {
                signal("STOP", &collectors(&of));
                thread::sleep(Duration::from_millis(100));
            }
        });
        Self { pods, released, holding: Some(holding) }
    }
}

impl Drop for HeldDown {
    fn drop(&mut self) {
        self.released.store(true, Ordering::Relaxed);
        if let Some(holding) = self.holding.take() {
            holding.join().expect("it holds them down to the end");
        }
        signal("CONT", &collectors(&self.pods));
    }
}

/// One that has ended meanwhile has no use for it.
fn signal(name: &str, processes: &[String]) {
    Command::new("kill").arg(format!("-{name}")).args(processes).output().expect("kill runs");
}

/// What `epiphyte` says with these arguments to somebody who has the operator's settings.
fn epiphyte(cluster: &Cluster, arguments: &[&str]) -> String {
    let file = cluster.plane.folder().join("grace.yaml");
    std::fs::write(&file, settings()).expect("written");
    let mut command = Command::new(env!("CARGO_BIN_EXE_epiphyte"));
    command.args(arguments).arg("--config").arg(file);
    let output = command.env("KUBECONFIG", cluster.plane.kubeconfig()).output().expect("it runs");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// The reason that `status` gives for the third condition.
fn third_condition(cluster: &Cluster) -> String {
    let status: Value = serde_json::from_str(&epiphyte(cluster, &["status", "-o", "json"])).expect("JSON");
    status["collectors"]["reason"].as_str().expect("a reason").to_owned()
}

async fn has_device(cluster: &Cluster) -> bool {
    !cluster.devices(Deployment, HELD, "python").await.is_empty()
}

#[test]
fn held_down_collectors_cost_devices_after_the_grace_period_and_a_lost_upstream_costs_nothing() {
    test_apart(&settings(), async |cluster| {
        // There is no receiver yet: all that follows is without an upstream.
        for namespace in [HELD, TENANT] {
            cluster.namespace(namespace, None).await;
        }
        cluster.apply(&token_secret(TENANT, TOKEN)).await;
        cluster.apply(&lumigo_object(TENANT, "lumigo")).await;
        let python = annotated(service("python", "sample-python"), "true");
        cluster.kubectl_with(&["apply", "-n", HELD, "-f", "-"], &python);
        cluster.until_devices(Deployment, HELD, "python", &[("app", PYTHON)]).await;
        assert_eq!(third_condition(cluster), "CollectorsReady");
        let before = lives(cluster).await;

        let pods = pods(cluster).await;
        let running = collectors(&pods);
        assert!(running.len() >= before.len(), "each pod has a Collector: {running:?}");
        let since = Instant::now();
        let held = HeldDown::hold(pods);
        eventually("the third condition is said to be lost, with the device still there", || async {
            let (reason, has_device) = (third_condition(cluster), has_device(cluster).await);
            assert!(has_device || since.elapsed() >= GRACE, "the device went after {:?}", since.elapsed());
            (reason == "CollectorsGracePeriod" && has_device).then_some(())
        })
        .await;
        let explained = epiphyte(cluster, &["explain", "deployment/python", "-n", HELD]);
        assert!(explained.contains("CollectorsGracePeriod"), "{explained}");
        let create = ["create", "--dry-run=server", "-o", "json", "-n", TENANT, "-f", "-"];
        let admitted = cluster.kubectl_with(&create, &service("new", "sample-python"));
        assert!(admitted.contains("lumigo-injector"), "{admitted}");

        until("the device is gone", || async { !has_device(cluster).await }).await;
        assert!(since.elapsed() >= GRACE, "it went after {:?}", since.elapsed());
        assert_eq!(third_condition(cluster), "CollectorsNotReady");
        let status = epiphyte(cluster, &["status"]);
        assert!(status.contains("0 of 2 addresses take telemetry"), "{status}");
        let explained = epiphyte(cluster, &["explain", "deployment/python", "-n", HELD]);
        assert!(explained.contains("CollectorsNotReady"), "{explained}");
        assert_eq!(lives(cluster).await, before, "the pods are as they were");

        drop(held);
        until("the third condition holds", || async { third_condition(cluster) == "CollectorsReady" }).await;
        cluster.until_devices(Deployment, HELD, "python", &[("app", PYTHON)]).await;
        let receiver = cluster.plane.receiver().expect("a receiver");
        let seen = |spans: &[Span]| {
            spans.iter().any(|span| span.resource.get("k8s.namespace.name").is_some_and(|it| it == HELD)).then_some(())
        };
        receiver.wait("span once there is an upstream", PATIENCE, seen).expect("a span");
        assert_eq!(lives(cluster).await, before, "the pods are as they were");
    });
}
