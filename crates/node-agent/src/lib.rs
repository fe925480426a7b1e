//! The node agent: finds out what runs in this node's containers, gives agents to those that ask for a device, tells each who
//! it is, and instruments Go processes from outside.
//!
//! Rooms, none of which knows how another works: `pods` and `watch` keep what the API server tells of this node; `detection`
//! answers what the operator asks; `store` keeps agent files on the host; `devices` serves them to the kubelet; `identity`
//! leaves word of who a container is; `go` runs the eBPF instrumentation; `departure` leaves the host for good. This file is the only place where they are wired.

mod departure;
mod detection;
mod devices;
mod endpoints;
mod go;
mod identity;
pub mod kubelet;
mod metrics;
mod pods;
mod scans;
mod store;
mod watch;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use epiphyte_api::Device;
use epiphyte_daemon::{Ready, admin};
use kube::runtime::watcher;
use kube::{Api, Client};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

pub use endpoints::Endpoints;
pub use store::StoreError;

use departure::Departure;
use detection::{Detection, Question};
use devices::Devices;
use identity::{Identities, Sources};
use kubelet::PodResources;
use metrics::Metrics;
use pods::Pods;
use scans::Scans;
use store::{Keeper, Store, Supply};
use watch::{Shared, keep};

/// How long what is under way may take after the agent was told to stop.
const STOP_DEADLINE: Duration = Duration::from_secs(8);

/// How the agent is run.
#[derive(Clone, Debug)]
pub struct Options {
    /// Name of the node.
    pub node: String,
    /// The system namespace, in which it is told that Epiphyte is being uninstalled.
    pub system_namespace: String,
    /// The host's proc folder.
    pub proc_folder: PathBuf,
    /// The kubelet's folder, with `device-plugins` and `pod-resources` in it.
    pub kubelet_folder: PathBuf,
    /// Where the agent files come from: `injector`, `java`, `node` and `python` in it are copied to the host.
    pub agents: PathBuf,
    /// Where they are copied to; the same path here and on the host.
    pub host_folder: PathBuf,
    /// Devices of each kind that are offered: how many containers of a language can be instrumented at once.
    pub devices_per_kind: u32,
    /// Where containers send their telemetry.
    pub endpoints: Endpoints,
    /// OpenTelemetry's program that instruments Go processes.
    pub go_agent: PathBuf,
    /// Where health and metrics are served.
    pub admin_listen: SocketAddr,
}

/// The agent cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum NodeAgentError {
    /// The address for health and metrics cannot be had.
    #[error("cannot listen on {address} for health and metrics")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why not.
        source: std::io::Error,
    },
    /// A part that must not end has ended.
    #[error("a part of the agent ended unexpectedly")]
    Ended,
}

/// Runs the agent until told to stop. Containers that run by then are not touched by its end.
///
/// # Errors
/// It cannot listen, or a part of it ended. An API server or a kubelet that is away, a full disk or a missing right is no
/// error: it is told and waited for.
pub async fn run(client: Client, options: Options, shutdown: CancellationToken) -> Result<(), NodeAgentError> {
    let (metrics, ready) = (Metrics::new(), Ready::default());
    let address = options.admin_listen;
    let listener = TcpListener::bind(address).await.map_err(|source| NodeAgentError::Listen { address, source })?;
    let (mut health, mut rooms, stop) = (JoinSet::new(), JoinSet::new(), CancellationToken::new());
    health.spawn(admin::serve(listener, metrics.registry.clone(), ready.clone(), std::future::pending()));

    let (pods, questions) = (Pods::default(), Shared::<Question>::default());
    let own = watcher::Config::default().fields(&format!("spec.nodeName={}", options.node));
    rooms.spawn(keep(Api::all(client.clone()), own, pods.clone(), ready.expect("pods"), metrics.clone()));
    let pending = watcher::Config::default().labels(&Question::selector());
    let awaited = ready.expect("instrumentedapplications");
    rooms.spawn(keep(Api::all(client.clone()), pending, questions.clone(), awaited, metrics.clone()));

    let scans = Scans::new(&options.proc_folder, metrics.clone());
    let detection = Detection {
        client: client.clone(),
        pods: pods.clone(),
        questions,
        scans: scans.clone(),
        metrics: metrics.clone(),
    };
    rooms.spawn(detection.run());

    let store = Store::new(&options.host_folder);
    let pod_resources = PodResources::new(&options.kubelet_folder);
    let departure = Departure {
        client: client.clone(),
        namespace: options.system_namespace,
        node: options.node.clone(),
        proc_folder: options.proc_folder.clone(),
        host_folder: options.host_folder.clone(),
        store: store.clone(),
        pod_resources: pod_resources.clone(),
        metrics: metrics.clone(),
    };
    let (supply, supplied) = tokio::sync::watch::channel(Supply::nothing());
    let keeper = Keeper {
        store: store.clone(),
        source: options.agents,
        go_agent: options.go_agent.clone(),
        pod_resources: pod_resources.clone(),
        supply,
        metrics: metrics.clone(),
    };
    rooms.spawn(keeper.run(ready.expect("agent files")));

    let sources = Sources::new(client);
    let identities =
        Identities::new(&options.node, pods.clone(), sources, store.clone(), pod_resources, metrics.clone());
    rooms.spawn(identities.clone().run());

    let endpoints = Arc::new(options.endpoints);
    let shared = devices::Shared {
        supply: supplied,
        store,
        identities: identities.clone(),
        endpoints: Arc::clone(&endpoints),
        count: options.devices_per_kind,
        metrics: metrics.clone(),
    };
    let folder = devices::plugins_folder(&options.kubelet_folder);
    let mut plugins = Devices { folder, start: start_name(), shared }.start(|device| ready.expect(device.resource()));

    let tools = go::Tools {
        scans,
        identities,
        program: Arc::new(options.go_agent),
        proc_folder: Arc::new(options.proc_folder),
        endpoints,
        metrics,
    };
    let mut go = tokio::spawn(go::run(tools, pods, stop.clone()));

    info!(node = options.node, devices = Device::ALL.len(), "the node agent runs");
    let ended = tokio::select! {
        biased;
        () = shutdown.cancelled() => Ok(Ended::Told),
        () = departure.due() => Ok(Ended::Leaves),
        _ = rooms.join_next() => Err(NodeAgentError::Ended),
        _ = plugins.join_next() => Err(NodeAgentError::Ended),
        _ = &mut go => Err(NodeAgentError::Ended),
    };
    info!("stopping");
    stop.cancel();
    if !go.is_finished() && tokio::time::timeout(STOP_DEADLINE, go).await.is_err() {
        warn!("gave up on Go instrumentation that did not end");
    }
    plugins.shutdown().await;
    rooms.shutdown().await;
    if ended? == Ended::Leaves {
        shutdown.run_until_cancelled(departure.leave()).await;
    }
    Ok(())
}

/// Why the agent stops working.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ended {
    /// It was told to stop.
    Told,
    /// It leaves the host, since Epiphyte is being uninstalled.
    Leaves,
}

/// Removes from the host what agents have left there, when Epiphyte is uninstalled and no container uses it.
///
/// # Errors
/// Something cannot be removed.
pub fn clean(host_folder: &Path) -> Result<(), StoreError> {
    Store::new(host_folder).clean()
}

/// A name that no other start of an agent on this node has.
fn start_name() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("{:x}-{:x}", now.as_millis(), std::process::id())
}
