//! The HTTPS server of the webhook: connections, limits, paths.

use std::convert::Infallible;
use std::io;
use std::num::NonZero;
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::{Body, Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::io::BufReader;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::Admission;
use super::serving::{Serving, tls};

/// Path of the webhook.
pub const PATH: &str = "/mutate";

/// The API server stores objects of 1.5 MiB at most and sends two of them; JSON is larger than what it stores.
const MAX_BODY: usize = 8 << 20;
/// Enough for what API servers can ask.
const MAX_THREADS: usize = 4;
const MAX_CONNECTIONS: usize = 1024;
const MAX_STREAMS: u32 = 1000;
const READ_BUFFER: usize = 32 << 10;
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);
/// Also how long a connection of HTTP/1.1 may be idle.
const HEADER_TIMEOUT: Duration = Duration::from_secs(60);
/// The API server waits no longer for the whole answer.
const BODY_TIMEOUT: Duration = Duration::from_secs(5);
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);
const PING_INTERVAL: Duration = Duration::from_secs(30);
const PING_TIMEOUT: Duration = Duration::from_secs(10);

/// The webhook cannot be served.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ServerError {
    /// TLS cannot be set up.
    #[error("TLS cannot be set up: {0}")]
    Tls(#[from] rustls::Error),
    /// Threads cannot be started.
    #[error("threads cannot be started: {0}")]
    Threads(#[from] io::Error),
}

/// Serves reviews until the shutdown, then finishes those in flight. Threads of its own do so: no burst of planning holds
/// an admission up.
///
/// # Errors
/// TLS or threads cannot be set up.
pub(super) async fn serve(
    listener: TcpListener,
    serving: Arc<Serving>,
    admission: Arc<Admission>,
    shutdown: CancellationToken,
) -> Result<(), ServerError> {
    let edge = Arc::new(Edge::new(serving, admission)?);
    let threads = available_parallelism().map_or(1, NonZero::get).min(MAX_THREADS);
    let runtime = Builder::new_multi_thread().worker_threads(threads).enable_all().build()?;
    let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let graceful = GracefulShutdown::new();
    while let Some(accepted) = shutdown.run_until_cancelled(accept(&listener, &slots)).await {
        match accepted {
            Ok((stream, slot)) => {
                let (edge, watcher) = (Arc::clone(&edge), graceful.watcher());
                runtime.spawn(async move {
                    edge.converse(stream, watcher).await;
                    drop(slot);
                });
            }
            Err(error) => {
                warn!(%error, "cannot accept a connection to the webhook");
                // Out of file descriptors, most likely: connections that end give them back.
                sleep(Duration::from_millis(100)).await;
            }
        }
    }
    drop(listener);
    if timeout(DRAIN_TIMEOUT, graceful.shutdown()).await.is_err() {
        warn!("connections to the webhook are cut off");
    }
    runtime.shutdown_background();
    Ok(())
}

async fn accept(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
) -> io::Result<(std::net::TcpStream, OwnedSemaphorePermit)> {
    let slot = Arc::clone(slots).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    // Answers are small and awaited.
    stream.set_nodelay(true)?;
    Ok((stream.into_std()?, slot))
}

/// What all connections share.
struct Edge {
    tls: TlsAcceptor,
    http1: auto::Builder<TokioExecutor>,
    http2: auto::Builder<TokioExecutor>,
    admission: Arc<Admission>,
}

impl Edge {
    fn new(serving: Arc<Serving>, admission: Arc<Admission>) -> Result<Self, rustls::Error> {
        let mut http1 = auto::Builder::new(TokioExecutor::new()).http1_only();
        http1.http1().timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT);
        let mut http2 = auto::Builder::new(TokioExecutor::new()).http2_only();
        http2
            .http2()
            .timer(TokioTimer::new())
            .keep_alive_interval(PING_INTERVAL)
            .keep_alive_timeout(PING_TIMEOUT)
            .max_concurrent_streams(MAX_STREAMS);
        Ok(Self { tls: TlsAcceptor::from(Arc::new(tls(serving)?)), http1, http2, admission })
    }

    /// Answers what comes in on a connection, until it ends or the watcher says that all shall.
    async fn converse(&self, stream: std::net::TcpStream, watcher: Watcher) {
        let stream = match TcpStream::from_std(stream) {
            Ok(stream) => stream,
            Err(error) => return warn!(%error, "cannot serve a connection to the webhook"),
        };
        // A record of TLS, of up to 16 KiB, is then read in one go, not in five.
        let stream = BufReader::with_capacity(READ_BUFFER, stream);
        let stream = match timeout(HANDSHAKE_TIMEOUT, self.tls.accept(stream)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return debug!(%error, "a TLS handshake failed"),
            Err(_) => return debug!("a TLS handshake took too long"),
        };
        let builder = match stream.get_ref().1.alpn_protocol() {
            Some(b"h2") => &self.http2,
            _ => &self.http1,
        };
        let service = service_fn(|request| {
            let admission = Arc::clone(&self.admission);
            async move { Ok::<_, Infallible>(respond(request, &admission).await) }
        });
        let connection = builder.serve_connection(TokioIo::new(stream), service).into_owned();
        if let Err(error) = watcher.watch(connection).await {
            debug!(%error, "a connection to the webhook broke");
        }
    }
}

type Reply = Response<Full<Bytes>>;

async fn respond(request: Request<Incoming>, admission: &Admission) -> Reply {
    match (request.method(), request.uri().path()) {
        (&Method::POST, PATH) => match read(request.into_body()).await {
            Ok(body) => review(&body, admission),
            Err(status) => reply(status, Bytes::new()),
        },
        (&Method::GET, "/healthz") => reply(StatusCode::OK, Bytes::from_static(b"ok")),
        (_, PATH | "/healthz") => reply(StatusCode::METHOD_NOT_ALLOWED, Bytes::new()),
        _ => reply(StatusCode::NOT_FOUND, Bytes::new()),
    }
}

async fn read(body: Incoming) -> Result<Bytes, StatusCode> {
    if body.size_hint().lower() > MAX_BODY as u64 {
        return Err(StatusCode::PAYLOAD_TOO_LARGE);
    }
    match timeout(BODY_TIMEOUT, Limited::new(body, MAX_BODY).collect()).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(StatusCode::PAYLOAD_TOO_LARGE),
        Ok(Err(_)) => Err(StatusCode::BAD_REQUEST),
        Err(_) => Err(StatusCode::REQUEST_TIMEOUT),
    }
}

fn review(body: &[u8], admission: &Admission) -> Reply {
    let started = Instant::now();
    match admission.review(body) {
        Ok(answer) => {
            admission.metrics.answered(&answer, started.elapsed());
            let mut reply = reply(StatusCode::OK, answer.body.into());
            reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            reply
        }
        Err(problem) => reply(StatusCode::BAD_REQUEST, problem.to_string().into()),
    }
}

fn reply(status: StatusCode, body: Bytes) -> Reply {
    let mut reply = Response::new(Full::new(body));
    *reply.status_mut() = status;
    reply
}
