//! Addresses of the telemetry proxy that a test plays, and the group of collectors that the operator keeps of them.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::{Cluster, Object, SYSTEM, until};

/// The Service, and the group.
pub const PROXY: &str = "epiphyte-telemetry-proxy";

/// Whether something takes telemetry, whether the address says something else, or nothing.
#[derive(Clone, Copy)]
pub enum Manner {
    Takes,
    Says(&'static str),
    Hangs,
    /// Nothing to the next who asks, and then it takes telemetry.
    HangsOnce,
}

/// An address of the telemetry proxy.
pub struct Address {
    pub socket: SocketAddr,
    manner: watch::Sender<Manner>,
    asked: Arc<AtomicUsize>,
    serving: Option<JoinHandle<()>>,
}

impl Address {
    /// One that takes telemetry, at a free port of this machine; `None` where it has no address but its loopback, which the
    /// API server takes for no address of a pod.
    pub async fn open() -> Option<Self> {
        // No packet is sent: connecting chooses the address that would be sent from.
        let probe = UdpSocket::bind("0.0.0.0:0").ok()?;
        probe.connect("192.0.2.1:9").ok()?;
        let own = probe.local_addr().ok()?.ip();
        if own.is_loopback() || own.is_unspecified() {
            return None;
        }
        let listener = TcpListener::bind((own, 0)).await.expect("a free port");
        let socket = listener.local_addr().expect("it has an address");
        let (manner, asked) = (watch::channel(Manner::Takes).0, Arc::default());
        let mut address = Self { socket, manner, asked, serving: None };
        address.serve(listener);
        Some(address)
    }

    fn serve(&mut self, listener: TcpListener) {
        let (manner, asked) = (self.manner.clone(), Arc::clone(&self.asked));
        self.serving = Some(tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let now = *manner.borrow();
                if matches!(now, Manner::HangsOnce) {
                    manner.send_replace(Manner::Takes);
                }
                asked.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(answer(stream, now));
            }
        }));
    }

    /// Answers otherwise from now on.
    pub fn behave(&self, manner: Manner) {
        self.manner.send_replace(manner);
    }

    /// Refuses connections from now on.
    pub async fn close(&mut self) {
        let serving = self.serving.take().expect("it is open");
        serving.abort();
        // It ends as it was told.
        let _ = serving.await;
    }

    /// Is back, and takes telemetry.
    pub async fn reopen(&mut self) {
        self.behave(Manner::Takes);
        let listener = TcpListener::bind(self.socket).await.expect("nobody else took the port");
        self.serve(listener);
    }

    /// How often it was asked.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }

    /// Waits until it was asked so many times more: whatever follows from the answers before has been done by then.
    pub async fn until_asked(&self, more: usize) {
        let before = self.asked();
        until(&format!("{} is asked", self.socket), || async { self.asked() >= before + more }).await;
    }

    /// The EndpointSlice that has it alone, of a name and in the system namespace.
    pub fn slice(&self, name: &str, namespace: &str) -> Value {
        let (ip, port) = (self.socket.ip(), self.socket.port());
        json!({
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
            "metadata": { "name": name, "namespace": namespace, "labels": { "kubernetes.io/service-name": PROXY } },
            "addressType": "IPv4", "ports": [{ "name": "otlp-grpc", "port": 4317 }, { "name": "health", "port": port }],
            "endpoints": [{ "addresses": [ip.to_string()], "conditions": { "ready": false } }],
        })
    }
}

/// Answers one request.
async fn answer(mut stream: TcpStream, manner: Manner) {
    let mut request = [0; 1024];
    let read = stream.read(&mut request).await.unwrap_or_default();
    let said = match manner {
        Manner::Takes if request[..read].starts_with(b"GET /readyz HTTP/1.1\r\n") => {
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n"
        }
        Manner::Takes => "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
        Manner::Says(said) => said,
        Manner::Hangs | Manner::HangsOnce => std::future::pending().await,
    };
    // Whoever asked may be gone.
    let _ = stream.write_all(said.as_bytes()).await;
}

impl Cluster {
    /// Puts an address behind the Service of the telemetry proxy, in an EndpointSlice of a name.
    pub async fn publish(&self, slice: &str, address: &Address) {
        self.apply(&address.slice(slice, SYSTEM)).await;
    }

    /// Takes an EndpointSlice away.
    pub async fn withdraw(&self, slice: &str) {
        let (api_version, plural) = ("discovery.k8s.io/v1", "endpointslices");
        self.delete(&Object { api_version, plural, namespace: SYSTEM, name: slice }).await;
    }

    /// A group of collectors, if it is there.
    pub async fn group(&self, name: &str) -> Option<Value> {
        self.get("odigos.io/v1alpha1", "collectorsgroups", SYSTEM, name).await
    }

    /// Waits until the proxy's group is ready, or is not, with a message; gives the group.
    pub async fn until_proxy(&self, ready: bool, message: &str) -> Value {
        super::eventually(&format!("the group says {ready}: {message}"), || async {
            let group = self.group(PROXY).await?;
            let condition = group.pointer("/status/conditions/0")?;
            let says = (group["status"]["ready"] == ready)
                && condition["type"] == "Ready"
                && condition["status"] == if ready { "True" } else { "False" }
                && condition["message"] == message;
            says.then(|| group.clone())
        })
        .await
    }
}

/// The group of the telemetry proxy.
pub const fn proxy_group() -> Object<'static> {
    Object { api_version: "odigos.io/v1alpha1", plural: "collectorsgroups", namespace: SYSTEM, name: PROXY }
}
