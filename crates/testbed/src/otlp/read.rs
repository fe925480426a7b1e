//! What a request's body says.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::time::{Duration, SystemTime};

use axum::body::Bytes;
use axum::http::HeaderMap;
use axum::http::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE};
use flate2::read::GzDecoder;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message as _;

use super::{Item, Request, Signal, Span};

/// The request, and the spans in it; `None` if it cannot be made out.
pub(super) fn request(signal: &str, headers: &HeaderMap, body: Bytes) -> Option<(Request, Vec<Span>)> {
    let header = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let body = if header(CONTENT_ENCODING) == "gzip" {
        let mut unpacked = Vec::new();
        GzDecoder::new(&*body).read_to_end(&mut unpacked).ok()?;
        unpacked.into()
    } else {
        body
    };
    let authorization = header(AUTHORIZATION).to_owned();
    let mut spans = Vec::new();
    let (signal, items) = match signal {
        "traces" => {
            let request = ExportTraceServiceRequest::decode(body).ok()?;
            (Signal::Traces, traces(request, &authorization, &mut spans))
        }
        "logs" => (Signal::Logs, logs(ExportLogsServiceRequest::decode(body).ok()?)),
        "metrics" if header(CONTENT_TYPE) == "application/json" => {
            (Signal::Metrics, metrics(serde_json::from_slice(&body).ok()?))
        }
        "metrics" => (Signal::Metrics, metrics(ExportMetricsServiceRequest::decode(body).ok()?)),
        _ => return None,
    };
    Some((Request { signal, authorization, items }, spans))
}

fn traces(request: ExportTraceServiceRequest, authorization: &str, spans: &mut Vec<Span>) -> Vec<Item> {
    let mut items = Vec::new();
    for sent in request.resource_spans {
        let resource = of_resource(sent.resource);
        for span in sent.scope_spans.into_iter().flat_map(|scope| scope.spans) {
            let length = span.end_time_unix_nano.saturating_sub(span.start_time_unix_nano);
            spans.push(Span {
                kind: span.kind(),
                start: SystemTime::UNIX_EPOCH + Duration::from_nanos(span.start_time_unix_nano),
                duration: Duration::from_nanos(length),
                trace: span.trace_id,
                id: span.span_id,
                parent: span.parent_span_id,
                name: span.name.clone(),
                resource: resource.clone(),
                authorization: authorization.to_owned(),
            });
            items.push(Item { name: span.name, resource: resource.clone(), attributes: texts(span.attributes) });
        }
    }
    items
}

fn logs(request: ExportLogsServiceRequest) -> Vec<Item> {
    let mut items = Vec::new();
    for sent in request.resource_logs {
        let resource = of_resource(sent.resource);
        for record in sent.scope_logs.into_iter().flat_map(|scope| scope.log_records) {
            let name = record.body.and_then(text).unwrap_or_default();
            items.push(Item { name, resource: resource.clone(), attributes: texts(record.attributes) });
        }
    }
    items
}

fn metrics(request: ExportMetricsServiceRequest) -> Vec<Item> {
    let mut items = Vec::new();
    for sent in request.resource_metrics {
        let resource = of_resource(sent.resource);
        for metric in sent.scope_metrics.into_iter().flat_map(|scope| scope.metrics) {
            let first = match metric.data {
                Some(Data::Gauge(gauge)) => gauge.data_points.into_iter().next(),
                _ => None,
            };
            let attributes = texts(first.map(|point| point.attributes).unwrap_or_default());
            items.push(Item { name: metric.name, resource: resource.clone(), attributes });
        }
    }
    items
}

fn of_resource(resource: Option<Resource>) -> BTreeMap<String, String> {
    texts(resource.map(|resource| resource.attributes).unwrap_or_default())
}

fn texts(attributes: Vec<KeyValue>) -> BTreeMap<String, String> {
    attributes.into_iter().filter_map(|attribute| Some((attribute.key, text(attribute.value?)?))).collect()
}

fn text(value: AnyValue) -> Option<String> {
    match value.value? {
        Value::StringValue(text) => Some(text),
        _ => None,
    }
}
