//! What a deployable tells of itself over HTTP.

use std::net::SocketAddr;

use anyhow::Result;
use epiphyte_testbed::free_address;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Where a deployable serves health and metrics.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Admin(pub(crate) SocketAddr);

impl Admin {
    /// An address that is free now; the deployable binds it a moment later.
    pub(crate) fn free() -> Result<Self> {
        Ok(Self(free_address()?))
    }

    /// Whether it says that it is ready.
    pub(crate) async fn is_ready(self) -> bool {
        self.get("/readyz").await.is_ok_and(|answer| answer.starts_with("HTTP/1.1 200"))
    }

    /// The answer, head and body.
    pub(crate) async fn get(self, path: &str) -> Result<String> {
        let mut stream = TcpStream::connect(self.0).await?;
        let request = format!("GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.0);
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok(answer)
    }
}
