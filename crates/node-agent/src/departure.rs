//! Leaves the host when Epiphyte is uninstalled: once no container has a device any more, everything goes, and the mark
//! that says that Epiphyte is being uninstalled is told so.
//!
//! The mark is watched only until it is there, and asked for now and then after that: all agents write into it, and each
//! of them would hear of every other.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use epiphyte_api::names::{HOST_IS_CLEAN, PHASE_ANNOTATION, UNINSTALLED, UNINSTALLING_CONFIG_MAP};
use epiphyte_daemon::{Backoff, Named, ObjectKey, Ready, Served, Watched, chain};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Patch, PatchParams};
use kube::runtime::watcher;
use kube::{Api, Client};
use serde::Deserialize;
use tokio::time::{Instant, sleep};
use tracing::{debug, info, warn};

use crate::kubelet::PodResources;
use crate::metrics::Metrics;
use crate::store::{Store, StoreError};
use crate::watch::{Shared, keep};

/// How often the kubelet is asked whether a container still has a device.
const LOOK: Duration = Duration::from_secs(2);

/// How often it is asked whether the mark is still there.
const ASK: Duration = Duration::from_secs(10);

/// Leaves the host.
pub(crate) struct Departure {
    pub(crate) client: Client,
    /// The system namespace, which the mark is in.
    pub(crate) namespace: String,
    pub(crate) node: String,
    /// The host's proc folder.
    pub(crate) proc_folder: PathBuf,
    pub(crate) host_folder: PathBuf,
    pub(crate) store: Store,
    pub(crate) pod_resources: PodResources,
    pub(crate) metrics: Metrics,
}

/// How uninstalling stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mark {
    /// It goes on.
    Underway,
    /// Everything is off, and this agent is about to be removed.
    Uninstalled,
    /// There is no mark: it was called off, or is done.
    Gone,
}

impl Departure {
    /// Waits until Epiphyte is being uninstalled and no container of this node has a device.
    pub(crate) async fn due(&self) {
        loop {
            self.marked().await;
            info!("Epiphyte is being uninstalled; this host is left once no container has a device");
            let mut asked = Instant::now();
            loop {
                if self.is_unused().await {
                    return;
                }
                sleep(LOOK).await;
                if asked.elapsed() >= ASK {
                    asked = Instant::now();
                    if self.mark().await == Some(Mark::Gone) {
                        info!("uninstalling was called off");
                        break;
                    }
                }
            }
        }
    }

    /// Leaves the host; everything that uses it has ended. Ends when uninstalling was called off.
    pub(crate) async fn leave(&self) {
        let mut backoff = Backoff::new(500, 15_000);
        let (mut said, mut told) = (String::new(), String::new());
        let mut last = Mark::Underway;
        loop {
            if said != HOST_IS_CLEAN {
                let before = std::mem::replace(&mut said, self.clean().await);
                match said.as_str() {
                    HOST_IS_CLEAN => info!("nothing is left on this host"),
                    error if error != before => warn!(error, "cannot remove everything from this host; trying again"),
                    _ => {}
                }
            }
            if said != told && self.tell(&said).await {
                told.clone_from(&said);
            }
            sleep(if told == HOST_IS_CLEAN { ASK } else { backoff.wait() }).await;
            match self.mark().await {
                Some(Mark::Gone) if last == Mark::Uninstalled => return std::future::pending().await,
                Some(Mark::Gone) => {
                    // Where it is done instead, we are about to be told to stop.
                    sleep(ASK).await;
                    return info!("uninstalling was called off; starting anew");
                }
                Some(mark) => last = mark,
                None => {}
            }
        }
    }

    /// Waits until the mark is there.
    async fn marked(&self) {
        let marks = Shared::<Seen>::default();
        let mut changes = marks.changes();
        let one = watcher::Config::default().fields(&format!("metadata.name={UNINSTALLING_CONFIG_MAP}"));
        let api = Api::namespaced(self.client.clone(), &self.namespace);
        // Nobody waits for this list: an installation that is being removed may lack the right to it.
        let watch = keep(api, one, marks.clone(), Ready::default().expect("configmaps"), self.metrics.clone());
        let seen = async { while marks.all().is_empty() && changes.changed().await.is_ok() {} };
        tokio::select! {
            () = watch => {}
            () = seen => {}
        }
    }

    /// How the mark stands; `None` where the API server does not say.
    async fn mark(&self) -> Option<Mark> {
        let found = self.api().get_opt(UNINSTALLING_CONFIG_MAP).await;
        let found = found.inspect_err(|error| debug!(error = %chain(error), "cannot ask for the mark")).ok()?;
        Some(found.map_or(Mark::Gone, |mark| {
            let phase = mark.metadata.annotations.as_ref().and_then(|annotations| annotations.get(PHASE_ANNOTATION));
            if phase.is_some_and(|phase| phase == UNINSTALLED) { Mark::Uninstalled } else { Mark::Underway }
        }))
    }

    /// Whether no container has a device. Without the kubelet's word none is known to be without.
    async fn is_unused(&self) -> bool {
        match self.pod_resources.used().await {
            Ok(used) => used.is_empty(),
            Err(error) => {
                debug!(error = %chain(&error), "cannot ask the kubelet whose devices are in use");
                false
            }
        }
    }

    /// Removes everything, and says how that went.
    async fn clean(&self) -> String {
        let (store, mount) = (self.store.clone(), self.host_folder.clone());
        // The folder itself is a mount here and cannot be removed as such; from the host's own point of view it can.
        let outside = self.proc_folder.join("1/root").join(mount.strip_prefix("/").unwrap_or(&mount));
        let cleaned = tokio::task::spawn_blocking(move || {
            store.clean()?;
            // An empty folder may stay.
            let _ = fs::remove_dir(outside);
            Ok::<(), StoreError>(())
        });
        match cleaned.await {
            Ok(Ok(())) => HOST_IS_CLEAN.to_owned(),
            Ok(Err(error)) => chain(&error),
            Err(error) => chain(&error),
        }
    }

    /// Writes into the mark how it stands with this host; false where that has to be tried again.
    async fn tell(&self, said: &str) -> bool {
        let patch = serde_json::json!({ "data": { &self.node: said } });
        let told = self.api().patch(UNINSTALLING_CONFIG_MAP, &PatchParams::default(), &Patch::Merge(patch)).await;
        match told {
            Ok(_) => true,
            Err(kube::Error::Api(status)) if status.code == 404 => true,
            Err(error) => {
                warn!(error = %chain(&error), "cannot tell that this host is left; trying again");
                false
            }
        }
    }

    fn api(&self) -> Api<ConfigMap> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }
}

/// The mark, of which only matters that it is there.
#[derive(Clone, Debug)]
struct Seen;

#[derive(Deserialize)]
struct Manifest {
    metadata: Metadata,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    namespace: Box<str>,
    name: Box<str>,
    #[serde(default)]
    resource_version: Box<str>,
}

impl Named for Manifest {
    fn key(&self) -> ObjectKey {
        ObjectKey { namespace: self.metadata.namespace.clone(), name: self.metadata.name.clone() }
    }

    fn resource_version(&self) -> &str {
        &self.metadata.resource_version
    }
}

impl Watched for Seen {
    const SERVED: Served = Served { group: "", version: "v1", kind: "ConfigMap", plural: "configmaps" };
    const GUARDED: bool = false;
    type Manifest = Manifest;

    fn read(_: Manifest) -> Self {
        Self
    }
}
