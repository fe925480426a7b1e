//! What applications send.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use epiphyte_testbed::otlp::Signal;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::logs::v1::logs_service_client::LogsServiceClient;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_client::MetricsServiceClient;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message as _;
use tonic::transport::Channel;
use tonic::{Code, Request};

/// The signals and the paths that they are posted to.
pub const SIGNALS: [(Signal, &str); 3] =
    [(Signal::Traces, "/v1/traces"), (Signal::Logs, "/v1/logs"), (Signal::Metrics, "/v1/metrics")];

fn text(text: &str) -> Option<AnyValue> {
    Some(AnyValue { value: Some(Value::StringValue(text.to_owned())) })
}

fn resource(attributes: &[(&str, &str)]) -> Option<Resource> {
    let attribute =
        |(key, value): &(&str, &str)| KeyValue { key: (*key).to_owned(), value: text(value), ..KeyValue::default() };
    Some(Resource { attributes: attributes.iter().map(attribute).collect(), ..Resource::default() })
}

/// A request with one span.
pub fn span(name: &str, attributes: &[(&str, &str)]) -> ExportTraceServiceRequest {
    let span = Span { name: name.to_owned(), trace_id: vec![7; 16], span_id: vec![7; 8], ..Span::default() };
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource: resource(attributes),
            scope_spans: vec![ScopeSpans { spans: vec![span], ..ScopeSpans::default() }],
            ..ResourceSpans::default()
        }],
    }
}

/// A request with one log record.
pub fn log(body: &str) -> ExportLogsServiceRequest {
    let record = LogRecord { body: text(body), ..LogRecord::default() };
    ExportLogsServiceRequest {
        resource_logs: vec![ResourceLogs {
            resource: resource(&[]),
            scope_logs: vec![ScopeLogs { log_records: vec![record], ..ScopeLogs::default() }],
            ..ResourceLogs::default()
        }],
    }
}

/// A request with one metric.
pub fn metric(name: &str) -> ExportMetricsServiceRequest {
    let gauge = Gauge { data_points: vec![NumberDataPoint::default()] };
    let metric = Metric { name: name.to_owned(), data: Some(Data::Gauge(gauge)), ..Metric::default() };
    ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics {
            resource: resource(&[]),
            scope_metrics: vec![ScopeMetrics { metrics: vec![metric], ..ScopeMetrics::default() }],
            ..ResourceMetrics::default()
        }],
    }
}

/// The body of a request with one item of a signal.
pub fn body(signal: Signal, name: &str) -> Vec<u8> {
    match signal {
        Signal::Traces => span(name, &[]).encode_to_vec(),
        Signal::Logs => log(name).encode_to_vec(),
        Signal::Metrics => metric(name).encode_to_vec(),
    }
}

/// The answer to a request over HTTP.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    /// With its headers.
    pub text: String,
}

/// Posts a body with these headers; `None` where the connection does not hold.
pub fn post(address: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Option<Answer> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(20))).ok()?;
    let mut request = format!("POST {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n");
    request.push_str(&format!("Content-Type: application/x-protobuf\r\nContent-Length: {}\r\n", body.len()));
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    request.push_str("\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    // A server that has heard enough answers before it has read all.
    let _ = stream.write_all(body);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let text = String::from_utf8_lossy(&answer).into_owned();
    let status = text.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()?;
    Some(Answer { status, text })
}

/// Sends one item of a signal over gRPC, with these values of the header; gives what is said against it.
pub fn send_grpc(address: &str, signal: Signal, authorization: &[&str], name: &str) -> Result<(), (Code, String)> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let channel = Channel::from_shared(format!("http://{address}")).expect("an address").connect().await;
        let channel = channel.map_err(|error| (Code::Unavailable, error.to_string()))?;
        let sent = match signal {
            Signal::Traces => {
                let request = with(span(name, &[]), authorization);
                TraceServiceClient::new(channel).export(request).await.map(drop)
            }
            Signal::Logs => LogsServiceClient::new(channel).export(with(log(name), authorization)).await.map(drop),
            Signal::Metrics => {
                MetricsServiceClient::new(channel).export(with(metric(name), authorization)).await.map(drop)
            }
        };
        sent.map_err(|status| (status.code(), format!("{} {:?}", status.message(), status.metadata())))
    })
}

fn with<T>(message: T, authorization: &[&str]) -> Request<T> {
    let mut request = Request::new(message);
    for value in authorization {
        request.metadata_mut().append("authorization", value.parse().expect("a header"));
    }
    request
}
