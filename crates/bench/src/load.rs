//! Load on an HTTPS server: the same request again and again, on connections that stay open.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use futures::future::try_join_all;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Open connections, each for one request at a time.
pub(crate) struct Load {
    connections: Vec<Connection>,
}

/// How a run went.
pub(crate) struct Run {
    pub(crate) elapsed: Duration,
    /// From the first byte sent to the last received, for each request; sorted.
    latencies: Vec<Duration>,
}

impl Run {
    pub(crate) fn requests(&self) -> usize {
        self.latencies.len()
    }

    /// The latency that a share of the requests stayed within.
    pub(crate) fn percentile(&self, share: f64) -> Duration {
        let position = (self.latencies.len() as f64 * share) as usize;
        self.latencies.get(position.min(self.latencies.len().saturating_sub(1))).copied().unwrap_or_default()
    }
}

impl Load {
    /// Opens connections, one for each request in flight.
    pub(crate) async fn connect(address: SocketAddr, authority: &[u8], in_flight: usize) -> Result<Self> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(authority) {
            roots.add(certificate?)?;
        }
        let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        let connector = TlsConnector::from(Arc::new(config));
        let connections = (0..in_flight).map(|_| Connection::open(address, &connector));
        Ok(Self { connections: try_join_all(connections).await? })
    }

    /// Posts a body on every connection until the time is up. `expected` stands in every answer, or the run fails.
    pub(crate) async fn run(&mut self, path: &str, body: &[u8], expected: &str, time: Duration) -> Result<Run> {
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        let request = [head.as_bytes(), body].concat();
        let start = Instant::now();
        let runs = self.connections.iter_mut().map(|connection| connection.repeat(&request, expected, start + time));
        let mut latencies = try_join_all(runs).await?.concat();
        latencies.sort();
        Ok(Run { elapsed: start.elapsed(), latencies })
    }
}

struct Connection {
    stream: TlsStream<TcpStream>,
    answer: Vec<u8>,
}

impl Connection {
    async fn open(address: SocketAddr, connector: &TlsConnector) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let stream = connector.connect(ServerName::IpAddress(address.ip().into()), stream).await?;
        Ok(Self { stream, answer: Vec::new() })
    }

    async fn repeat(&mut self, request: &[u8], expected: &str, deadline: Instant) -> Result<Vec<Duration>> {
        let mut latencies = Vec::new();
        let mut checked = false;
        while Instant::now() < deadline {
            let start = Instant::now();
            self.stream.write_all(request).await?;
            self.stream.flush().await?;
            self.receive().await?;
            latencies.push(start.elapsed());
            // The same request has the same answer; one look is enough, and costs the others nothing.
            if !checked {
                let answer = String::from_utf8_lossy(&self.answer);
                ensure!(answer.starts_with("HTTP/1.1 200") && answer.contains(expected), "unexpected answer: {answer}");
                checked = true;
            }
        }
        Ok(latencies)
    }

    /// Reads one whole answer.
    async fn receive(&mut self) -> Result<()> {
        self.answer.clear();
        let mut whole = None;
        while whole.is_none_or(|length| self.answer.len() < length) {
            if self.stream.read_buf(&mut self.answer).await? == 0 {
                bail!("the server closed the connection");
            }
            if whole.is_none() {
                whole = length(&self.answer)?;
            }
        }
        Ok(())
    }
}

/// Length of an answer, head and body, once its head is there.
fn length(answer: &[u8]) -> Result<Option<usize>> {
    let Some(head) = answer.windows(4).position(|window| window == b"\r\n\r\n") else { return Ok(None) };
    let text = std::str::from_utf8(answer.get(..head).unwrap_or_default())?;
    let body = text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>())
    });
    Ok(Some(head + 4 + body.context("an answer without a length")??))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_of_an_answer_is_known_once_its_head_is_there() {
        assert_eq!(length(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n").expect("no error"), None);
        assert_eq!(length(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n").expect("no error"), Some(40));
        assert!(length(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
    }

    #[test]
    fn a_percentile_of_few_is_one_of_them() {
        let run = Run { elapsed: Duration::ZERO, latencies: [1, 2, 3].map(Duration::from_secs).to_vec() };
        assert_eq!(run.percentile(0.5), Duration::from_secs(2));
        assert_eq!(run.percentile(0.99), Duration::from_secs(3));
    }
}
