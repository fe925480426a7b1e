//! What there is to see of workloads in the cluster: generations, what is in their templates, the reasons.

use std::collections::BTreeMap;
use std::fmt::{self, Display};

use anyhow::Result;
use console::style;
use epiphyte_api::{Device, WorkloadKind, condition, instrumented_application_name, names};
use serde_json::Value;

use crate::demo::cluster::Cluster;
use crate::step::say;

/// The kinds of the sample workloads.
pub const KINDS: [&str; 4] = ["deployments", "statefulsets", "daemonsets", "cronjobs"];

/// What a container of a template has of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Has {
    /// A device.
    Device(Device),
    /// The injector's mount.
    Injector,
    /// Nothing.
    Nothing,
}

impl Display for Has {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Device(device) => f.pad(device.resource().trim_start_matches(names::DEVICE_PREFIX)),
            Self::Injector => f.pad("injector"),
            Self::Nothing => f.pad("-"),
        }
    }
}

/// A workload as the API server has it, and what its `InstrumentedApplication` says.
#[derive(Debug)]
pub struct Seen {
    pub namespace: String,
    pub kind: WorkloadKind,
    pub name: String,
    pub generation: i64,
    pub spec: Value,
    /// By name, in the order of the template.
    pub containers: Vec<(String, Has)>,
    pub details: Option<Details>,
}

/// What an `InstrumentedApplication` says.
#[derive(Debug)]
pub struct Details {
    /// Whether an answer is awaited.
    pub pending: bool,
    /// Reason code by container.
    pub reasons: BTreeMap<String, String>,
    /// Status and reason code by type.
    pub conditions: BTreeMap<String, (String, String)>,
}

impl Seen {
    /// Namespace, kind and name in one.
    pub fn id(&self) -> String {
        format!("{} {}/{}", self.namespace, self.kind.as_str(), self.name)
    }

    /// Whether nothing of ours is in the template.
    pub fn is_bare(&self) -> bool {
        self.containers.iter().all(|(_, has)| *has == Has::Nothing)
    }

    /// The code why a container is as it is; none where the workload has no `InstrumentedApplication`.
    pub fn reason(&self, container: &str) -> Option<&str> {
        self.details.as_ref()?.reasons.get(container).map(String::as_str)
    }
}

/// Looks at all workloads of the sample namespaces.
pub fn look(cluster: &Cluster) -> Result<Vec<Seen>> {
    let details = cluster.list("instrumentedapplications")?;
    let mut details: BTreeMap<_, _> = details.iter().map(|it| (key(it), read_details(it))).collect();
    let workloads = cluster.list(&KINDS.join(","))?;
    let mut seen: Vec<_> = workloads.iter().filter_map(read_workload).collect();
    for workload in &mut seen {
        let name = instrumented_application_name(workload.kind, &workload.name);
        workload.details = details.remove(&(workload.namespace.clone(), name));
    }
    seen.sort_by(|a, b| (&a.namespace, a.kind, &a.name).cmp(&(&b.namespace, b.kind, &b.name)));
    Ok(seen)
}

/// Shows the workloads of a namespace, a line for each container.
pub fn show(seen: &[Seen], namespace: &str) {
    say(style(format!(
        "\n  {:<28} {:>10}  {:<16} {:<27} why",
        format!("in {namespace}"),
        "generation",
        "container",
        "instrumented"
    ))
    .dim());
    for workload in seen.iter().filter(|workload| workload.namespace == namespace) {
        let (mut id, mut generation) =
            (format!("{}/{}", workload.kind, workload.name), workload.generation.to_string());
        for (container, has) in &workload.containers {
            let shown = match has {
                Has::Nothing => style(has.to_string()).dim(),
                _ => style(has.to_string()).green(),
            };
            let why = workload.reason(container).unwrap_or_default();
            say(format!("  {id:<28} {generation:>10}  {container:<16} {shown:<27} {why}"));
            (id, generation) = (String::new(), String::new());
        }
    }
}

fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn items<'a>(object: &'a Value, pointer: &str) -> impl Iterator<Item = &'a Value> {
    object.pointer(pointer).and_then(Value::as_array).into_iter().flatten()
}

fn key(object: &Value) -> (String, String) {
    (text(object, "/metadata/namespace").to_owned(), text(object, "/metadata/name").to_owned())
}

fn read_workload(object: &Value) -> Option<Seen> {
    let kind = WorkloadKind::ALL.into_iter().find(|kind| kind.as_str() == text(object, "/kind"))?;
    let template = match kind {
        WorkloadKind::CronJob => "/spec/jobTemplate/spec/template/spec/containers",
        _ => "/spec/template/spec/containers",
    };
    let (namespace, name) = key(object);
    Some(Seen {
        namespace,
        kind,
        name,
        generation: object.pointer("/metadata/generation").and_then(Value::as_i64).unwrap_or_default(),
        spec: object.get("spec").cloned().unwrap_or_default(),
        containers: items(object, template).map(|it| (text(it, "/name").to_owned(), has(it))).collect(),
        details: None,
    })
}

fn has(container: &Value) -> Has {
    let limits = container.pointer("/resources/limits").and_then(Value::as_object);
    let device = limits.into_iter().flatten().find_map(|(resource, _)| Device::from_resource(resource));
    let injected = items(container, "/volumeMounts").any(|mount| text(mount, "/name") == names::INJECTOR_NAME);
    match device {
        Some(device) => Has::Device(device),
        None if injected => Has::Injector,
        None => Has::Nothing,
    }
}

fn read_details(object: &Value) -> Details {
    let two = |item: &Value, one: &str, other: &str| (text(item, one).to_owned(), text(item, other).to_owned());
    let labels = object.pointer("/metadata/labels");
    let label = labels.and_then(|labels| labels.get(names::DETECT_LABEL)).and_then(Value::as_str);
    let condition = |it: &Value| (text(it, "/type").to_owned(), two(it, "/status", "/reason"));
    Details {
        pending: label == Some(names::DETECT_PENDING),
        reasons: items(object, "/status/containers").map(|it| two(it, "/containerName", "/reason")).collect(),
        conditions: items(object, "/status/conditions").map(condition).collect(),
    }
}

impl Details {
    /// Status and reason code of `RuntimeDetected`.
    pub fn detected(&self) -> (&str, &str) {
        self.conditions.get(condition::DETECTED).map_or(("", ""), |(status, reason)| (status, reason))
    }
}
