//! Lumigoes: which of them counts in its namespace, and what became of it.

use epiphyte_api::Reason;
use epiphyte_operator::index::Index;
use epiphyte_plan::{Container, LumigoFact};
use serde::Serialize;
use serde_json::Value;

/// A Lumigo.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LumigoReport {
    /// Namespace of the Lumigo.
    pub(crate) namespace: String,
    /// Name of the Lumigo.
    pub(crate) name: String,
    /// Whether it is active.
    pub(crate) active: bool,
    /// Why it is, or is not.
    pub(crate) reason: String,
    /// The same as a sentence.
    pub(crate) message: String,
    /// How many workloads of its namespace are injected, if it is the one that counts there; `None` where nobody asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) injected: Option<usize>,
}

/// A report on each Lumigo, as the API server has them.
pub(crate) fn lumigoes(index: &Index, objects: &[Value]) -> Vec<LumigoReport> {
    let mut reports: Vec<LumigoReport> = objects
        .iter()
        .map(|object| LumigoReport { injected: Some(injected(index, object)), ..LumigoReport::of(object) })
        .collect();
    reports.sort_by(|a, b| (&a.namespace, &a.name).cmp(&(&b.namespace, &b.name)));
    reports
}

/// The report on the Lumigo that counts in a namespace.
pub(crate) fn counting_lumigo(index: &Index, objects: &[Value], namespace: &str) -> Option<LumigoReport> {
    let LumigoFact { name, .. } = index.namespace(namespace).lumigo.as_ref()?;
    let is_it =
        |object: &&Value| [namespace, name] == ["/metadata/namespace", "/metadata/name"].map(|at| text(object, at));
    objects.iter().find(is_it).map(LumigoReport::of)
}

/// How many workloads of its namespace are injected; none if another Lumigo counts there.
fn injected(index: &Index, object: &Value) -> usize {
    let [namespace, name] = ["/metadata/namespace", "/metadata/name"].map(|at| text(object, at));
    let counts = index.namespace(namespace).lumigo.as_ref().is_some_and(|lumigo| &*lumigo.name == name);
    let is_injected = |container: &Container| container.injected;
    let workloads = index.workloads_of(namespace).filter(|_| counts);
    workloads.filter(|(_, workload)| workload.pod.containers.iter().any(is_injected)).count()
}

impl LumigoReport {
    /// The report on a Lumigo, without what is injected.
    pub(crate) fn of(object: &Value) -> Self {
        let active = condition(object, "Active");
        let error = condition(object, "Error").filter(|condition| text(condition, "/status") == "True");
        let (reason, message) = error.or(active).map_or_else(
            || (Reason::LumigoNotActive.code(), Reason::LumigoNotActive.sentence()),
            |condition| (text(condition, "/reason"), text(condition, "/message")),
        );
        Self {
            namespace: text(object, "/metadata/namespace").to_owned(),
            name: text(object, "/metadata/name").to_owned(),
            active: active.is_some_and(|condition| text(condition, "/status") == "True"),
            reason: reason.to_owned(),
            message: message.to_owned(),
            injected: None,
        }
    }
}

fn condition<'a>(object: &'a Value, r#type: &str) -> Option<&'a Value> {
    let conditions = object.pointer("/status/conditions")?.as_array()?;
    conditions.iter().find(|condition| text(condition, "/type") == r#type)
}

fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}
