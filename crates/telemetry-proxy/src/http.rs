//! Small requests to the Collectors on this machine.

use std::net::SocketAddr;
use std::time::Duration;

use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::HOST;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long an answer may take.
const LIMIT: Duration = Duration::from_secs(2);

/// The largest answer that is read.
const LARGEST: usize = 8 << 20;

/// An answer: its status and its text.
pub(crate) type Answer = (StatusCode, String);

/// Asks without a body; `None` if there is no answer in time.
pub(crate) async fn ask(address: SocketAddr, request: hyper::http::request::Builder) -> Option<Answer> {
    timeout(LIMIT, exchange(address, request)).await.ok().flatten()
}

async fn exchange(address: SocketAddr, request: hyper::http::request::Builder) -> Option<Answer> {
    let stream = TcpStream::connect(address).await.ok()?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.ok()?;
    let request = request.header(HOST, address.to_string()).body(Empty::<Bytes>::new()).ok()?;
    let exchange = async {
        let answer = sender.send_request(request).await.ok()?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), LARGEST).collect().await.ok()?.to_bytes();
        Some((status, String::from_utf8_lossy(&body).into_owned()))
    };
    tokio::pin!(connection);
    tokio::select! {
        answer = exchange => answer,
        // It ends first only when it breaks off.
        _ = &mut connection => None,
    }
}

/// The metrics of a Collector, if it gives any.
pub(crate) async fn metrics(port: u16) -> Option<String> {
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let (status, text) = ask(address, Request::get("/metrics")).await?;
    (status == StatusCode::OK).then_some(text)
}

/// Whether somebody listens at an address.
pub(crate) async fn is_bound(address: SocketAddr) -> bool {
    timeout(LIMIT, TcpStream::connect(address)).await.is_ok_and(|connected| connected.is_ok())
}
