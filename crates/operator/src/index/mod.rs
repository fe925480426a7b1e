//! What the cluster says, as plain data: watches put it in, planning reads it.
//!
//! Synchronous, without a clock and without I/O. `apply` and `delete` say what planning has to look at again.

mod collectors;
mod details;
mod lumigo;
mod namespace;
mod node;
mod rendering;
mod source;
mod uninstalling;
mod workload;

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use epiphyte_api::{WorkloadKind, instrumented_application_name};
use epiphyte_plan::{Facts, NamespaceFact, Node, SourceFact, Verdict, Workload};
use jiff::Timestamp;

pub use collectors::{CollectorsGroupFact, CollectorsIndex};
pub use details::{DetailsFact, status_digest};
pub use epiphyte_daemon::ObjectKey;
pub use lumigo::{LumigoRecord, lumigo_status_digest};
pub use namespace::NamespaceRecord;
pub use node::NodeFact;
pub use source::{SourceRecord, SourceTarget};
use uninstalling::Uninstalling;
pub use uninstalling::UninstallingMark;
pub use workload::Transition;

use crate::settings::Settings;

/// A workload's kind, namespace and name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkloadKey {
    /// Namespace of the workload.
    pub namespace: Box<str>,
    /// Kind of the workload.
    pub kind: WorkloadKind,
    /// Name of the workload.
    pub name: Box<str>,
}

impl WorkloadKey {
    /// The key of a workload.
    pub fn of(workload: &Workload) -> Self {
        Self { namespace: workload.namespace.clone(), kind: workload.kind, name: workload.name.clone() }
    }

    /// Namespace and name of the workload's `InstrumentedApplication`.
    pub fn details(&self) -> ObjectKey {
        ObjectKey {
            namespace: self.namespace.clone(),
            name: instrumented_application_name(self.kind, &self.name).into(),
        }
    }
}

impl fmt::Display for WorkloadKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}/{}", self.kind, self.namespace, self.name)
    }
}

/// What has to be planned again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Nothing.
    Nothing,
    /// One workload.
    Workload(WorkloadKey),
    /// Every workload of a namespace.
    Namespace(Box<str>),
    /// Every workload.
    Everything,
}

/// A fact that the index holds, one for each watched object.
pub trait Fact: Sized {
    /// Puts the fact in.
    fn apply(self, index: &mut Index, now: Timestamp) -> Change;

    /// Takes the fact of an object out.
    fn delete(key: &ObjectKey, index: &mut Index, now: Timestamp) -> Change;

    /// The objects that the index holds a fact of, so that a new list can drop those that are gone.
    fn keys(index: &Index) -> Vec<ObjectKey>;

    /// Notes that the first list is complete.
    fn listed(_index: &mut Index, _now: Timestamp) -> Change {
        Change::Nothing
    }
}

/// What the cluster says.
#[derive(Debug)]
pub struct Index {
    /// Part of the settings; replaced when the file changes.
    settings: epiphyte_plan::Settings,
    /// What the injector delivery writes; part of the settings, replaced with them.
    injector: crate::settings::Injector,
    /// Workloads without a controller, by the workload watches; sorted, so that those of a namespace stand together.
    workloads: BTreeMap<WorkloadKey, Workload>,
    /// Namespaces with their Sources and their Lumigo, by three watches.
    namespaces: HashMap<Box<str>, NamespaceFact>,
    /// UID of each namespace, by its watch.
    namespace_uids: HashMap<Box<str>, Box<str>>,
    /// Every Source, by its watch.
    sources: BTreeMap<ObjectKey, SourceRecord>,
    /// Sources that count for a workload, the oldest first; derived from `sources`.
    workload_sources: HashMap<WorkloadKey, Vec<SourceFact>>,
    /// Every Lumigo, by its watch.
    lumigoes: BTreeMap<ObjectKey, LumigoRecord>,
    /// Every `InstrumentedApplication`, by its watch.
    details: HashMap<ObjectKey, DetailsFact>,
    /// The groups of the system namespace and for how long they have been unready.
    collectors: CollectorsIndex,
    /// Every node, by its watch; sorted by name.
    nodes: Vec<Node>,
    /// What the ConfigMap says that is there while Epiphyte is being uninstalled; by its watch.
    uninstalling: Uninstalling,
    /// Whether the first list of that watch is complete; set by it.
    knows_uninstalling: bool,
    /// Whether this is the uninstaller's own; set at the start.
    uninstalls: bool,
    /// Workloads whose instrumentation others have changed; `None` while nobody asks.
    transitions: Option<Vec<Transition>>,
}

/// For a namespace of which nothing is known.
static NOTHING_KNOWN: NamespaceFact = NamespaceFact { annotation: None, sources: Vec::new(), lumigo: None };

impl Index {
    /// An index of an empty cluster.
    pub fn new(settings: &Settings, system_namespace: &str) -> Self {
        Self {
            settings: settings.for_planning(system_namespace),
            injector: settings.injector.clone(),
            workloads: BTreeMap::new(),
            namespaces: HashMap::new(),
            namespace_uids: HashMap::new(),
            sources: BTreeMap::new(),
            workload_sources: HashMap::new(),
            lumigoes: BTreeMap::new(),
            details: HashMap::new(),
            collectors: CollectorsIndex::new(settings.collectors.unready_grace_period),
            nodes: Vec::new(),
            uninstalling: Uninstalling::default(),
            knows_uninstalling: false,
            uninstalls: false,
            transitions: None,
        }
    }

    /// Takes over changed settings.
    pub fn configure(&mut self, settings: &Settings, now: Timestamp) -> Change {
        let for_planning = settings.for_planning(&self.settings.system_namespace);
        let changed = for_planning != self.settings;
        self.settings = for_planning;
        self.injector = settings.injector.clone();
        match self.collectors.configure(settings.collectors.unready_grace_period, now) {
            Change::Nothing if changed => Change::Everything,
            change => change,
        }
    }

    /// Everything that planning may look at for a workload. `workload` need not be in the index: under admission it is
    /// the object that is being written, and `current` is the one that it replaces.
    pub fn facts<'a>(&'a self, workload: &'a Workload, current: Option<&'a Workload>) -> Facts<'a> {
        let key = WorkloadKey::of(workload);
        Facts {
            workload,
            current,
            uninstalling: self.is_uninstalling(),
            settings: &self.settings,
            namespace: self.namespaces.get(&workload.namespace).unwrap_or(&NOTHING_KNOWN),
            sources: self.workload_sources.get(&key).map_or(&[], Vec::as_slice),
            details: self.details.get(&key.details()).map(|fact| &fact.details),
            collectors: self.collectors.state(),
            nodes: &self.nodes,
        }
    }

    /// The verdict on a workload; see [`Index::facts`].
    pub fn plan(&self, workload: &Workload, current: Option<&Workload>) -> Verdict {
        epiphyte_plan::decide(&self.facts(workload, current))
    }

    /// The workload of that key.
    pub fn workload(&self, key: &WorkloadKey) -> Option<&Workload> {
        self.workloads.get(key)
    }

    /// All workloads, by namespace.
    pub fn workloads(&self) -> impl Iterator<Item = (&WorkloadKey, &Workload)> {
        self.workloads.iter()
    }

    /// The workloads of a namespace.
    pub fn workloads_of(&self, namespace: &str) -> impl Iterator<Item = (&WorkloadKey, &Workload)> {
        let [first, ..] = WorkloadKind::ALL;
        let first = WorkloadKey { namespace: namespace.into(), kind: first, name: "".into() };
        self.workloads.range(first..).take_while(move |(key, _)| *key.namespace == *namespace)
    }

    /// What is known of a namespace.
    pub fn namespace(&self, name: &str) -> &NamespaceFact {
        self.namespaces.get(name).unwrap_or(&NOTHING_KNOWN)
    }

    /// The `InstrumentedApplication` of a workload.
    pub fn details(&self, key: &WorkloadKey) -> Option<&DetailsFact> {
        self.details.get(&key.details())
    }

    /// Readiness of the collectors, and when a loss that does not count yet will.
    pub fn collectors(&self) -> &CollectorsIndex {
        &self.collectors
    }

    /// Lets time pass: a loss of the collectors may have outlasted the grace period.
    pub fn pass_time(&mut self, now: Timestamp) -> Change {
        self.collectors.pass_time(now)
    }
}
