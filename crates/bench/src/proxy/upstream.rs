//! A receiver that counts requests and looks at none, so that next to nothing of the machine is its.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Result;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::connection::Connection;

/// A receiver for as long as this value lives.
pub(super) struct Upstream {
    address: SocketAddr,
    requests: Arc<AtomicUsize>,
    /// Dropped with it, which ends its thread.
    _stop: oneshot::Sender<()>,
}

impl Upstream {
    /// A receiver at a free port, on a thread of its own.
    pub(super) fn start() -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let requests = Arc::<AtomicUsize>::default();
        let counted = Arc::clone(&requests);
        let (stop, stopped) = oneshot::channel::<()>();
        let run = move || {
            runtime.block_on(async {
                tokio::select! {
                    // An error says that the receiver is gone.
                    _ = stopped => {}
                    _ = serve(listener, counted) => {}
                }
            });
        };
        std::thread::Builder::new().name("upstream".to_owned()).spawn(run)?;
        Ok(Self { address, requests, _stop: stop })
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How many requests came so far.
    pub(super) fn requests(&self) -> usize {
        self.requests.load(Ordering::Relaxed)
    }
}

async fn serve(listener: std::net::TcpListener, counted: Arc<AtomicUsize>) -> Result<()> {
    let listener = TcpListener::from_std(listener)?;
    loop {
        let mut connection = Connection::new(listener.accept().await?.0);
        let counted = Arc::clone(&counted);
        tokio::spawn(async move {
            while connection.receive().await.is_ok() {
                counted.fetch_add(1, Ordering::Relaxed);
                if connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await.is_err() {
                    return;
                }
            }
        });
    }
}
