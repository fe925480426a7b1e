//! The outcome as a metric. A program that ends is scraped by nobody, so it sends it, by OTLP over HTTP.

use std::time::Duration;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{Request, Uri};
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use serde_json::{Value, json};
use thiserror::Error;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::outcome::Report;

/// How long the sending may take.
const LIMIT: Duration = Duration::from_secs(10);

/// Why a metric was not taken.
#[derive(Debug, Error)]
pub(crate) enum MetricError {
    #[error("{0:?} is no endpoint of OTLP over plain HTTP, such as http://epiphyte-telemetry-proxy:4318")]
    Endpoint(String),
    #[error("cannot connect: {0}")]
    Connect(#[from] std::io::Error),
    #[error("the connection broke: {0}")]
    Broken(#[from] hyper::Error),
    #[error("it was answered with {0}")]
    Answer(hyper::StatusCode),
    #[error("there was no answer within {LIMIT:?}")]
    Silence,
}

/// Sends what a run came to.
pub(crate) async fn send(endpoint: &str, report: &Report, now: Timestamp) -> Result<(), MetricError> {
    timeout(LIMIT, post(endpoint, &body(report, now))).await.unwrap_or(Err(MetricError::Silence))
}

/// One gauge: 1 for the outcome, at the time of the run.
fn body(report: &Report, now: Timestamp) -> Value {
    let attribute = |key: &str, value: &str| json!({ "key": key, "value": { "stringValue": value } });
    let mut attributes = vec![attribute("outcome", report.outcome.code()), attribute("release", &report.release)];
    attributes.extend(report.from.as_deref().map(|from| attribute("from", from)));
    attributes.extend(report.to.as_deref().map(|to| attribute("to", to)));
    // 64-bit numbers are text in the JSON of OTLP.
    let time = now.as_nanosecond().to_string();
    let point = json!({ "timeUnixNano": time, "asInt": "1", "attributes": attributes });
    json!({ "resourceMetrics": [{
        "resource": { "attributes": [
            attribute("service.name", "epiphyte-updater"), attribute("k8s.namespace.name", &report.namespace),
        ] },
        "scopeMetrics": [{ "scope": { "name": "epiphyte" }, "metrics": [{
            "name": "epiphyte.updater.run", "description": "What a run of the updater came to.", "unit": "1",
            "gauge": { "dataPoints": [point] },
        }] }],
    }] })
}

async fn post(endpoint: &str, body: &Value) -> Result<(), MetricError> {
    let bad = || MetricError::Endpoint(endpoint.to_owned());
    let uri: Uri = format!("{}/v1/metrics", endpoint.trim_end_matches('/')).parse().map_err(|_| bad())?;
    let (Some("http"), Some(host)) = (uri.scheme_str(), uri.host()) else {
        return Err(bad());
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let stream = TcpStream::connect((host, uri.port_u16().unwrap_or(80))).await?;
    let authority = uri.authority().map(|it| it.as_str().to_owned()).unwrap_or_default();
    let request = Request::post(uri.path()).header(HOST, authority).header(CONTENT_TYPE, "application/json");
    let request = request.body(Full::new(Bytes::from(body.to_string()))).map_err(|_| bad())?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let sent = sender.send_request(request);
    tokio::pin!(connection);
    let answer = tokio::select! {
        answer = sent => answer?,
        broken = &mut connection => return Err(broken.err().map_or(MetricError::Silence, MetricError::Broken)),
    };
    if answer.status().is_success() { Ok(()) } else { Err(MetricError::Answer(answer.status())) }
}
