//! Keeps agent files in place, tells which devices can be given away, and collects what is not used any more.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use epiphyte_api::Device;
use epiphyte_daemon::{Awaited, Backoff, chain};
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::{info, warn};

use super::{Store, StoreError, needed};
use crate::kubelet::PodResources;
use crate::metrics::Metrics;

/// How often it is looked whether the files are still there.
const LOOK: Duration = Duration::from_secs(2);

/// How often what is not used any more is collected.
const COLLECT: Duration = Duration::from_mins(1);

/// What can be given to containers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Supply {
    /// The folder of agents, once it is in place.
    pub(crate) agents: Option<Arc<Path>>,
    /// The devices that cannot be given away, and why. Those of which nothing is known yet are among them.
    pub(crate) lacks: BTreeMap<Device, String>,
}

impl Supply {
    /// Before anything is in place.
    pub(crate) fn nothing() -> Self {
        Self::lacking("the agent files are not in place yet")
    }

    fn lacking(why: &str) -> Self {
        Self { agents: None, lacks: Device::ALL.into_iter().map(|device| (device, why.to_owned())).collect() }
    }

    /// Whether a device can be given away.
    pub(crate) fn has(&self, device: Device) -> bool {
        !self.lacks.contains_key(&device)
    }
}

/// Keeps agent files in place.
pub(crate) struct Keeper {
    pub(crate) store: Store,
    /// Where the agent files are copied from.
    pub(crate) source: PathBuf,
    /// The program that instruments Go processes.
    pub(crate) go_agent: PathBuf,
    pub(crate) pod_resources: PodResources,
    pub(crate) supply: watch::Sender<Supply>,
    pub(crate) metrics: Metrics,
}

impl Keeper {
    /// Keeps them for as long as it is polled.
    pub(crate) async fn run(self, awaited: Awaited) {
        let (mut awaited, mut backoff) = (Some(awaited), Backoff::new(1_000, 30_000));
        let mut collect = Instant::now();
        loop {
            let agents = match self.put_in_place().await {
                Ok(agents) => agents,
                Err(error) => {
                    self.metrics.stored(error.category());
                    warn!(error = %chain(&error), "cannot put the agent files in place; trying again");
                    let mut lacking = Supply::lacking(&error.to_string());
                    self.look_at_go(&mut lacking);
                    self.tell(lacking);
                    tokio::time::sleep(backoff.wait()).await;
                    continue;
                }
            };
            self.metrics.stored("in_place");
            info!(folder = %agents.display(), "the agent files are in place");
            backoff.reset();
            while let Some(supply) = self.look(&agents) {
                self.tell(supply);
                drop(awaited.take());
                if collect <= Instant::now() {
                    collect = Instant::now() + COLLECT;
                    self.collect(&agents).await;
                }
                tokio::time::sleep(LOOK).await;
            }
            warn!(folder = %agents.display(), "somebody removed agent files; putting them in place again");
        }
    }

    async fn put_in_place(&self) -> Result<Arc<Path>, StoreError> {
        let (store, source) = (self.store.clone(), self.source.clone());
        let put = tokio::task::spawn_blocking(move || store.put_in_place(&source)).await;
        let put = put.unwrap_or_else(|error| Err(StoreError::new("gave up on", &self.source)(error.into())));
        put.map(Arc::from)
    }

    /// What can be given away; `None` where something is missing that the source has.
    fn look(&self, agents: &Arc<Path>) -> Option<Supply> {
        let mut supply = Supply { agents: Some(Arc::clone(agents)), lacks: BTreeMap::new() };
        for device in Device::ALL {
            for path in needed(device).filter(|path| !agents.join(path).is_file()) {
                if self.source.join(path).is_file() {
                    return None;
                }
                supply.lacks.insert(device, format!("the agents do not have {path}"));
            }
        }
        self.look_at_go(&mut supply);
        Some(supply)
    }

    fn look_at_go(&self, supply: &mut Supply) {
        if self.go_agent.is_file() {
            supply.lacks.remove(&Device::Go);
        } else {
            supply.lacks.insert(Device::Go, format!("there is no {}", self.go_agent.display()));
        }
    }

    fn tell(&self, supply: Supply) {
        let told = self.supply.send_if_modified(|known| {
            let changed = *known != supply;
            if changed {
                known.clone_from(&supply);
            }
            changed
        });
        if told {
            for device in Device::ALL {
                self.metrics.device_healthy(device, supply.has(device));
            }
            for (device, why) in &supply.lacks {
                warn!(device = device.resource(), why, "the device cannot be given away");
            }
        }
    }

    async fn collect(&self, agents: &Arc<Path>) {
        // Without the kubelet's word nothing is known to be unused.
        let Ok(used) = self.pod_resources.used().await else { return };
        let ids: HashSet<String> = used.into_iter().map(|used| used.id).collect();
        let (store, agents) = (self.store.clone(), Arc::clone(agents));
        let collected = tokio::task::spawn_blocking(move || store.collect(&ids, &agents, SystemTime::now())).await;
        if let Ok(Err(error)) = collected {
            warn!(error = %chain(&error), "cannot remove what is not used any more; trying again");
        }
    }
}
