//! Load on an HTTP server: the same request again and again, on connections that stay open.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use futures::future::try_join_all;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::connection::{Connection, is_ok};

/// Open connections, each for one request at a time.
pub(crate) struct Load<S> {
    connections: Vec<Connection<S>>,
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

impl Load<TlsStream<TcpStream>> {
    /// Opens connections over TLS, one for each request in flight.
    pub(crate) async fn over_tls(address: SocketAddr, authority: &[u8], in_flight: usize) -> Result<Self> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(authority) {
            roots.add(certificate?)?;
        }
        let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        let connector = TlsConnector::from(Arc::new(config));
        let open = async || -> Result<_> {
            let stream = connector.connect(ServerName::IpAddress(address.ip().into()), connect(address).await?).await?;
            Ok(Connection::new(stream))
        };
        Ok(Self { connections: try_join_all((0..in_flight).map(|_| open())).await? })
    }
}

impl Load<TcpStream> {
    /// Opens connections, one for each request in flight.
    pub(crate) async fn plain(address: SocketAddr, in_flight: usize) -> Result<Self> {
        let open = async || -> Result<_> { Ok(Connection::new(connect(address).await?)) };
        Ok(Self { connections: try_join_all((0..in_flight).map(|_| open())).await? })
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Load<S> {
    /// Sends a request on every connection until the time is up. Each is answered well, and `expected` stands in the answer, or
    /// the run fails.
    pub(crate) async fn run(&mut self, request: &[u8], expected: &str, time: Duration) -> Result<Run> {
        let start = Instant::now();
        let runs = self.connections.iter_mut().map(|connection| repeat(connection, request, expected, start + time));
        let mut latencies = try_join_all(runs).await?.concat();
        latencies.sort();
        Ok(Run { elapsed: start.elapsed(), latencies })
    }
}

/// A connection without TLS.
pub(crate) async fn connect(address: SocketAddr) -> Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

async fn repeat<S: AsyncRead + AsyncWrite + Unpin>(
    connection: &mut Connection<S>,
    request: &[u8],
    expected: &str,
    deadline: Instant,
) -> Result<Vec<Duration>> {
    let mut latencies = Vec::new();
    while Instant::now() < deadline {
        let start = Instant::now();
        let answer = connection.ask(request).await?;
        // The same request has the same answer; one close look is enough, and costs the others nothing.
        let is_expected =
            is_ok(answer) && (!latencies.is_empty() || String::from_utf8_lossy(answer).contains(expected));
        ensure!(is_expected, "unexpected answer: {}", String::from_utf8_lossy(answer));
        latencies.push(start.elapsed());
    }
    Ok(latencies)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_of_few_is_one_of_them() {
        let run = Run { elapsed: Duration::ZERO, latencies: [1, 2, 3].map(Duration::from_secs).to_vec() };
        assert_eq!(run.percentile(0.5), Duration::from_secs(2));
        assert_eq!(run.percentile(0.99), Duration::from_secs(3));
    }
}
