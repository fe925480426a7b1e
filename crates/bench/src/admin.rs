//! What a deployable tells of itself over HTTP.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context as _, Result};
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

/// A port that is free now, and a moment later too: above those that the kernel gives to whoever takes any.
pub(crate) fn free_address() -> Result<SocketAddr> {
    static TAKEN: AtomicU32 = AtomicU32::new(0);
    let range = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range")?;
    let last = range.split_whitespace().next_back().context("the kernel does not tell its ports")?.parse::<u16>()?;
    let above = u16::MAX - last;
    // Where none are left, any has to do.
    let candidates = (0..above).map(|_| {
        let number = std::process::id().wrapping_mul(97).wrapping_add(TAKEN.fetch_add(1, Ordering::Relaxed));
        u16::try_from(number % u32::from(above)).map_or(0, |number| last + 1 + number)
    });
    let free = candidates.chain([0]).find_map(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok());
    Ok(free.context("no port is free")?.local_addr()?)
}
