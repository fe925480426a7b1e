//! Everything that planning looks at, asked of a cluster.

use epiphyte_api::names::UNINSTALLING_CONFIG_MAP;
use epiphyte_operator::index::{Fact as _, Index, ObjectKey, UninstallingMark, WorkloadKey};
use epiphyte_operator::{complete, learn};
use epiphyte_plan::Collectors;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Cluster, Refusal, Resource};
use crate::engine::EngineArguments;

const NAMESPACES: Resource = Resource { group: "", version: "v1", kind: "Namespace", plural: "namespaces" };
const NODES: Resource = Resource { group: "", version: "v1", kind: "Node", plural: "nodes" };
const CONFIG_MAPS: Resource = Resource { group: "", version: "v1", kind: "ConfigMap", plural: "configmaps" };
const SOURCES: Resource = Resource { group: "odigos.io", version: "v1alpha1", kind: "Source", plural: "sources" };
const LUMIGOES: Resource = Resource { group: "operator.lumigo.io", version: "v1", kind: "Lumigo", plural: "lumigoes" };
const GROUPS: Resource =
    Resource { group: "odigos.io", version: "v1alpha1", kind: "CollectorsGroup", plural: "collectorsgroups" };
const DETAILS: Resource = Resource {
    group: "odigos.io",
    version: "v1alpha1",
    kind: "InstrumentedApplication",
    plural: "instrumentedapplications",
};

/// What a person asks about.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Scope<'a> {
    /// One workload.
    Workload(&'a WorkloadKey),
    /// Every workload of a namespace.
    Namespace(&'a str),
    /// Every workload.
    Everywhere,
}

/// What the cluster says, but for the workloads.
pub(crate) struct Survey {
    pub(crate) index: Index,
    /// The `InstrumentedApplication` as it stands, where the scope is one workload.
    pub(crate) details: Option<Value>,
    /// The Lumigoes of the scope, as they stand.
    pub(crate) lumigoes: Vec<Value>,
    /// What could not be asked, and what was assumed instead.
    pub(crate) notes: Vec<String>,
}

impl Survey {
    /// Asks. What is refused is noted; only an API server that cannot be asked at all is an error.
    pub(crate) async fn of(
        cluster: &Cluster,
        engine: &EngineArguments,
        system_namespace: &str,
        scope: Scope<'_>,
    ) -> anyhow::Result<Self> {
        let index = Index::new(&engine.settings()?, system_namespace);
        let mut survey = Self { index, details: None, lumigoes: Vec::new(), notes: Vec::new() };
        let namespace = match scope {
            Scope::Workload(key) => Some(&*key.namespace),
            Scope::Namespace(namespace) => Some(namespace),
            Scope::Everywhere => None,
        };
        survey.ask_nodes(cluster, engine).await?;
        survey.ask_collectors(cluster, system_namespace).await?;
        survey.ask_uninstalling(cluster, system_namespace).await?;
        match namespace {
            Some(name) => {
                let object = survey.noted(cluster.get(&NAMESPACES, None, name).await)?.flatten();
                survey.learn(object);
            }
            None => survey.list(cluster, &NAMESPACES, None).await?,
        }
        survey.list(cluster, &SOURCES, namespace).await?;
        survey.ask_lumigoes(cluster, namespace).await?;
        match scope {
            Scope::Workload(key) => {
                let object = cluster.get(&DETAILS, namespace, &key.details().name).await;
                survey.details = survey.noted(object)?.flatten();
                survey.learn(survey.details.clone());
            }
            Scope::Namespace(_) | Scope::Everywhere => survey.list(cluster, &DETAILS, namespace).await?,
        }
        Ok(survey)
    }

    async fn ask_nodes(&mut self, cluster: &Cluster, engine: &EngineArguments) -> anyhow::Result<()> {
        let mut nodes = Vec::new();
        match cluster.list(&NODES, None, None, |node: Value| nodes.push(node)).await {
            Ok(()) => self.learn(nodes.into_iter().map(|node| typed(&NODES, node))),
            Err(Refusal::Fatal(error)) => return Err(error),
            Err(Refusal::Unserved(note) | Refusal::Forbidden(note)) => {
                self.notes.push(format!("{note}; assumed that nodes offer the devices"));
                let mut settings = engine.settings()?;
                settings.device.require_offer = false;
                self.index.configure(&settings, Timestamp::now());
            }
        }
        Ok(())
    }

    async fn ask_collectors(&mut self, cluster: &Cluster, system_namespace: &str) -> anyhow::Result<()> {
        let mut groups = Vec::new();
        let now = Timestamp::now();
        match cluster.list(&GROUPS, Some(system_namespace), None, |group: Value| groups.push(group)).await {
            Ok(()) => {}
            Err(Refusal::Unserved(note)) => self.notes.push(note),
            Err(Refusal::Forbidden(note)) => {
                self.notes.push(format!("{note}; assumed that the collectors are ready"));
                groups.push(json!({ "metadata": { "name": "assumed" }, "spec": {}, "status": { "ready": true } }));
            }
            Err(Refusal::Fatal(error)) => return Err(error),
        }
        // The operator counts a loss from its own first sighting where the status does not say since when.
        let tells = groups.iter().filter(|group| !is_ready(group)).all(tells_since_when) && !groups.is_empty();
        self.learn(groups.into_iter().map(|group| typed(&GROUPS, group)));
        complete(&mut self.index, if tells { now } else { Timestamp::UNIX_EPOCH });
        self.index.pass_time(now);
        if !tells && *self.index.collectors().state() != Collectors::Ready {
            self.notes.push(
                "nothing tells since when the collectors are not ready; assumed that the grace period is over"
                    .to_owned(),
            );
        }
        Ok(())
    }

    async fn ask_lumigoes(&mut self, cluster: &Cluster, namespace: Option<&str>) -> anyhow::Result<()> {
        let mut lumigoes = Vec::new();
        let take = |lumigo: Value| lumigoes.push(typed(&LUMIGOES, lumigo));
        let listed = cluster.list(&LUMIGOES, namespace, None, take).await;
        self.learn(lumigoes.iter().cloned());
        self.lumigoes = lumigoes;
        self.noted(listed).map(|_| ())
    }

    async fn ask_uninstalling(&mut self, cluster: &Cluster, system_namespace: &str) -> anyhow::Result<()> {
        let mark = cluster.get(&CONFIG_MAPS, Some(system_namespace), UNINSTALLING_CONFIG_MAP).await;
        if self.noted(mark)?.flatten().is_some() {
            let key = ObjectKey { namespace: system_namespace.into(), name: UNINSTALLING_CONFIG_MAP.into() };
            UninstallingMark { key, over: false }.apply(&mut self.index, Timestamp::now());
        }
        Ok(())
    }

    async fn list(&mut self, cluster: &Cluster, resource: &Resource, namespace: Option<&str>) -> anyhow::Result<()> {
        let mut objects = Vec::new();
        let listed = cluster.list(resource, namespace, None, |object: Value| objects.push(object)).await;
        self.learn(objects.into_iter().map(|object| typed(resource, object)));
        self.noted(listed).map(|_| ())
    }

    /// Puts objects into the index; one that cannot be read is noted.
    fn learn(&mut self, objects: impl IntoIterator<Item = Value>) {
        for object in objects {
            if let Err(error) = learn(&mut self.index, &object, Timestamp::now()) {
                let text = |pointer| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
                let [kind, namespace, name] = ["/kind", "/metadata/namespace", "/metadata/name"].map(text);
                self.notes.push(format!("{kind} {namespace}/{name} cannot be read and is passed over: {error}"));
            }
        }
    }

    /// The answer, or a note of why there is none.
    pub(crate) fn noted<T>(&mut self, answer: Result<T, Refusal>) -> anyhow::Result<Option<T>> {
        match answer {
            Ok(answer) => Ok(Some(answer)),
            Err(Refusal::Fatal(error)) => Err(error),
            Err(Refusal::Unserved(note) | Refusal::Forbidden(note)) => {
                if !self.notes.contains(&note) {
                    self.notes.push(note);
                }
                Ok(None)
            }
        }
    }
}

/// An item of a list, with what the list does not repeat.
pub(crate) fn typed(resource: &Resource, mut item: Value) -> Value {
    if let Some(members) = item.as_object_mut() {
        members.insert("apiVersion".to_owned(), resource.api_version().into());
        members.insert("kind".to_owned(), resource.kind.into());
    }
    item
}

fn is_ready(group: &Value) -> bool {
    group.pointer("/status/ready") == Some(&Value::Bool(true))
}

fn tells_since_when(group: &Value) -> bool {
    let conditions = group.pointer("/status/conditions").and_then(Value::as_array);
    conditions.into_iter().flatten().any(|condition| condition.get("type").and_then(Value::as_str) == Some("Ready"))
}
