//! Whether the collectors are ready, and each replica of the telemetry proxy answers on its OTLP port.

use epiphyte_api::Diagnosis;
use epiphyte_api::names::{HEALTH_PORT, OPERATOR};
use http::Method;
use serde_json::Value;

use super::patient::Patient;
use super::report::{Finding, Looked};
use crate::audit::{GROUPS, PODS, text};
use crate::cluster::{Answer, Refusal};

/// The port for OTLP over HTTP.
const OTLP_PORT: &str = "otlp-http";

/// A request without a span, which is an empty message.
const NO_SPANS: Vec<u8> = Vec::new();

pub(super) async fn collectors(patient: &Patient<'_>) -> Looked {
    let mut groups = Vec::new();
    patient.cluster.list(&GROUPS, Some(&patient.system), None, |it: Value| groups.push(it)).await?;
    if groups.is_empty() {
        let found = format!("there is none in {}", patient.system);
        return Ok(vec![Finding::of(Diagnosis::CollectorsMissing, found)]);
    }
    let of = |group: &Value| {
        let ready = group.pointer("/status/ready") == Some(&Value::Bool(true));
        let diagnosis = if ready { Diagnosis::CollectorsReady } else { Diagnosis::CollectorsNotReady };
        let conditions = group.pointer("/status/conditions").and_then(Value::as_array).into_iter().flatten();
        let said = conditions.filter(|it| text(it, "/type") == "Ready").map(|it| text(it, "/message")).next();
        let found = said.filter(|said| !said.is_empty()).unwrap_or("it says no more").to_owned();
        Finding::of(diagnosis, found).of_object(&GROUPS, group)
    };
    Ok(groups.iter().map(of).collect())
}

pub(super) async fn look(patient: &Patient<'_>) -> Looked {
    let mut pods = Vec::new();
    let each = |pod: Value| {
        let name = pod.pointer("/metadata/labels").and_then(|it| it.get("app.kubernetes.io/name")?.as_str());
        let runs = text(&pod, "/status/phase") == "Running" && pod.pointer("/metadata/deletionTimestamp").is_none();
        if name == Some(OPERATOR) && runs {
            pods.push(pod);
        }
    };
    patient.cluster.list(&PODS, Some(&patient.system), None, each).await?;
    if pods.is_empty() {
        return Ok(vec![Finding::of(Diagnosis::NothingToCheck, "no pod of the operator runs")]);
    }
    let asked = futures::future::join_all(pods.iter().map(|pod| of_pod(patient, pod))).await;
    asked.into_iter().map(|it| it.map_err(Refusal::Fatal)).collect()
}

/// Asks the proxy in one pod, by way of the API server.
async fn of_pod(patient: &Patient<'_>, pod: &Value) -> anyhow::Result<Finding> {
    let name = text(pod, "/metadata/name");
    let about = |diagnosis, found: String| Finding::of(diagnosis, found).of_object(&PODS, pod);
    let (Some(health), Some(otlp)) = (port(pod, HEALTH_PORT), port(pod, OTLP_PORT)) else {
        return Ok(about(Diagnosis::NothingToCheck, format!("it has no ports {HEALTH_PORT} and {OTLP_PORT}")));
    };
    let path = |port: i64, path: &str| format!("/api/v1/namespaces/{}/pods/{name}:{port}/proxy/{path}", patient.system);
    let ready = patient.cluster.ask(&path(health, "readyz")).await?;
    if let Some(refused) = of_api_server(&ready) {
        return Ok(about(refused.0, refused.1));
    }
    if ready.status != 200 {
        let said = String::from_utf8_lossy(&ready.body);
        let said = said.lines().next().unwrap_or_default();
        return Ok(about(Diagnosis::ProxyTakesNone, format!("its health says {}: {said}", ready.status)));
    }
    let path = path(otlp, "v1/traces");
    let answer = patient.cluster.exchange(Method::POST, &path, "application/x-protobuf", NO_SPANS).await?;
    if let Some(refused) = of_api_server(&answer) {
        return Ok(about(refused.0, refused.1));
    }
    Ok(match answer.status {
        200 => about(Diagnosis::ProxyTakesTelemetry, "it took a request without spans".to_owned()),
        401 => {
            about(Diagnosis::ProxyTakesTelemetry, "it asks an OTLP request for its token; no span was sent".to_owned())
        }
        status => about(Diagnosis::ProxyTakesNone, format!("it answers an OTLP request by {status}")),
    })
}

/// What an answer of the API server itself means, which speaks in its own kind; nothing for one of the pod's.
fn of_api_server(answer: &Answer) -> Option<(Diagnosis, String)> {
    let said = answer.json();
    if text(&said, "/kind") != "Status" || text(&said, "/apiVersion") != "v1" {
        return None;
    }
    let message = text(&said, "/message");
    Some(if message.contains("connection refused") {
        (Diagnosis::ProxyTakesNone, message.to_owned())
    } else if answer.status == 403 {
        (Diagnosis::NotTold, format!("{message}: grant the verbs get and create on pods/proxy"))
    } else {
        (Diagnosis::NotTold, format!("the API server does not reach the pod: {message}"))
    })
}

/// The number of a port of any container.
fn port(pod: &Value, name: &str) -> Option<i64> {
    let containers = pod.pointer("/spec/containers")?.as_array()?;
    let ports = containers.iter().filter_map(|it| it.get("ports")?.as_array()).flatten();
    ports.into_iter().find(|it| text(it, "/name") == name)?.get("containerPort")?.as_i64()
}
