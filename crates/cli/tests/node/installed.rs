//! A cluster with everything of ours installed, which all tests share, each in a namespace of its own.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::{LazyLock, RwLock};
use std::time::Duration;

use epiphyte_testbed::otlp::{Receiver, Request, Span};
use epiphyte_testbed::{ControlPlane, image, no_node, skipped};
use serde::Deserialize as _;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::support::{Cluster, eventually, until};

/// The node.
pub const NODE: &str = "node-a";
/// Where the node agent is.
pub const AGENT: &str = "epiphyte-node";
/// Where operator and telemetry proxy are.
pub const SYSTEM: &str = "epiphyte-system";
/// They are in the pods of this Deployment.
pub const OPERATOR: &str = "deployment/epiphyte-operator";
/// The Deployment's name, which its pods have in a label, and its settings.
pub const OPERATOR_APP: &str = "epiphyte-operator";

/// What is installed.
const MANIFESTS: &str = "deploy/epiphyte.yaml";
/// Leads what the telemetry proxy takes to the test bed's receiver.
const RECEIVER: &str = "examples/services/receiver.yaml";

/// How long spans may take to come: a program has to start anew with its agent, beside others that do.
pub const PATIENCE: Duration = Duration::from_secs(180);

/// Every image that a test needs.
const IMAGES: [&str; 9] = [
    "operator",
    "telemetry-proxy",
    "node-agent",
    "agents",
    "sample-java",
    "sample-python",
    "sample-node",
    "sample-go",
    "sample-odd",
];

/// What is installed; none where there can be no node, with the reason.
static INSTALLED: LazyLock<Result<Installed, String>> = LazyLock::new(Installed::start);
/// Held by tests that can run beside each other; those that take something away from all have it to themselves.
static DISTURBANCE: RwLock<()> = RwLock::new(());

pub struct Installed {
    runtime: Runtime,
    pub cluster: Cluster,
    receiver: Receiver,
}

/// Runs a test in a namespace, beside others.
pub fn test(namespace: &str, test: impl AsyncFnOnce(&Installed, &str)) {
    let _beside = DISTURBANCE.read().unwrap_or_else(std::sync::PoisonError::into_inner);
    run(namespace, test);
}

/// Runs a test with an installation of its own, with these settings of the operator besides, and without a receiver.
pub fn test_apart(settings: &str, test: impl AsyncFnOnce(&Cluster)) {
    test_bare(async |cluster| {
        install(cluster, settings);
        test(cluster).await;
    });
}

/// Runs a test on a node of its own where nothing is installed.
pub fn test_bare(test: impl AsyncFnOnce(&Cluster)) {
    match prerequisites() {
        Ok(images) => Runtime::new().expect("a runtime").block_on(async { test(&start(&images).await).await }),
        Err(why) => skipped(&why),
    }
}

/// Leads what an installed telemetry proxy takes to the test bed's receiver.
pub fn lead_to_receiver(cluster: &Cluster) {
    let receiver = repository().join(RECEIVER).display().to_string();
    // Also in the place of what Helm applied.
    cluster.kubectl(&["apply", "--server-side", "--force-conflicts", "-f", &receiver]);
    cluster.kubectl(&["rollout", "restart", "-n", SYSTEM, OPERATOR]);
    cluster.kubectl(&["rollout", "status", "-n", SYSTEM, OPERATOR, "--timeout=180s"]);
}

/// Runs a test in a namespace while no other runs.
pub fn test_alone(namespace: &str, test: impl AsyncFnOnce(&Installed, &str)) {
    let _alone = DISTURBANCE.write().unwrap_or_else(std::sync::PoisonError::into_inner);
    run(namespace, test);
}

fn run(namespace: &str, test: impl AsyncFnOnce(&Installed, &str)) {
    match &*INSTALLED {
        Ok(installed) => {
            let ended = catch_unwind(AssertUnwindSafe(|| installed.runtime.block_on(test(installed, namespace))));
            if let Err(why) = ended {
                tell_failure(installed, namespace, &*why);
                resume_unwind(why);
            }
            // What still ran would be in the way of others.
            installed.cluster.kubectl(&["delete", "namespace", namespace, "--wait=false"]);
        }
        Err(why) => skipped(why),
    }
}

/// Shows what operator and node agent said last when a test has failed, what became of the pods in its namespace, and once
/// more why, where whoever reads only the end finds it.
fn tell_failure(installed: &Installed, namespace: &str, why: &(dyn Any + Send)) {
    let logs = |namespace, what| ["logs", "-n", namespace, what, "--all-pods", "--all-containers", "--tail=20"];
    let questions: [&[&str]; 4] = [
        &logs(SYSTEM, OPERATOR),
        &logs(AGENT, "daemonset/epiphyte-node-agent"),
        &["get", "pods", "-n", namespace, "-o", "wide"],
        &["get", "events", "-n", namespace, "--sort-by=.lastTimestamp"],
    ];
    for question in questions {
        let said = installed.cluster.try_kubectl(question, "").unwrap_or_else(|error| error);
        eprintln!("--- kubectl {} ---\n{said}", question.join(" "));
    }
    let why = why.downcast_ref::<String>().map(String::as_str).or_else(|| why.downcast_ref::<&str>().copied());
    eprintln!("--- failed: {} ---", why.unwrap_or("for a reason without words"));
}

/// Gives back what a test took from all, when it is dropped: however the test ends, the next finds all as it was.
#[must_use]
pub struct Restoration<'a> {
    installed: &'a Installed,
    /// What kubectl is asked to do, in this order.
    commands: &'static [&'static [&'static str]],
}

impl Drop for Restoration<'_> {
    fn drop(&mut self) {
        for command in self.commands {
            let done = self.installed.cluster.try_kubectl(command, "");
            // A second panic would end the process.
            if std::thread::panicking() {
                done.map_or_else(|error| eprintln!("kubectl {command:?}: {error}"), drop);
            } else {
                done.expect("all is given back");
            }
        }
    }
}

impl Installed {
    fn start() -> Result<Self, String> {
        let images = prerequisites()?;
        let runtime = Runtime::new().expect("a runtime");
        let (cluster, receiver) = runtime.block_on(async {
            let cluster = start(&images).await;
            let receiver = cluster.plane.receiver().expect("a receiver");
            install(&cluster, "");
            (cluster, receiver)
        });
        Ok(Self { runtime, cluster, receiver })
    }

    /// Waits until the spans that came answer a question.
    pub fn spans<T>(&self, what: &str, found: impl Fn(&[Span]) -> Option<T>) -> T {
        self.receiver.wait(what, PATIENCE, found).expect("spans")
    }

    /// Waits until the requests that came answer a question.
    pub fn requests<T>(&self, what: &str, found: impl Fn(&[Request]) -> Option<T>) -> T {
        self.receiver.wait_requests(what, PATIENCE, found).expect("requests")
    }

    /// Waits for a span of a pod's container, by the names that it gives itself.
    pub fn span_of(&self, namespace: &str, pod: &str, container: &str) -> Span {
        let of = |span: &&Span, key: &str, value: &str| span.resource.get(key).is_some_and(|found| found == value);
        self.spans(&format!("span of {namespace}/{pod}/{container}"), |spans| {
            let mut spans = spans.iter().filter(|span| of(span, "k8s.namespace.name", namespace));
            spans.find(|span| of(span, "k8s.pod.name", pod) && of(span, "k8s.container.name", container)).cloned()
        })
    }

    /// Applies objects and waits until those of them that are Deployments are rolled out.
    pub fn apply(&self, namespace: &str, objects: &[Value]) {
        let list = json!({ "apiVersion": "v1", "kind": "List", "items": objects });
        self.cluster.kubectl_with(&["apply", "--server-side", "-n", namespace, "-f", "-"], &list);
        for object in objects.iter().filter(|object| object["kind"] == "Deployment") {
            self.rolled_out(namespace, object["metadata"]["name"].as_str().expect("a name"));
        }
    }

    /// Waits until a Deployment's pods are those of its latest template.
    pub fn rolled_out(&self, namespace: &str, name: &str) {
        self.cluster.kubectl(&["rollout", "status", "-n", namespace, &format!("deployment/{name}"), "--timeout=180s"]);
    }

    /// The only pod of a Deployment that has not ended and is not on its way out.
    pub async fn pod(&self, namespace: &str, app: &str) -> String {
        eventually(&format!("one pod of {namespace}/{app}"), || async {
            let pods = self.cluster.list("v1", "pods", namespace).await;
            let mut pods = pods.iter().filter(|pod| {
                pod["metadata"]["labels"]["app"] == app
                    && pod["metadata"].get("deletionTimestamp").is_none()
                    && pod["status"]["phase"] != "Failed"
            });
            let first = pods.next()?["metadata"]["name"].as_str()?.to_owned();
            pods.next().is_none().then_some(first)
        })
        .await
    }

    /// Runs a program in a container of a Deployment's pod and gives what it says, on both streams.
    pub async fn exec(&self, namespace: &str, app: &str, program: &[&str]) -> String {
        let (status, said) = self.try_exec(namespace, app, program).await;
        assert!(status.success(), "{program:?} in {namespace}/{app}: {status}: {said}");
        said
    }

    /// The same for a program that may not come to its own end, such as one that ends the container around it.
    pub async fn try_exec(&self, namespace: &str, app: &str, program: &[&str]) -> (ExitStatus, String) {
        let pod = self.pod(namespace, app).await;
        let output = self.cluster.plane.kubectl().args(["exec", "-n", namespace, &pod, "--"]).args(program).output();
        let output = output.expect("kubectl runs");
        let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        (output.status, said)
    }

    /// What gives back, once it is dropped, what a test is about to take from all.
    pub fn restoration(&self, commands: &'static [&'static [&'static str]]) -> Restoration<'_> {
        Restoration { installed: self, commands }
    }

    /// Marks a namespace and waits until the Deployments of it that are named have devices and pods with them.
    pub async fn mark(&self, namespace: &str, deployments: &[&str]) {
        self.cluster.kubectl(&["annotate", "namespace", namespace, "odigos.io/instrument=true"]);
        for name in deployments {
            until(&format!("{namespace}/{name} is instrumented"), || async {
                let kind = epiphyte_api::WorkloadKind::Deployment;
                let condition = self.cluster.condition(kind, namespace, name, "Instrumented").await;
                !self.cluster.devices(kind, namespace, name).await.is_empty() || {
                    assert_ne!(condition.map(|(_, reason)| reason).as_deref(), Some("RuntimeVersionNotServed"));
                    false
                }
            })
            .await;
            self.rolled_out(namespace, name);
        }
    }
}

/// The folder of images, or why there can be no node.
fn prerequisites() -> Result<PathBuf, String> {
    if let Some(why) = no_node().expect("try") {
        return Err(why);
    }
    Ok(image::folder().ok_or("there are no images; `cargo xtask test` builds them")?)
}

/// A cluster with a node that has every image.
async fn start(images: &Path) -> Cluster {
    let plane = ControlPlane::builder().with_node(NODE).start().await.expect("a node");
    for name in IMAGES {
        plane.load_image(&images.join(format!("{name}.tar"))).await.expect("an image");
    }
    Cluster { client: plane.client(), plane }
}

/// Installs as a person does: definitions, and manifests with settings of one's own, among them these of the operator.
fn install(cluster: &Cluster, settings: &str) {
    cluster.define();
    let own = objects(RECEIVER);
    let id = |object: &Value| (object["kind"].clone(), object["metadata"]["name"].clone());
    let mut all = objects(MANIFESTS);
    all.retain(|object| own.iter().all(|own| id(own) != id(object)));
    all.extend(own);
    for object in all.iter_mut().filter(|it| it["kind"] == "ConfigMap" && it["metadata"]["name"] == OPERATOR_APP) {
        let all = object["data"]["settings.yaml"].as_str().expect("settings").to_owned() + settings;
        object["data"]["settings.yaml"] = json!(all);
    }
    // A pod has to find the settings that it is to have.
    all.sort_by_key(|object| object["kind"] == "Deployment");
    let list = json!({ "apiVersion": "v1", "kind": "List", "items": all });
    cluster.kubectl_with(&["apply", "--server-side", "-f", "-"], &list);
    cluster.kubectl(&["rollout", "status", "-n", AGENT, "daemonset/epiphyte-node-agent", "--timeout=120s"]);
    cluster.kubectl(&["rollout", "status", "-n", SYSTEM, OPERATOR, "--timeout=180s"]);
}

/// The objects of a file of the repository.
fn objects(file: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(repository().join(file)).expect("the manifests");
    yaml_serde::Deserializer::from_str(&text).map(|document| Value::deserialize(document).expect("YAML")).collect()
}

pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}
