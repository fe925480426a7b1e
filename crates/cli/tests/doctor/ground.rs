//! A cluster with all of an installation, of which the operator runs outside and pods are played.

use std::path::{Path, PathBuf};
use std::process::Command;

use k8s_openapi::api::core::v1::Pod;
use kube::api::{ListParams, Patch, PatchParams};
use kube::{Api, ResourceExt as _};
use serde::Deserialize as _;
use serde_json::{Value, json};

use crate::support::*;

/// The user that the doctor is for the API server.
pub const PERSON: &str = "person";

/// Where the manifests have the node agent.
pub const NODE: &str = "epiphyte-node";

/// What the telemetry proxy says to a request without a token.
pub const REFUSES: Manner = Manner::Says("HTTP/1.1 401 Unauthorized\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");

/// Settings of the operator, which those of the manifests' ConfigMap resemble.
pub const SETTINGS: &str = "ignoredNamespaces: [epiphyte-node]\nleaderElection: {leaseDuration: 5s}\n";

pub struct Ground {
    pub cluster: Cluster,
    pub operator: Option<Operator>,
    /// Where the telemetry proxy tells of its health, and where it takes telemetry.
    pub health: Address,
    pub otlp: Address,
}

impl Ground {
    /// A cluster that does not know of us; `None` where no address can be had.
    pub async fn bare() -> Option<Self> {
        let (health, otlp) = (Address::open().await?, Address::open().await?);
        otlp.behave(REFUSES);
        Some(Self { cluster: Cluster::without_definitions().await, operator: None, health, otlp })
    }

    /// Installs everything, and plays the pods.
    pub async fn install(&mut self) {
        self.cluster.define();
        self.cluster.collectors("gateway", Ready::Yes).await;
        self.cluster.plane.create_node(&node("node-1")).await.expect("a node");
        self.apply_manifests();
        self.play().await;
        self.operator = Some(self.cluster.operator(&options(SETTINGS)).await);
    }

    /// Applies the manifests, but for the webhook's configuration, which the operator makes outside of the cluster.
    pub fn apply_manifests(&self) {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/epiphyte.yaml");
        let text = std::fs::read_to_string(file).expect("the manifests");
        let text = text
            .replace("epiphyte-system", SYSTEM)
            .replace("containerPort: 13133", &format!("containerPort: {}", self.health.socket.port()))
            .replace("containerPort: 4318", &format!("containerPort: {}", self.otlp.socket.port()));
        let objects = yaml_serde::Deserializer::from_str(&text).map(|it| Value::deserialize(it).expect("YAML"));
        let objects: Vec<Value> = objects.filter(|it| it["kind"] != "MutatingWebhookConfiguration").collect();
        let list = json!({ "apiVersion": "v1", "kind": "List", "items": objects });
        self.cluster.kubectl_with(&["apply", "--server-side", "--force-conflicts", "-f", "-"], &list);
    }

    /// Plays the kubelet until every pod that is to be there is, and says that it is ready.
    pub async fn play(&self) {
        until("the operator's pods are ready", || async {
            self.tell_pods(SYSTEM, true).await;
            self.number("deployments", SYSTEM, OPERATOR, "/status/readyReplicas").await == 2
        })
        .await;
        until("the node agent is ready", || async {
            self.tell_pods(NODE, true).await;
            self.number("daemonsets", NODE, "epiphyte-node-agent", "/status/numberReady").await == 1
        })
        .await;
    }

    /// Has every pod of a namespace say whether it is ready.
    pub async fn tell_pods(&self, namespace: &str, ready: bool) {
        let ip = self.health.socket.ip().to_string();
        let status = json!({ "status": {
            "phase": "Running", "podIP": ip, "podIPs": [{ "ip": ip }],
            "conditions": [{ "type": "Ready", "status": if ready { "True" } else { "False" } }],
        } });
        let pods: Api<Pod> = Api::namespaced(self.cluster.client.clone(), namespace);
        for pod in pods.list(&ListParams::default()).await.expect("the list is read") {
            if pod.metadata.deletion_timestamp.is_none() {
                let patch = Patch::Merge(&status);
                // One that goes away meanwhile says nothing.
                let _ = pods.patch_status(&pod.name_any(), &PatchParams::default(), &patch).await;
            }
        }
    }

    async fn number(&self, plural: &str, namespace: &str, name: &str, pointer: &str) -> i64 {
        let object = self.cluster.get("apps/v1", plural, namespace, name).await;
        object.and_then(|it| it.pointer(pointer)?.as_i64()).unwrap_or_default()
    }

    /// Waits until the doctor finds nothing.
    pub async fn until_well(&self) {
        let mut last = None;
        let start = std::time::Instant::now();
        while start.elapsed() < DEADLINE {
            let said = doctor(&self.cluster);
            if said.code == Some(0) && said.report["verdict"] == "ok" {
                return;
            }
            last = Some(said);
        }
        panic!("it does not become well: {last:#?}");
    }

    /// Waits until the doctor finds something; gives what it found.
    pub async fn until_found(&self, code: &str) -> Value {
        self.until_told(code, "").await
    }

    /// Waits until the doctor finds something in which it saw a text, and says that not all is well where that is broken.
    pub async fn until_told(&self, code: &str, part: &str) -> Value {
        let start = std::time::Instant::now();
        loop {
            let said = doctor(&self.cluster);
            let told = |it: &&&Value| it["found"].as_str().is_some_and(|found| found.contains(part));
            if let Some(finding) = said.found(code).iter().find(told) {
                assert!(!finding["next"].as_str().unwrap_or_default().is_empty(), "{finding:#}");
                let fails = matches!(finding["health"].as_str(), Some("broken" | "notKnown"));
                assert!(!fails || said.code == Some(1), "{said:#?}");
                return (*finding).clone();
            }
            assert!(start.elapsed() < DEADLINE, "{code} {part:?} is not found: {said:#?}");
        }
    }
}

pub fn options(settings: &str) -> OperatorOptions {
    OperatorOptions { settings: settings.to_owned(), ..OperatorOptions::default() }
}

/// What the doctor said.
#[derive(Debug)]
pub struct Said {
    pub code: Option<i32>,
    pub report: Value,
    pub error: String,
}

impl Said {
    /// Findings of a code.
    pub fn found(&self, code: &str) -> Vec<&Value> {
        let checks = self.report["checks"].as_array().into_iter().flatten();
        let findings = checks.flat_map(|it| it["findings"].as_array().into_iter().flatten());
        findings.filter(|it| it["code"] == code).collect()
    }

    /// A check by its name.
    pub fn check(&self, name: &str) -> &Value {
        let checks = self.report["checks"].as_array().expect("checks");
        checks.iter().find(|it| it["check"] == name).expect("it is made")
    }
}

pub fn kubeconfig(cluster: &Cluster) -> PathBuf {
    cluster.plane.user(PERSON, &["system:masters"]).expect("a kubeconfig")
}

/// Asks the doctor.
pub fn doctor(cluster: &Cluster) -> Said {
    doctor_as(&kubeconfig(cluster))
}

pub fn doctor_as(kubeconfig: &Path) -> Said {
    let output = Command::new(env!("CARGO_BIN_EXE_epiphyte"))
        .args(["doctor", "--system-namespace", SYSTEM, "-o", "json"])
        .env("KUBECONFIG", kubeconfig)
        .output()
        .expect("it runs");
    Said {
        code: output.status.code(),
        report: serde_json::from_slice(&output.stdout).unwrap_or_default(),
        error: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}
