//! A workload under observation, and what tests say about it.

use epiphyte_api::WorkloadKind;
use epiphyte_testbed::Mark;
use serde_json::{Value, json};

use super::support::*;

/// What stands in every pod template that something of ours was added to.
const OURS: [&str; 3] = ["instrumentation.odigos.io/", "lumigo-injector", "/opt/lumigo"];

/// A workload under observation.
pub struct Subject<'a> {
    cluster: &'a Cluster,
    pub kind: WorkloadKind,
    pub namespace: String,
    pub name: String,
    /// Where the audit log ended before the workload was there.
    mark: Mark,
}

impl<'a> Subject<'a> {
    /// The workload of a manifest, which somebody else creates.
    pub fn of(cluster: &'a Cluster, manifest: &Value) -> Self {
        let text = |pointer: &str| manifest.pointer(pointer).and_then(Value::as_str).expect("it is there").to_owned();
        Self {
            cluster,
            kind: text("/kind").parse().expect("a kind of workload"),
            namespace: text("/metadata/namespace"),
            name: text("/metadata/name"),
            mark: cluster.plane.audit().mark().expect("the audit log is read"),
        }
    }

    /// Creates a workload.
    pub async fn create(cluster: &'a Cluster, manifest: &Value) -> Self {
        let subject = Self::of(cluster, manifest);
        cluster.create(manifest).await;
        subject
    }

    /// Creates a workload that an annotation turns on, and waits until its container `app` has the device for Java.
    pub async fn instrumented(cluster: &'a Cluster, manifest: Value) -> Self {
        let subject = Self::create(cluster, &annotated(manifest, "true")).await;
        subject.answer(&[("app", "java")]).await;
        subject.until_devices(&[("app", JAVA)]).await;
        subject
    }

    pub async fn object(&self) -> Value {
        self.cluster.workload(self.kind, &self.namespace, &self.name).await
    }

    pub async fn template(&self) -> Value {
        self.object().await.pointer(self.kind.template_pointer()).cloned().expect("a template")
    }

    pub async fn merge(&self, patch: &Value) {
        self.cluster.merge(&self.reference(), "", patch).await;
    }

    pub async fn annotate(&self, value: Option<&str>) {
        self.merge(&json!({ "metadata": { "annotations": { "odigos.io/instrument": value } } })).await;
    }

    pub async fn label(&self, value: Option<&str>) {
        self.merge(&json!({ "metadata": { "labels": { "lumigo.auto-trace": value } } })).await;
    }

    pub async fn delete(&self) {
        self.cluster.delete(&self.reference()).await;
    }

    /// Plays the node agent, once the operator asks.
    pub async fn answer(&self, languages: &[(&str, &str)]) {
        self.cluster.answer(self.kind, &self.namespace, &self.name, languages).await;
    }

    /// Writes other runtime details over those that are there.
    pub async fn rewrite_details(&self, languages: &[(&str, &str)]) {
        self.cluster.write_details(&self.namespace, &self.details_name(), languages).await;
    }

    pub fn details_name(&self) -> String {
        epiphyte_api::instrumented_application_name(self.kind, &self.name)
    }

    /// Its `InstrumentedApplication`.
    pub async fn details(&self) -> Option<Value> {
        details(self.cluster, &self.namespace, &self.details_name()).await
    }

    pub async fn until_details_are_gone(&self) {
        until(&format!("the details of {self} are gone"), || async { self.details().await.is_none() }).await;
    }

    pub async fn until_devices(&self, devices: &[(&str, &str)]) {
        self.cluster.until_devices(self.kind, &self.namespace, &self.name, devices).await;
    }

    /// Fails unless the workload asks for exactly these devices now.
    pub async fn assert_devices(&self, devices: &[(&str, &str)]) {
        let asked = self.cluster.devices(self.kind, &self.namespace, &self.name).await;
        let asked: Vec<_> = asked.iter().map(|(container, device)| (container.as_str(), device.as_str())).collect();
        assert_eq!(asked, devices, "{self}");
    }

    pub async fn until_injected(&self) {
        until(&format!("{self} is injected"), || async { is_injected(&self.template().await) }).await;
    }

    /// Waits until nothing of ours is in the template.
    pub async fn until_bare(&self) {
        until(&format!("{self} is bare"), || async { is_bare(&self.template().await) }).await;
    }

    pub async fn until_reason(&self, condition: &str, reason: &str) {
        self.cluster.until_reason(self.kind, &self.namespace, &self.name, condition, reason).await;
    }

    pub async fn until_event(&self, reason: &str) {
        self.cluster.until_event(&self.namespace, &self.name, reason).await;
    }

    /// Verdict and reason of a container in the status of its `InstrumentedApplication`.
    pub async fn until_verdict(&self, container: &str, verdict: &str, reason: &str) {
        until(&format!("container {container} of {self} is {verdict} because of {reason}"), || async {
            let details = self.details().await.unwrap_or_default();
            let containers =
                details.pointer("/status/containers").and_then(Value::as_array).cloned().unwrap_or_default();
            let is_it =
                |it: &Value| it["containerName"] == container && it["verdict"] == verdict && it["reason"] == reason;
            containers.iter().any(is_it)
        })
        .await;
    }

    pub async fn generation(&self) -> i64 {
        self.cluster.generation(self.kind, &self.namespace, &self.name).await
    }

    /// How often the operator has written the workload itself.
    pub fn writes(&self) -> usize {
        let is_about_it = |entry: &epiphyte_testbed::Entry| {
            entry.is_about(self.kind.plural())
                && entry.object_ref.as_ref().is_some_and(|it| it.namespace == self.namespace && it.name == self.name)
        };
        self.cluster.operator_writes(self.mark).iter().filter(|entry| is_about_it(entry)).count()
    }

    /// Fails unless the workload is as it was created, in the operator's eyes too. Meaningful only once something that
    /// came later has been seen handled, see [`witness`].
    pub async fn assert_untouched(&self) {
        assert!(is_bare(&self.template().await), "{self} has something of ours");
        assert_eq!(self.writes(), 0, "{self} was written");
        assert!(self.details().await.is_none(), "{self} is asked about");
        assert_eq!(self.object().await.pointer("/metadata/generation"), Some(&json!(1)), "{self} was changed");
    }

    fn reference(&self) -> Object<'_> {
        Object {
            api_version: self.kind.api_version(),
            plural: self.kind.plural(),
            namespace: &self.namespace,
            name: &self.name,
        }
    }
}

impl std::fmt::Display for Subject<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}/{}", self.kind, self.namespace, self.name)
    }
}

/// Whether a template has all that the injector delivery adds, in every container.
pub fn is_injected(template: &Value) -> bool {
    let list =
        |value: &Value, pointer: &str| value.pointer(pointer).and_then(Value::as_array).cloned().unwrap_or_default();
    let named = |entries: &[Value], name: &str| entries.iter().any(|entry| entry["name"] == name);
    let containers = list(template, "/spec/containers");
    let all = containers.iter().all(|container| {
        let variables = list(container, "/env");
        let preload = "/opt/lumigo/injector/lumigo_injector.so";
        let mount = json!({ "name": "lumigo-injector", "mountPath": "/opt/lumigo", "readOnly": true });
        epiphyte_api::names::INJECTOR_VARIABLES.into_iter().all(|name| named(&variables, name))
            && variables.contains(&json!({ "name": "LD_PRELOAD", "value": preload }))
            && variables.contains(&json!({ "name": "LUMIGO_CONTAINER_NAME", "value": container["name"] }))
            && list(container, "/volumeMounts").contains(&mount)
    });
    let volume = json!({ "name": "lumigo-injector", "emptyDir": { "sizeLimit": "200M" } });
    all && !containers.is_empty()
        && list(template, "/spec/volumes").contains(&volume)
        && named(&list(template, "/spec/initContainers"), "lumigo-injector")
        && version_label(template).is_some_and(|label| label.starts_with("lumigo-operator.v"))
}

/// Whether a template has nothing of ours.
pub fn is_bare(template: &Value) -> bool {
    let text = template.to_string();
    !OURS.iter().any(|ours| text.contains(ours))
}

/// The label `lumigo.auto-trace` of an object or a template.
pub fn version_label(of: &Value) -> Option<&str> {
    of.pointer("/metadata/labels/lumigo.auto-trace")?.as_str()
}

/// An `InstrumentedApplication`.
pub async fn details(cluster: &Cluster, namespace: &str, name: &str) -> Option<Value> {
    cluster.get("odigos.io/v1alpha1", "instrumentedapplications", namespace, name).await
}

/// Waits until a workload that comes after all that was there before is asked about, answered and instrumented: by then
/// the operator has looked at the rest and has had the time to act.
pub async fn witness(cluster: &Cluster, name: &str) {
    cluster.namespace("witnesses", None).await;
    Subject::instrumented(cluster, deployment("witnesses", name)).await;
}

/// Deletes a Source.
pub async fn delete_source(cluster: &Cluster, namespace: &str, name: &str) {
    cluster.delete(&Object { api_version: "odigos.io/v1alpha1", plural: "sources", namespace, name }).await;
}

/// Sets the annotation of a namespace that marks it.
pub async fn annotate_namespace(cluster: &Cluster, name: &str, value: Option<&str>) {
    let namespace = Object { api_version: "v1", plural: "namespaces", namespace: "", name };
    cluster.merge(&namespace, "", &json!({ "metadata": { "annotations": { "odigos.io/instrument": value } } })).await;
}
