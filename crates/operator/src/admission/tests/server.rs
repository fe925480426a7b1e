//! The server, asked over TLS by a client that trusts our authority alone.

use std::net::SocketAddr;
use std::time::Duration;

use epiphyte_daemon::Ready;
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::{http1, http2};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use jiff::SignedDuration;
use prometheus_client::registry::Registry;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::admission::certificates::{Lifetimes, Material, provider};
use crate::admission::serving::Serving;
use crate::admission::{Admission, AdmissionMetrics, server};

const DEADLINE: Duration = Duration::from_secs(20);

struct Server {
    address: SocketAddr,
    serving: Arc<Serving>,
    material: Material,
    registry: Registry,
    shutdown: CancellationToken,
    task: JoinHandle<Result<(), server::ServerError>>,
}

fn material() -> Material {
    let day = SignedDuration::from_hours(24);
    Material::issue(&["127.0.0.1".to_owned()], Lifetimes::new(day, day), Timestamp::now()).expect("it can be made")
}

impl Server {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let (serving, material) = (Arc::new(Serving::default()), material());
        serving.set(material.certified_key().expect("a key"));
        let mut registry = Registry::default();
        let metrics = AdmissionMetrics::new(&mut registry);
        let admission = Arc::new(Admission { index: index(), synced: Ready::default(), metrics });
        let shutdown = CancellationToken::new();
        let task = tokio::spawn(server::serve(listener, Arc::clone(&serving), admission, shutdown.clone()));
        Self { address, serving, material, registry, shutdown, task }
    }

    async fn connect(&self, trusted: &Material, protocol: &str) -> std::io::Result<TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(trusted.authorities().iter().map(|authority| authority.der().clone()));
        let mut config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .expect("TLS versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
        let stream = TcpStream::connect(self.address).await?;
        let name = ServerName::try_from("127.0.0.1").expect("an address");
        TlsConnector::from(Arc::new(config)).connect(name, stream).await
    }

    async fn http1(&self) -> http1::SendRequest<Full<Bytes>> {
        let stream = self.connect(&self.material, "http/1.1").await.expect("it connects");
        let (client, connection) = http1::handshake(TokioIo::new(stream)).await.expect("it speaks HTTP/1.1");
        tokio::spawn(connection);
        client
    }

    async fn stop(self) {
        self.shutdown.cancel();
        let stopped = timeout(DEADLINE, self.task).await.expect("it stops").expect("it does not panic");
        stopped.expect("TLS was set up");
    }
}

fn call(method: Method, path: &str, body: impl Into<Bytes>) -> Request<Full<Bytes>> {
    let request = Request::builder().method(method).uri(path).header("host", "127.0.0.1");
    request.body(Full::new(body.into())).expect("a request")
}

fn mutate() -> Request<Full<Bytes>> {
    call(Method::POST, "/mutate", request("CREATE", &deployment(), None).to_string())
}

async fn status(server: &Server, request: Request<Full<Bytes>>) -> StatusCode {
    let response = timeout(DEADLINE, server.http1().await.send_request(request)).await.expect("it answers");
    response.expect("a response").status()
}

#[tokio::test]
async fn a_review_is_answered_over_http_1_and_2() {
    let server = Server::start().await;
    let response = server.http1().await.send_request(mutate()).await.expect("a response");
    assert_eq!(response.headers()["content-type"], "application/json");
    let over_http1 = response.into_body().collect().await.expect("a body").to_bytes();
    assert!(patch_of(&over_http1).is_some());

    let stream = server.connect(&server.material, "h2").await.expect("it connects");
    let (mut client, connection) =
        http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.expect("it speaks HTTP/2");
    tokio::spawn(connection);
    let response = client.send_request(mutate()).await.expect("a response");
    assert_eq!(response.into_body().collect().await.expect("a body").to_bytes(), over_http1);

    let mut metrics = String::new();
    prometheus_client::encoding::text::encode(&mut metrics, &server.registry).expect("it encodes");
    let counted = r#"admission_reviews_total{operation="create",kind="Deployment",outcome="patched"} 2"#;
    assert!(metrics.contains(counted), "{metrics}");
    drop(client);
    server.stop().await;
}

#[tokio::test]
async fn what_is_no_review_has_its_status() {
    let server = Server::start().await;
    assert_eq!(status(&server, call(Method::GET, "/healthz", "")).await, StatusCode::OK);
    assert_eq!(status(&server, call(Method::GET, "/mutate", "")).await, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(status(&server, call(Method::POST, "/elsewhere", "")).await, StatusCode::NOT_FOUND);
    assert_eq!(status(&server, call(Method::POST, "/mutate", "hello")).await, StatusCode::BAD_REQUEST);
    server.stop().await;
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_before_it_is_sent() {
    let server = Server::start().await;
    let mut stream = server.connect(&server.material, "http/1.1").await.expect("it connects");
    let head = format!("POST /mutate HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: {}\r\n\r\n", (8 << 20) + 1);
    stream.write_all(head.as_bytes()).await.expect("it takes the head");
    let mut status = [0; 12];
    timeout(DEADLINE, stream.read_exact(&mut status)).await.expect("it answers").expect("a response");
    assert_eq!(&status, b"HTTP/1.1 413");
    drop(stream);
    server.stop().await;
}

#[tokio::test]
async fn another_certificate_serves_new_connections_while_open_ones_go_on() {
    let mut server = Server::start().await;
    let mut open = server.http1().await;
    assert_eq!(open.send_request(mutate()).await.expect("a response").status(), StatusCode::OK);

    let next = material();
    server.serving.set(next.certified_key().expect("a key"));
    open.ready().await.expect("it is open");
    assert_eq!(open.send_request(mutate()).await.expect("a response").status(), StatusCode::OK);
    assert!(server.connect(&server.material, "http/1.1").await.is_err(), "the old authority did not sign it");
    server.material = next;
    assert_eq!(status(&server, mutate()).await, StatusCode::OK);
    drop(open);
    server.stop().await;
}

#[tokio::test]
async fn what_speaks_no_tls_does_not_stop_the_others() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let server = Server::start().await;
    let mut plain = TcpStream::connect(server.address).await.expect("it connects");
    plain.write_all(b"GET /healthz HTTP/1.1\r\n\r\n").await.expect("it takes bytes");
    let _silent = TcpStream::connect(server.address).await.expect("it connects");
    assert_eq!(status(&server, mutate()).await, StatusCode::OK);
    let mut answer = Vec::new();
    let _ = timeout(DEADLINE, plain.read_to_end(&mut answer)).await.expect("it is closed");
    assert!(!answer.starts_with(b"HTTP"));
}

#[tokio::test]
async fn a_shutdown_ends_idle_connections_and_takes_no_new_ones() {
    let server = Server::start().await;
    let mut idle = server.http1().await;
    assert_eq!(idle.send_request(mutate()).await.expect("a response").status(), StatusCode::OK);
    let address = server.address;
    server.stop().await;
    assert!(TcpStream::connect(address).await.is_err());
}
