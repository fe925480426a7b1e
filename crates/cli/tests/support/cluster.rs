//! A control plane with our CustomResourceDefinitions, and how tests speak to it.

use std::process::Command;
use std::time::{Duration, Instant};

use epiphyte_api::WorkloadKind;
use epiphyte_testbed::{ControlPlane, Entry, Mark};
use kube::Client;
use serde_json::{Value, json};

use super::{OPERATOR, Operator, OperatorOptions, SYSTEM, TOKEN, lumigo_object, token_secret};

/// How long a test waits for what it expects. Generous: machines are slow at times.
pub const DEADLINE: Duration = Duration::from_secs(120);

/// Whether the collectors are ready.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Ready {
    Yes,
    No,
}

/// A control plane with our CustomResourceDefinitions and the system namespace.
pub struct Cluster {
    pub plane: ControlPlane,
    pub client: Client,
}

impl Cluster {
    /// A cluster that does not know our definitions, with the system namespace.
    pub async fn without_definitions() -> Self {
        let plane = ControlPlane::start().await.expect("a control plane");
        let client = plane.client();
        let cluster = Self { plane, client };
        cluster.apply(&json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": SYSTEM } })).await;
        cluster
    }

    /// Installs the definitions as a person does.
    pub fn define(&self) {
        let crds = Command::new(env!("CARGO_BIN_EXE_epiphyte")).arg("crds").output().expect("crds are printed");
        self.apply_text(&String::from_utf8(crds.stdout).expect("UTF-8"));
        self.kubectl(&["wait", "--for=condition=Established", "crd", "--all", "--timeout=30s"]);
    }

    /// A cluster with nothing but the definitions.
    pub async fn bare() -> Self {
        let cluster = Self::without_definitions().await;
        cluster.define();
        cluster
    }

    /// A cluster in which the collectors are ready and one node offers every device.
    pub async fn ready() -> Self {
        let cluster = Self::bare().await;
        cluster.collectors("gateway", Ready::Yes).await;
        cluster.plane.create_node(&super::node("node-1")).await.expect("a node");
        cluster
    }

    /// Starts an operator and waits until it is ready and leads.
    pub async fn operator(&self, options: &OperatorOptions) -> Operator {
        let operator = Operator::start(&self.plane, options);
        self.until_leading(&operator).await;
        operator
    }

    /// Waits until an operator that is alone has taken up all its work.
    pub async fn until_leading(&self, operator: &Operator) {
        until("the operator leads", || async { operator.is_ready() && operator.leads() }).await;
        until("the webhook is configured", || async {
            let configuration = self
                .get("admissionregistration.k8s.io/v1", "mutatingwebhookconfigurations", "", "epiphyte-outside")
                .await;
            let bundle = configuration.and_then(|it| it.pointer("/webhooks/0/clientConfig/caBundle").cloned());
            bundle.is_some_and(|bundle| bundle.as_str().is_some_and(|bundle| !bundle.is_empty()))
        })
        .await;
    }

    /// Runs kubectl and gives what it printed; a failure of kubectl is one of the test.
    pub fn kubectl(&self, arguments: &[&str]) -> String {
        self.kubectl_text(arguments, "")
    }

    /// Runs kubectl with a manifest on its standard input.
    pub fn kubectl_with(&self, arguments: &[&str], manifest: &Value) -> String {
        self.kubectl_text(arguments, &manifest.to_string())
    }

    fn kubectl_text(&self, arguments: &[&str], input: &str) -> String {
        self.try_kubectl(arguments, input).unwrap_or_else(|error| panic!("kubectl {arguments:?}: {error}"))
    }

    /// Runs kubectl with a text on its standard input; gives what it printed, or what it complained of.
    pub fn try_kubectl(&self, arguments: &[&str], input: &str) -> Result<String, String> {
        self.plane.kubectl_with(arguments, input).map_err(|error| error.to_string())
    }

    fn apply_text(&self, yaml: &str) {
        self.kubectl_text(&["apply", "--server-side", "-f", "-"], yaml);
    }

    /// Creates an object, or lays it over the one that is there, by server-side apply as the field manager `test`.
    pub async fn apply(&self, object: &Value) -> Value {
        let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let plural = plural(text("/kind"));
        let path = path(text("/apiVersion"), &plural, text("/metadata/namespace"));
        let uri = format!("{path}/{}?fieldManager=test&force=true", text("/metadata/name"));
        self.send("PATCH", &uri, "application/apply-patch+yaml", object).await.expect("the object is applied")
    }

    /// Creates an object.
    pub async fn create(&self, object: &Value) -> Value {
        let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let path = path(text("/apiVersion"), &plural(text("/kind")), text("/metadata/namespace"));
        self.send("POST", &path, "application/json", object).await.expect("the object is created")
    }

    /// Merges a patch into an object; `subresource` may be empty.
    pub async fn merge(&self, of: &Object<'_>, subresource: &str, patch: &Value) -> Value {
        let slash = if subresource.is_empty() { "" } else { "/" };
        let uri = format!("{}/{}{slash}{subresource}", path(of.api_version, of.plural, of.namespace), of.name);
        self.send("PATCH", &uri, "application/merge-patch+json", patch).await.expect("the object is patched")
    }

    /// The object, if it is there.
    pub async fn get(&self, api_version: &str, plural: &str, namespace: &str, name: &str) -> Option<Value> {
        let uri = format!("{}/{name}", path(api_version, plural, namespace));
        let request = http_request("GET", &uri, "application/json", Vec::new());
        match self.client.request::<Value>(request).await {
            Ok(object) => Some(object),
            Err(kube::Error::Api(status)) if status.code == 404 => None,
            Err(error) => panic!("GET {uri}: {error}"),
        }
    }

    /// The objects of a kind in a namespace.
    pub async fn list(&self, api_version: &str, plural: &str, namespace: &str) -> Vec<Value> {
        let request = http_request("GET", &path(api_version, plural, namespace), "application/json", Vec::new());
        let list: Value = self.client.request(request).await.expect("the list is read");
        list.get("items").and_then(Value::as_array).cloned().unwrap_or_default()
    }

    /// Deletes an object.
    pub async fn delete(&self, of: &Object<'_>) {
        let uri = format!("{}/{}", path(of.api_version, of.plural, of.namespace), of.name);
        self.send("DELETE", &uri, "application/json", &json!({})).await.expect("the object is deleted");
    }

    /// The workload, which must be there.
    pub async fn workload(&self, kind: WorkloadKind, namespace: &str, name: &str) -> Value {
        self.get(kind.api_version(), kind.plural(), namespace, name).await.expect("the workload is there")
    }

    /// Generation of a workload.
    pub async fn generation(&self, kind: WorkloadKind, namespace: &str, name: &str) -> i64 {
        let workload = self.workload(kind, namespace, name).await;
        workload.pointer("/metadata/generation").and_then(Value::as_i64).expect("a generation")
    }

    /// Sets the readiness of a group of collectors, and makes the group if it is not there.
    pub async fn collectors(&self, name: &str, ready: Ready) {
        let ready = ready == Ready::Yes;
        if self.get("odigos.io/v1alpha1", "collectorsgroups", SYSTEM, name).await.is_none() {
            self.create(&json!({
                "apiVersion": "odigos.io/v1alpha1", "kind": "CollectorsGroup",
                "metadata": { "name": name, "namespace": SYSTEM }, "spec": { "role": "CLUSTER_GATEWAY" },
            }))
            .await;
        }
        let group = Object { api_version: "odigos.io/v1alpha1", plural: "collectorsgroups", namespace: SYSTEM, name };
        self.merge(&group, "status", &json!({ "status": { "ready": ready } })).await;
    }

    /// Puts a Secret with a token and a Lumigo that names it into a namespace, and waits until the Lumigo is active.
    pub async fn lumigo(&self, namespace: &str) {
        self.apply(&token_secret(namespace, TOKEN)).await;
        self.apply(&lumigo_object(namespace, "lumigo")).await;
        until(&format!("the Lumigo of {namespace} is active"), || async {
            self.lumigo_condition(namespace, "lumigo", "Active").await.is_some_and(|(status, _)| status == "True")
        })
        .await;
    }

    /// The condition of a Lumigo: its status and its message.
    pub async fn lumigo_condition(&self, namespace: &str, name: &str, type_: &str) -> Option<(String, String)> {
        let object = self.get("operator.lumigo.io/v1", "lumigoes", namespace, name).await?;
        let conditions = object.pointer("/status/conditions")?.as_array()?;
        let condition = conditions.iter().find(|it| it.get("type").and_then(Value::as_str) == Some(type_))?;
        let text = |key: &str| condition.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        Some((text("status"), text("message")))
    }

    /// Plays the node agent: answers what the operator asks about a workload, once it asks.
    pub async fn answer(&self, kind: WorkloadKind, namespace: &str, name: &str, languages: &[(&str, &str)]) {
        let details = epiphyte_api::instrumented_application_name(kind, name);
        until("the operator asks for detection", || self.exists_details(namespace, &details)).await;
        self.write_details(namespace, &details, languages).await;
    }

    async fn exists_details(&self, namespace: &str, name: &str) -> bool {
        self.get("odigos.io/v1alpha1", "instrumentedapplications", namespace, name).await.is_some()
    }

    /// Writes languages as a node agent does: one merge patch that drops the label too.
    pub async fn write_details(&self, namespace: &str, name: &str, languages: &[(&str, &str)]) {
        let entry = |(container, language): &(&str, &str)| json!({ "containerName": container, "language": language });
        let languages: Vec<Value> = languages.iter().map(entry).collect();
        let object = Object { api_version: "odigos.io/v1alpha1", plural: "instrumentedapplications", namespace, name };
        let patch = json!({
            "metadata": { "labels": { "epiphyte.dev/detect": null } }, "spec": { "languages": languages },
        });
        self.merge(&object, "", &patch).await;
    }

    /// The devices that a workload's containers ask for, by container.
    pub async fn devices(&self, kind: WorkloadKind, namespace: &str, name: &str) -> Vec<(String, String)> {
        super::devices_of(kind, &self.workload(kind, namespace, name).await)
    }

    /// Waits until a workload asks for exactly these devices.
    pub async fn until_devices(&self, kind: WorkloadKind, namespace: &str, name: &str, devices: &[(&str, &str)]) {
        let wanted: Vec<(String, String)> =
            devices.iter().map(|(container, device)| ((*container).to_owned(), (*device).to_owned())).collect();
        until(&format!("{kind} {namespace}/{name} asks for {devices:?}"), || async {
            self.devices(kind, namespace, name).await == wanted
        })
        .await;
    }

    /// The condition of a workload's `InstrumentedApplication`: its status and its reason.
    pub async fn condition(
        &self,
        kind: WorkloadKind,
        namespace: &str,
        name: &str,
        type_: &str,
    ) -> Option<(String, String)> {
        let details = epiphyte_api::instrumented_application_name(kind, name);
        let object = self.get("odigos.io/v1alpha1", "instrumentedapplications", namespace, &details).await?;
        let conditions = object.pointer("/status/conditions")?.as_array()?.clone();
        let condition = conditions.into_iter().find(|it| it.get("type").and_then(Value::as_str) == Some(type_))?;
        let text = |key: &str| condition.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        Some((text("status"), text("reason")))
    }

    /// Waits until a condition has a reason.
    pub async fn until_reason(&self, kind: WorkloadKind, namespace: &str, name: &str, type_: &str, reason: &str) {
        until(&format!("{type_} of {kind} {namespace}/{name} says {reason}"), || async {
            self.condition(kind, namespace, name, type_).await.is_some_and(|(_, found)| found == reason)
        })
        .await;
    }

    /// Reasons of the Events on an object, in no order.
    pub async fn events(&self, namespace: &str, name: &str) -> Vec<String> {
        let events = self.list("v1", "events", namespace).await;
        let about = |event: &&Value| event.pointer("/involvedObject/name").and_then(Value::as_str) == Some(name);
        events.iter().filter(about).filter_map(|event| Some(event.get("reason")?.as_str()?.to_owned())).collect()
    }

    /// Waits until an object has an Event with a reason.
    pub async fn until_event(&self, namespace: &str, name: &str, reason: &str) {
        until(&format!("{namespace}/{name} has an Event {reason}"), || async {
            self.events(namespace, name).await.iter().any(|found| found == reason)
        })
        .await;
    }

    /// What the operator has written since a mark, its lease aside.
    pub fn operator_writes(&self, mark: Mark) -> Vec<Entry> {
        self.writes_of(OPERATOR, mark)
    }

    pub fn writes_of(&self, user: &str, mark: Mark) -> Vec<Entry> {
        let writes = self.plane.audit().writes_since(mark).expect("the audit log is read");
        writes.into_iter().filter(|entry| entry.user.username == user && !entry.is_about("leases")).collect()
    }

    /// A namespace of the test's own.
    pub async fn namespace(&self, name: &str, annotation: Option<&str>) {
        let annotations = annotation.map(|value| json!({ "odigos.io/instrument": value })).unwrap_or_else(|| json!({}));
        self.apply(&json!({
            "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name, "annotations": annotations },
        }))
        .await;
    }

    pub async fn send(&self, method: &str, uri: &str, content_type: &str, body: &Value) -> kube::Result<Value> {
        self.client.request(http_request(method, uri, content_type, body.to_string().into_bytes())).await
    }
}

/// An object by its path.
pub struct Object<'a> {
    pub api_version: &'a str,
    pub plural: &'a str,
    pub namespace: &'a str,
    pub name: &'a str,
}

/// Waits for a condition.
pub async fn until<F: Future<Output = bool>>(what: &str, mut condition: impl FnMut() -> F) {
    eventually(what, || {
        let condition = condition();
        async { condition.await.then_some(()) }
    })
    .await;
}

/// Waits until there is something.
pub async fn eventually<T, F: Future<Output = Option<T>>>(what: &str, look: impl FnMut() -> F) -> T {
    eventually_within(DEADLINE, what, look).await
}

/// The same for what takes longer by its nature.
pub async fn eventually_within<T, F: Future<Output = Option<T>>>(
    deadline: Duration,
    what: &str,
    mut look: impl FnMut() -> F,
) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(start.elapsed() < deadline, "waited in vain: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn http_request(method: &str, uri: &str, content_type: &str, body: Vec<u8>) -> http::Request<Vec<u8>> {
    http::Request::builder().method(method).uri(uri).header("Content-Type", content_type).body(body).expect("a request")
}

fn plural(kind: &str) -> String {
    kind.parse::<WorkloadKind>().map_or_else(
        |_| match kind {
            "Lumigo" => "lumigoes".to_owned(),
            "ClusterRole" | "ClusterRoleBinding" => format!("{}s", kind.to_lowercase()),
            other => format!("{}s", other.to_lowercase()),
        },
        |kind| kind.plural().to_owned(),
    )
}

fn path(api_version: &str, plural: &str, namespace: &str) -> String {
    let root = if api_version == "v1" { "/api/v1".to_owned() } else { format!("/apis/{api_version}") };
    if namespace.is_empty() { format!("{root}/{plural}") } else { format!("{root}/namespaces/{namespace}/{plural}") }
}
