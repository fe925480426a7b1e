//! Whether the telemetry proxy takes telemetry: asks each of its addresses, and keeps the `CollectorsGroup` that says so.
//! Active on the leader only.
//!
//! `addresses` knows whom to ask, `ask` asks one, `looks` (pure) says what follows from the answers, and `group` keeps the
//! object. What an answer says is the proxy's own business: an upstream that is down has no part in it.

mod addresses;
mod ask;
mod group;
mod looks;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use epiphyte_api::names::TELEMETRY_PROXY;
use futures::{StreamExt as _, stream};
use kube::Client;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};

use self::addresses::Addresses;
use self::ask::Miss;
use self::group::Keeper;
use self::looks::Looks;
use crate::SharedIndex;
use crate::dirty::Dirty;
use crate::metrics::Metrics;
use crate::settings::Settings;

/// How often each address is asked.
const INTERVAL: Duration = Duration::from_secs(2);

/// Addresses that are asked at the same time.
const AT_ONCE: usize = 32;

/// Says whether the telemetry proxy takes telemetry.
pub(crate) struct Scheduler {
    pub(crate) client: Client,
    /// The system namespace.
    pub(crate) namespace: String,
    pub(crate) index: SharedIndex,
    pub(crate) dirty: Dirty,
    pub(crate) settings: watch::Receiver<Settings>,
    pub(crate) leader: watch::Receiver<bool>,
    pub(crate) metrics: Metrics,
}

impl Scheduler {
    /// Looks at the addresses again and again, for as long as this replica leads and the settings want it.
    pub(crate) async fn run(self) {
        let mut ticks = interval(INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut work = None;
        loop {
            ticks.tick().await;
            if self.is_wanted() {
                work.get_or_insert_with(|| Work::start(&self)).round(&self).await;
            } else if work.take().is_some() {
                self.count(0, 0);
            }
        }
    }

    /// Whether there is anything to do. While Epiphyte is being uninstalled the object is the uninstaller's.
    fn is_wanted(&self) -> bool {
        *self.leader.borrow() && self.settings.borrow().scheduler.enabled && !self.index.read().is_uninstalling()
    }

    fn count(&self, addresses: usize, ready: usize) {
        let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        self.metrics.proxy_addresses.set(number(addresses));
        self.metrics.proxy_addresses_ready.set(number(ready));
    }
}

/// What is known while the work lasts. It begins with nothing, so that what the status says stays until there are answers.
struct Work {
    addresses: Addresses,
    looks: Looks,
    keeper: Keeper,
}

impl Work {
    fn start(scheduler: &Scheduler) -> Self {
        let Scheduler { client, namespace, metrics, .. } = scheduler;
        Self {
            addresses: Addresses::watch(client, namespace, metrics),
            looks: Looks::default(),
            keeper: Keeper::new(client, namespace),
        }
    }

    async fn round(&mut self, scheduler: &Scheduler) {
        let Some(addresses) = self.addresses.known() else { return };
        let asked = stream::iter(addresses).map(async |address| (address, ask::ask(address).await));
        let answers: BTreeMap<SocketAddr, Result<(), Miss>> = asked.buffer_unordered(AT_ONCE).collect().await;
        self.looks.take(answers);
        scheduler.count(self.looks.addresses(), self.looks.ready());
        let is_ready = scheduler.index.read().collectors().group(TELEMETRY_PROXY).is_some_and(|group| group.ready);
        if let Some(judgement) = self.looks.judge(is_ready) {
            self.keeper.keep(scheduler, &judgement).await;
        }
    }
}
