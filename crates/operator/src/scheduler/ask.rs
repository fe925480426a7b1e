//! Asks one address whether it takes telemetry.

use std::fmt;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use http_body_util::Empty;
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{CONNECTION, HOST};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long an answer may take.
const LIMIT: Duration = Duration::from_secs(2);

/// The largest head of an answer, in bytes. Its body is never read.
const LARGEST: usize = 8 << 10;

/// Why an address does not take telemetry. Few words, so that the same trouble is told in the same way each time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Miss {
    /// There is no connection.
    Unconnected(ErrorKind),
    /// The time was over.
    Slow,
    /// The connection broke off before an answer.
    BrokenOff,
    /// What came is no HTTP.
    NotHttp,
    /// It says that it does not, or is something else.
    Answered(u16),
}

impl fmt::Display for Miss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unconnected(kind) => kind.fmt(f),
            Self::Slow => write!(f, "no answer within {} s", LIMIT.as_secs()),
            Self::BrokenOff => f.write_str("connection closed without an answer"),
            Self::NotHttp => f.write_str("its answer is no HTTP"),
            Self::Answered(status) => write!(f, "it answers {status}"),
        }
    }
}

/// Asks; `Ok` is 200, and nothing else. No redirect is followed, and no proxy of this machine's is in between.
pub(super) async fn ask(address: SocketAddr) -> Result<(), Miss> {
    match timeout(LIMIT, exchange(address)).await.unwrap_or(Err(Miss::Slow))? {
        StatusCode::OK => Ok(()),
        other => Err(Miss::Answered(other.as_u16())),
    }
}

async fn exchange(address: SocketAddr) -> Result<StatusCode, Miss> {
    let stream = TcpStream::connect(address).await.map_err(|error| Miss::Unconnected(error.kind()))?;
    let mut http = http1::Builder::new();
    let (mut sender, connection) = http.max_buf_size(LARGEST).handshake(TokioIo::new(stream)).await?;
    let request = Request::get("/readyz").header(HOST, address.to_string()).header(CONNECTION, "close");
    let answer = sender.send_request(request.body(Empty::<Bytes>::new()).map_err(|_| Miss::NotHttp)?);
    tokio::pin!(answer);
    let answer = tokio::select! {
        biased;
        answer = &mut answer => answer,
        // It may end in the moment in which the answer comes.
        _ = connection => answer.await,
    };
    Ok(answer?.status())
}

impl From<hyper::Error> for Miss {
    fn from(error: hyper::Error) -> Self {
        if error.is_parse() { Self::NotHttp } else { Self::BrokenOff }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt as _;
    use tokio::net::TcpListener;

    use super::*;

    /// What follows from what an address says to whoever connects, before it closes the connection.
    async fn asked_of(said: impl Into<Vec<u8>>) -> Result<(), Miss> {
        let (listener, said) = (TcpListener::bind("127.0.0.1:0").await.expect("a free port"), said.into());
        let address = listener.local_addr().expect("it has an address");
        let answers = async {
            let (mut stream, _) = listener.accept().await.expect("it is asked");
            // Whoever asks may have heard enough.
            let _ = stream.write_all(&said).await;
            let _ = stream.shutdown().await;
            std::future::pending::<()>().await;
        };
        tokio::select! { () = answers => unreachable!("it stays"), asked = ask(address) => asked }
    }

    #[tokio::test]
    async fn only_200_is_an_answer_that_counts() {
        let with = |status: &str| format!("HTTP/1.1 {status}\r\nContent-Length: 2\r\n\r\nok");
        assert_eq!(asked_of(with("200 OK")).await, Ok(()));
        assert_eq!(asked_of(with("503 Service Unavailable")).await, Err(Miss::Answered(503)));
        assert_eq!(asked_of(with("204 No Content")).await, Err(Miss::Answered(204)));
        let elsewhere = "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/readyz\r\n\r\n";
        assert_eq!(asked_of(elsewhere).await, Err(Miss::Answered(302)));
    }

    #[tokio::test]
    async fn a_body_without_an_end_is_not_waited_for() {
        let endless = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n";
        assert_eq!(asked_of(endless).await, Ok(()));
    }

    #[tokio::test]
    async fn what_is_no_answer_is_told_apart() {
        assert_eq!(asked_of("SSH-2.0-OpenSSH_9.7\r\n").await, Err(Miss::NotHttp));
        assert_eq!(asked_of("HTTP/1.1 200 OK\r\nX: ".to_owned() + &"x".repeat(1 << 20)).await, Err(Miss::NotHttp));
        assert_eq!(asked_of("").await, Err(Miss::BrokenOff));
        let free = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = free.local_addr().expect("it has an address");
        drop(free);
        assert_eq!(ask(address).await, Err(Miss::Unconnected(ErrorKind::ConnectionRefused)));
    }

    #[tokio::test]
    async fn an_address_that_says_nothing_is_slow() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it has an address");
        assert_eq!(ask(address).await, Err(Miss::Slow));
    }
}
