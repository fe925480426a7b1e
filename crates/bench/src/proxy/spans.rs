//! The requests that applications send.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message as _;

/// A request with so many spans of HTTP calls, as the agents make them.
pub(super) fn batch(count: usize) -> Vec<u8> {
    request((0..count).map(|number| {
        let attributes = [
            ("http.request.method", "GET"),
            ("http.response.status_code", "200"),
            ("http.route", "/prices/{item}"),
            ("url.path", "/prices/4711"),
            ("url.scheme", "http"),
            ("server.address", "prices.shop.svc.cluster.local"),
            ("client.address", "10.1.2.3"),
            ("user_agent.original", "storefront/4.12.1"),
        ];
        Span { attributes: attributes.map(attribute).into(), ..span("GET /prices/{item}", number) }
    }))
}

/// A request with one span of a name.
pub(super) fn named(name: &str) -> Vec<u8> {
    request(std::iter::once(span(name, 0)))
}

fn span(name: &str, number: usize) -> Span {
    let mut id = [7; 16];
    id[8..].copy_from_slice(&number.to_be_bytes());
    let start = 1_780_000_000_000_000_000;
    Span {
        name: name.to_owned(),
        trace_id: id.to_vec(),
        span_id: id[8..].to_vec(),
        kind: 2,
        start_time_unix_nano: start,
        end_time_unix_nano: start + 1_000_000,
        ..Span::default()
    }
}

fn request(spans: impl Iterator<Item = Span>) -> Vec<u8> {
    let resource = [
        ("service.name", "cart"),
        ("k8s.pod.uid", "00000000-0000-4000-8000-000000000001"),
        ("k8s.container.name", "main"),
        ("telemetry.sdk.language", "java"),
    ];
    let message = ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource: Some(Resource { attributes: resource.map(attribute).into(), ..Resource::default() }),
            scope_spans: vec![ScopeSpans { spans: spans.collect(), ..ScopeSpans::default() }],
            ..ResourceSpans::default()
        }],
    };
    message.encode_to_vec()
}

fn attribute((key, value): (&str, &str)) -> KeyValue {
    let value = Some(AnyValue { value: Some(Value::StringValue(value.to_owned())) });
    KeyValue { key: key.to_owned(), value, ..KeyValue::default() }
}
