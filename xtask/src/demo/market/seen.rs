//! What there is to see of the services.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use anyhow::Result;
use epiphyte_api::{WorkloadKind, instrumented_application_name};
use epiphyte_testbed::otlp::Span;
use serde_json::Value;

use super::NAMESPACE;
use crate::demo::cluster::Cluster;

/// The services, in the order of a visit.
pub const SERVICES: [&str; 4] = ["storefront", "recommendations", "prices", "stock"];

/// The time that spans are counted in.
const MINUTE: Duration = Duration::from_secs(60);

/// A service, as far as it is known.
pub struct Service {
    pub name: &'static str,
    /// Verdict and reason; nothing while there are none.
    pub verdict: String,
    pub reason: String,
    /// Language, version and C library.
    pub runtime: String,
    /// How often its pods were replaced since it was deployed.
    pub rollouts: usize,
    /// How many spans came within the last minute.
    pub spans: usize,
    /// How long after the mark its first span began.
    pub first_span: Option<Duration>,
}

impl Service {
    /// Whether it is instrumented and sends spans.
    pub fn is_done(&self) -> bool {
        self.verdict == "on" && self.first_span.is_some()
    }
}

/// Looks at all services.
pub fn look(cluster: &Cluster, spans: &[Span], marked: SystemTime) -> Result<Vec<Service>> {
    let objects = cluster.list("instrumentedapplications,replicasets")?;
    let of_market = |it: &&Value| text(it, "/metadata/namespace") == NAMESPACE;
    let objects: Vec<&Value> = objects.iter().filter(of_market).collect();
    Ok(SERVICES.iter().map(|name| service(name, &objects, spans, marked)).collect())
}

fn service(name: &'static str, objects: &[&Value], spans: &[Span], marked: SystemTime) -> Service {
    let details = instrumented_application_name(WorkloadKind::Deployment, name);
    let details = objects.iter().find(|it| text(it, "/metadata/name") == details);
    let about = |pointer: &str| details.map(|it| text(it, pointer)).unwrap_or_default();
    let sets =
        objects.iter().filter(|it| text(it, "/kind") == "ReplicaSet" && text(it, "/metadata/labels/app") == name);
    let spans: Vec<&Span> = spans.iter().filter(|span| span.service() == name).collect();
    let now = SystemTime::now();
    let is_recent = |span: &&&Span| now.duration_since(span.start).is_ok_and(|age| age < MINUTE);
    let entry = "/spec/languages/0";
    Service {
        name,
        verdict: about("/status/containers/0/verdict").to_owned(),
        reason: about("/status/containers/0/reason").to_owned(),
        runtime: ["language", "runtimeVersion", "libc"].map(|key| about(&format!("{entry}/{key}"))).join(" "),
        rollouts: sets.count().saturating_sub(1),
        spans: spans.iter().filter(is_recent).count(),
        first_span: spans.iter().filter_map(|span| span.start.duration_since(marked).ok()).min(),
    }
}

/// The templates of the services by name.
pub fn templates(cluster: &Cluster) -> Result<BTreeMap<String, Value>> {
    let deployments = cluster.list("deployments")?;
    let of_market = deployments.iter().filter(|it| text(it, "/metadata/namespace") == NAMESPACE);
    let template = |it: &Value| it.pointer("/spec/template").cloned().unwrap_or_default();
    Ok(of_market.map(|it| (text(it, "/metadata/name").to_owned(), template(it))).collect())
}

fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}
