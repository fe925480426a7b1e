//! The uninstaller's engine: one more replica of the operator, without a webhook, for which everything is to be off.
//!
//! A living operator does the work, by the mark in the cluster; this one takes over when the lease runs out. What it knows
//! of the cluster says how far the work is, whoever does it.

use epiphyte_api::WorkloadKind;
use epiphyte_daemon::Awaited;
use epiphyte_plan::Replacement;
use kube::Client;

use crate::due::Due;
use crate::engine::{Election, Engine, Setup};
use crate::index::WorkloadKey;
use crate::purpose::Purpose;
use crate::settings::Settings;
use crate::stuck::Hindrance;

/// Where the uninstaller works, and as whom.
#[derive(Clone, Debug)]
pub struct UninstallerOptions {
    /// The system namespace.
    pub namespace: String,
    /// Name in the election; no other replica may have it.
    pub identity: String,
    /// The operator's settings.
    pub settings: Settings,
    /// Whether the system namespace is there. Where it is not, no operator can be at work and no lease can be had.
    pub has_namespace: bool,
}

/// The uninstaller's engine.
pub struct Uninstaller {
    engine: Engine,
    /// Keeps it from writing until it may begin.
    held: Option<Awaited>,
}

/// How far the work is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outlook {
    /// Kinds of workloads of which the first list is still awaited.
    pub awaited: Vec<&'static str>,
    /// Whether the uninstaller itself does the work.
    pub leads: bool,
    /// Workloads that still have something of ours, in order, and what hindered the uninstaller from taking it off.
    pub left: Vec<(WorkloadKey, Option<Hindrance>)>,
}

impl Uninstaller {
    /// Starts to watch, and does not work yet.
    pub fn start(client: &Client, options: UninstallerOptions) -> Self {
        let UninstallerOptions { namespace, identity, settings, has_namespace } = options;
        let election = if has_namespace { Election::Join } else { Election::Alone };
        let purpose = Purpose::Uninstall;
        let setup = Setup { namespace, identity, settings, config: None, purpose, election };
        let engine = Engine::start(client, setup);
        let held = Some(engine.synced.expect("leave to begin"));
        Self { engine, held }
    }

    /// Works from now on, as soon as nobody else does.
    pub fn begin(&mut self) {
        self.held = None;
    }

    /// How far the work is.
    pub fn outlook(&self) -> Outlook {
        let index = self.engine.index.read();
        let is_left = |key: &&WorkloadKey| index.workload(key).is_some_and(|it| Due::of(&index, it).surgery);
        let mut left: Vec<WorkloadKey> = index.workloads().map(|(key, _)| key).filter(is_left).cloned().collect();
        left.sort_unstable();
        let left = left.into_iter().map(|key| {
            let hindrance = self.engine.stuck.of(&key);
            (key, hindrance)
        });
        let awaited = self.engine.synced.awaited().into_iter();
        let awaited = awaited.filter(|plural| WorkloadKind::ALL.iter().any(|kind| kind.plural() == *plural)).collect();
        Outlook { awaited, leads: *self.engine.writes.borrow(), left: left.collect() }
    }

    /// What replaces the pods of a workload; `None` for one that is not there, or is its owner's business.
    pub fn replacement(&self, key: &WorkloadKey) -> Option<Replacement> {
        self.engine.index.read().workload(key).map(|workload| workload.replacement)
    }

    /// UID of a workload, as Events name it.
    pub fn uid(&self, key: &WorkloadKey) -> Option<String> {
        self.engine.index.read().workload(key).map(|workload| workload.uid.to_string())
    }

    /// Finishes what is under way and leaves the election.
    pub async fn stop(self) {
        self.engine.stop(std::future::ready(())).await;
    }
}
