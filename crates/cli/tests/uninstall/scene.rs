//! A cluster in which everything of ours is to be found, and the commands that take it out.

use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use epiphyte_api::WorkloadKind::{CronJob, Deployment};
use epiphyte_testbed::FakeNode;
use serde_json::{Value, json};

use crate::support::*;

/// The user that the uninstaller is for the API server.
pub const PERSON: &str = "person";

/// Workloads of the scene.
pub const WORKLOADS: [(epiphyte_api::WorkloadKind, &str, &str); 4] = [
    (Deployment, "shop", "cart"),
    (CronJob, "shop", "nightly"),
    (Deployment, "shop", "mail"),
    (Deployment, "traced", "till"),
];

pub fn short_lease() -> OperatorOptions {
    OperatorOptions { settings: SHORT_LEASE.to_owned(), ..OperatorOptions::default() }
}

/// Their manifests: one by annotation, one of another kind, one by label, one by a Lumigo.
fn manifests() -> [Value; 4] {
    [
        annotated(idle(deployment("shop", "cart")), "true"),
        annotated(workload(CronJob, "shop", "nightly", &["app"]), "true"),
        labelled(idle(deployment("shop", "mail")), "true"),
        idle(deployment("traced", "till")),
    ]
}

/// The pod templates as people wrote them, in the API server's normal form.
pub struct Originals(Vec<Value>);

/// Puts workloads into the cluster and waits until every one is instrumented, by device or injector.
pub async fn furnish(cluster: &Cluster) -> Originals {
    cluster.namespace("shop", None).await;
    cluster.namespace("traced", None).await;
    let mut originals = Vec::new();
    for manifest in manifests() {
        let dry = cluster
            .try_kubectl(&["create", "--dry-run=server", "-o", "json", "-f", "-"], &unmarked(manifest).to_string());
        originals.push(serde_json::from_str(&dry.expect("a dry run")).expect("JSON"));
    }
    for manifest in manifests() {
        cluster.apply(&manifest).await;
    }
    cluster.lumigo("traced").await;
    instrumented(cluster).await;
    Originals(originals)
}

/// Under another name, so that there can be a dry run beside it, and without a mark, so that nobody instruments it.
fn unmarked(mut manifest: Value) -> Value {
    let metadata = &mut manifest["metadata"];
    metadata["name"] = json!("original");
    metadata["namespace"] = json!("default");
    for key in ["annotations", "labels"] {
        metadata.as_object_mut().expect("metadata").remove(key);
    }
    manifest
}

/// Waits until every workload of the scene is instrumented; plays the node agent.
pub async fn instrumented(cluster: &Cluster) {
    for (kind, name) in [(Deployment, "cart"), (CronJob, "nightly")] {
        cluster.answer(kind, "shop", name, &[("app", "java")]).await;
        cluster.until_devices(kind, "shop", name, &[("app", JAVA)]).await;
    }
    for (namespace, name) in [("shop", "mail"), ("traced", "till")] {
        until(&format!("{namespace}/{name} is injected"), || async {
            is_injected(&cluster.workload(Deployment, namespace, name).await)
        })
        .await;
    }
}

pub fn is_injected(deployment: &Value) -> bool {
    let volumes = deployment.pointer("/spec/template/spec/volumes").and_then(Value::as_array);
    volumes.into_iter().flatten().any(|volume| volume["name"] == "lumigo-injector")
}

/// The node agents go, and the kubelet forgets their devices.
pub async fn withdraw_devices(cluster: &Cluster) {
    cluster.plane.update_node(&FakeNode::new("node-1")).await.expect("the node is written");
}

/// The node agents are back.
pub async fn offer_devices(cluster: &Cluster) {
    cluster.plane.update_node(&node("node-1")).await.expect("the node is written");
}

impl Originals {
    /// Every template is as it was written.
    pub async fn assert_restored(&self, cluster: &Cluster) {
        for ((kind, namespace, name), original) in WORKLOADS.into_iter().zip(&self.0) {
            // Names apart, the manifests of the dry run are those of the scene.
            let mut found = cluster.workload(kind, namespace, name).await;
            let pointer = kind.template_pointer();
            let template = found.pointer_mut(pointer).expect("a template").take();
            assert_eq!(Some(&template), original.pointer(pointer), "{kind} {namespace}/{name}");
            let label = found["metadata"]["labels"]["lumigo.auto-trace"].as_str();
            assert!(label.is_none_or(|label| label == "true"), "{namespace}/{name} is labelled {label:?}");
        }
    }
}

/// The uninstaller as a process. Killed when dropped.
pub struct Uninstaller {
    child: Child,
    folder: PathBuf,
    number: u32,
}

/// What the uninstaller said.
#[derive(Debug)]
pub struct Said {
    pub code: Option<i32>,
    pub report: Value,
    pub progress: String,
}

/// Starts to uninstall.
pub fn uninstall(cluster: &Cluster, arguments: &[&str]) -> Uninstaller {
    let folder = cluster.plane.folder().to_owned();
    let number = rand();
    let file = |what: &str| File::create(folder.join(format!("uninstall-{number}.{what}"))).expect("a file");
    let child = command(cluster)
        .args(["operator", "--uninstall", "--namespace", SYSTEM, "-o", "json"])
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(file("out"))
        .stderr(file("err"))
        .spawn();
    Uninstaller { child: child.expect("it starts"), folder, number }
}

/// A number that no other process of the test has.
fn rand() -> u32 {
    static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed)
}

pub fn command(cluster: &Cluster) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_epiphyte"));
    command.env("KUBECONFIG", cluster.plane.user(PERSON, &["system:masters"]).expect("a kubeconfig"));
    command
}

impl Uninstaller {
    fn read(&self, what: &str) -> String {
        let path = self.folder.join(format!("uninstall-{}.{what}", self.number));
        std::fs::read_to_string(path).unwrap_or_default()
    }

    /// Waits until it has said something of its progress.
    pub async fn until_said(&self, what: &str) {
        until(&format!("the uninstaller says {what:?}"), || async { self.read("err").contains(what) }).await;
    }

    pub fn signal(&self, name: &str) {
        let told = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status();
        assert!(told.expect("kill runs").success());
    }

    /// Waits until it ends.
    pub async fn ends(mut self) -> Said {
        let start = Instant::now();
        let code = loop {
            if let Some(status) = self.child.try_wait().expect("it can be waited for") {
                break status.code();
            }
            assert!(start.elapsed() < DEADLINE, "the uninstaller does not end:\n{}", self.read("err"));
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        };
        let progress = self.read("err");
        let report = serde_json::from_str(&self.read("out")).unwrap_or(Value::Null);
        Said { code, report, progress }
    }
}

impl Drop for Uninstaller {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Said {
    /// Everything is out of the cluster, and the audit says so.
    pub fn assert_uninstalled(&self) {
        assert_eq!(self.report["outcome"], "uninstalled", "{self:#?}");
        assert_eq!(self.report["audit"]["clean"], true, "{self:#?}");
        assert_eq!(self.code, Some(0), "{self:#?}");
    }

    /// What the audit found that is to go: kind, namespace and name.
    pub fn leftovers(&self) -> Vec<String> {
        leftovers(&self.report["audit"])
    }
}

fn leftovers(audit: &Value) -> Vec<String> {
    let findings = audit["findings"].as_array().expect("findings");
    let left = findings.iter().filter(|finding| finding["severity"] == "leftover");
    let text = |finding: &Value, key: &str| finding[key].as_str().unwrap_or_default().to_owned();
    left.map(|it| format!("{} {}/{}", text(it, "kind"), text(it, "namespace"), text(it, "name"))).collect()
}

/// Uninstalls and waits for the end.
pub async fn uninstalled(cluster: &Cluster, arguments: &[&str]) -> Said {
    uninstall(cluster, arguments).ends().await
}

/// What `epiphyte audit` finds that is to go, and its exit status.
pub fn audit(cluster: &Cluster, arguments: &[&str]) -> (Vec<String>, Option<i32>) {
    let output = command(cluster)
        .args(["audit", "--system-namespace", SYSTEM, "-o", "json"])
        .args(arguments)
        .output()
        .expect("it runs");
    let audit: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
        panic!("{error}: {}", String::from_utf8_lossy(&output.stderr));
    });
    (leftovers(&audit), output.status.code())
}

/// Whether the mark is there.
pub async fn is_marked(cluster: &Cluster) -> bool {
    cluster.get("v1", "configmaps", SYSTEM, "epiphyte-uninstalling").await.is_some()
}
