//! A receiver of OTLP over HTTP that keeps the spans that it is sent.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant, SystemTime};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
pub use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use prost::Message as _;
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::oneshot;

use crate::{ControlPlane, Error, Result};

/// What is kept of a span.
#[derive(Debug, Clone, PartialEq)]
pub struct Span {
    /// Its trace.
    pub trace: Vec<u8>,
    /// Its own id.
    pub id: Vec<u8>,
    /// The id of the span above it; empty where there is none.
    pub parent: Vec<u8>,
    /// What it is of, such as `GET /prices`.
    pub name: String,
    /// On which side of a call.
    pub kind: SpanKind,
    /// When it began.
    pub start: SystemTime,
    /// How long it took.
    pub duration: Duration,
    /// The attributes of its resource that are text.
    pub resource: BTreeMap<String, String>,
    /// The `Authorization` header of the request that it came with; empty where there was none.
    pub authorization: String,
}

impl Span {
    /// The service that it is from; empty where it does not say.
    pub fn service(&self) -> &str {
        self.resource.get("service.name").map_or("", String::as_str)
    }
}

/// The spans so far, in the order of their coming.
type Spans = Arc<(Mutex<Vec<Span>>, Condvar)>;

/// A receiver for as long as this value lives.
#[derive(Debug)]
pub struct Receiver {
    url: String,
    spans: Spans,
    /// Dropped with it, which ends its server.
    _stop: oneshot::Sender<()>,
}

impl Receiver {
    /// A receiver at a free port of this machine.
    ///
    /// # Errors
    /// When there is none, or no thread for it.
    pub fn on_loopback() -> Result<Self> {
        Self::start(async |service: Router| {
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            let url = format!("http://{}", listener.local_addr()?);
            tokio::spawn(axum::serve(listener, service).into_future());
            Ok(url)
        })
    }

    fn start(serve: impl AsyncFnOnce(Router) -> std::io::Result<String> + Send + 'static) -> Result<Self> {
        let spans = Spans::default();
        let service = Router::new()
            .route("/v1/traces", post(receive))
            .route("/v1/{signal}", post(|| async { StatusCode::OK }))
            .with_state(Arc::clone(&spans));
        let (stop, stopped) = oneshot::channel::<()>();
        let (tell, told) = mpsc::channel();
        // A thread of its own, so that it serves while whoever waits for spans blocks.
        let run = move || {
            let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => runtime,
                Err(error) => return drop(tell.send(Err(error))),
            };
            runtime.block_on(async {
                let _ = tell.send(serve(service).await);
                // An error says that the receiver is gone.
                let _ = stopped.await;
            });
        };
        std::thread::Builder::new().name("otlp-receiver".to_owned()).spawn(run).map_err(Error::Receiver)?;
        let url = told.recv().map_err(|_| Error::CutOff)?.map_err(Error::Receiver)?;
        Ok(Self { url, spans, _stop: stop })
    }

    /// Where it is sent to; inside the box, for the receiver of a node.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What came so far.
    pub fn spans(&self) -> Vec<Span> {
        self.spans.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until the spans that came answer a question.
    ///
    /// # Errors
    /// When they do not in time; the error tells what came.
    pub fn wait<T>(&self, what: &str, within: Duration, found: impl Fn(&[Span]) -> Option<T>) -> Result<T> {
        let deadline = Instant::now() + within;
        let (spans, changed) = &*self.spans;
        let mut spans = spans.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(found) = found(&spans) {
                return Ok(found);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Error::Timeout { what: what.to_owned(), within, last: summary(&spans) });
            }
            spans = changed.wait_timeout(spans, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl ControlPlane {
    /// A receiver that pods of the node reach. There is one at a time.
    ///
    /// # Errors
    /// When there is another already, or no thread for it.
    pub fn receiver(&self) -> Result<Receiver> {
        let (socket, url) = self.telemetry();
        Receiver::start(async move |service: Router| {
            tokio::spawn(axum::serve(UnixListener::bind(socket)?, service).into_future());
            Ok(url)
        })
    }
}

async fn receive(State(spans): State<Spans>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let Ok(request) = ExportTraceServiceRequest::decode(body) else {
        return StatusCode::BAD_REQUEST;
    };
    let authorization = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    spans.0.lock().unwrap_or_else(PoisonError::into_inner).extend(read(request, authorization));
    spans.1.notify_all();
    StatusCode::OK
}

fn read(request: ExportTraceServiceRequest, authorization: &str) -> Vec<Span> {
    let mut spans = Vec::new();
    for sent in request.resource_spans {
        let attributes = sent.resource.map(|resource| resource.attributes).unwrap_or_default();
        let resource: BTreeMap<_, _> = attributes.into_iter().filter_map(text).collect();
        for span in sent.scope_spans.into_iter().flat_map(|scope| scope.spans) {
            let length = span.end_time_unix_nano.saturating_sub(span.start_time_unix_nano);
            spans.push(Span {
                kind: span.kind(),
                start: SystemTime::UNIX_EPOCH + Duration::from_nanos(span.start_time_unix_nano),
                duration: Duration::from_nanos(length),
                trace: span.trace_id,
                id: span.span_id,
                parent: span.parent_span_id,
                name: span.name,
                resource: resource.clone(),
                authorization: authorization.to_owned(),
            });
        }
    }
    spans
}

fn text(attribute: KeyValue) -> Option<(String, String)> {
    match attribute.value?.value? {
        Value::StringValue(text) => Some((attribute.key, text)),
        _ => None,
    }
}

/// How many spans of each service there are.
fn summary(spans: &[Span]) -> String {
    let mut counts = BTreeMap::<_, usize>::new();
    for span in spans {
        let namespace = span.resource.get("k8s.namespace.name").map_or("?", String::as_str);
        *counts.entry(format!("{namespace}/{}", span.service())).or_default() += 1;
    }
    format!("spans of {counts:?}")
}
