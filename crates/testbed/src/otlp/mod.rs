//! A receiver of OTLP over HTTP that keeps what it is sent.

mod read;

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant, SystemTime};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
pub use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::oneshot;

use crate::{ControlPlane, Error, Result};

/// What a request is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Signal {
    /// Spans.
    Traces,
    /// Log records, of which Kubernetes Events are some.
    Logs,
    /// Metrics.
    Metrics,
}

/// A request that came.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// What it is about.
    pub signal: Signal,
    /// Its `Authorization` header; empty where there was none.
    pub authorization: String,
    /// What was in it.
    pub items: Vec<Item>,
}

/// A span, a log record or a metric.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// Name of the span or metric; the body of the log record, if it is text.
    pub name: String,
    /// The attributes of its resource that are text.
    pub resource: BTreeMap<String, String>,
    /// Its own attributes that are text; of a gauge those of its first point, of other metrics none.
    pub attributes: BTreeMap<String, String>,
}

/// How requests are answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// They are taken.
    Accept,
    /// They are taken, and it takes this long.
    Late(Duration),
    /// They are not, and nothing is kept of them: with this status, and when to come again, in seconds.
    Refuse(u16, Option<u16>),
}

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

/// What came so far, in the order of its coming.
#[derive(Debug, Default)]
struct Kept {
    spans: Vec<Span>,
    requests: Vec<Request>,
    refusals: Vec<Instant>,
}

#[derive(Debug)]
struct Shared {
    kept: Mutex<Kept>,
    changed: Condvar,
    answer: Mutex<Answer>,
}

impl Default for Shared {
    fn default() -> Self {
        Self { kept: Mutex::default(), changed: Condvar::new(), answer: Mutex::new(Answer::Accept) }
    }
}

/// A receiver for as long as this value lives.
#[derive(Debug)]
pub struct Receiver {
    url: String,
    shared: Arc<Shared>,
    /// Dropped with it, which ends its server.
    _stop: oneshot::Sender<()>,
}

impl Receiver {
    /// A receiver at a free port of this machine.
    ///
    /// # Errors
    /// When there is none, or no thread for it.
    pub fn on_loopback() -> Result<Self> {
        Self::at(0)
    }

    /// A receiver at a port of this machine that was another receiver's before, or at a free one if it is 0.
    ///
    /// # Errors
    /// When the port is not to be had, or no thread for it.
    pub fn at(port: u16) -> Result<Self> {
        Self::start(async move |service: Router| {
            let listener = TcpListener::bind(("127.0.0.1", port)).await?;
            let url = format!("http://{}", listener.local_addr()?);
            tokio::spawn(axum::serve(listener, service).into_future());
            Ok(url)
        })
    }

    fn start(serve: impl AsyncFnOnce(Router) -> std::io::Result<String> + Send + 'static) -> Result<Self> {
        let shared = Arc::<Shared>::default();
        let service = Router::new()
            .route("/v1/{signal}", post(receive))
            .layer(DefaultBodyLimit::disable())
            .with_state(Arc::clone(&shared));
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
        Ok(Self { url, shared, _stop: stop })
    }

    /// Where it is sent to; inside the box, for the receiver of a node.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The spans that came so far.
    pub fn spans(&self) -> Vec<Span> {
        lock(&self.shared.kept).spans.clone()
    }

    /// The requests that came so far.
    pub fn requests(&self) -> Vec<Request> {
        lock(&self.shared.kept).requests.clone()
    }

    /// When requests were refused so far.
    pub fn refusals(&self) -> Vec<Instant> {
        lock(&self.shared.kept).refusals.clone()
    }

    /// Answers in another way from now on.
    pub fn answer(&self, answer: Answer) {
        *lock(&self.shared.answer) = answer;
    }

    /// Waits until the spans that came answer a question.
    ///
    /// # Errors
    /// When they do not in time; the error tells what came.
    pub fn wait<T>(&self, what: &str, within: Duration, found: impl Fn(&[Span]) -> Option<T>) -> Result<T> {
        self.wait_for(what, within, |kept| found(&kept.spans), |kept| summary(&kept.spans))
    }

    /// Waits until the requests that came answer a question.
    ///
    /// # Errors
    /// When they do not in time; the error tells how many came.
    pub fn wait_requests<T>(&self, what: &str, within: Duration, found: impl Fn(&[Request]) -> Option<T>) -> Result<T> {
        self.wait_for(what, within, |kept| found(&kept.requests), |kept| format!("{} requests", kept.requests.len()))
    }

    fn wait_for<T>(
        &self,
        what: &str,
        within: Duration,
        found: impl Fn(&Kept) -> Option<T>,
        summary: impl FnOnce(&Kept) -> String,
    ) -> Result<T> {
        let deadline = Instant::now() + within;
        let mut kept = lock(&self.shared.kept);
        loop {
            if let Some(found) = found(&kept) {
                return Ok(found);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Error::Timeout { what: what.to_owned(), within, last: summary(&kept) });
            }
            kept = self.shared.changed.wait_timeout(kept, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
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

async fn receive(
    State(shared): State<Arc<Shared>>,
    Path(signal): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let answer = *lock(&shared.answer);
    if let Answer::Late(wait) = answer {
        tokio::time::sleep(wait).await;
    }
    if let Answer::Refuse(status, retry_after) = answer {
        lock(&shared.kept).refusals.push(Instant::now());
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
        return match retry_after {
            Some(seconds) => (status, [(RETRY_AFTER, seconds.to_string())]).into_response(),
            None => status.into_response(),
        };
    }
    let Some((request, spans)) = read::request(&signal, &headers, body) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let mut kept = lock(&shared.kept);
    kept.spans.extend(spans);
    kept.requests.push(request);
    shared.changed.notify_all();
    StatusCode::OK.into_response()
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
