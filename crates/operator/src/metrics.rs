//! The operator's own metrics, in the Prometheus format.
//!
//! Labels take their values from enums and resource names only: no object's name becomes a label.

use epiphyte_daemon::Registry;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry;

/// Label of what a watch sees.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ResourceLabel {
    resource: &'static str,
}

/// Label of what a write did.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct WriteLabel {
    /// What was written.
    what: &'static str,
    /// How it went.
    outcome: &'static str,
}

/// Label of what the reading of a Secret came to.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct OutcomeLabel {
    outcome: &'static str,
}

/// The operator's metrics.
#[derive(Clone)]
pub struct Metrics {
    /// All that are registered.
    pub(crate) registry: Registry,
    events: Family<ResourceLabel, Counter>,
    errors: Family<ResourceLabel, Counter>,
    unreadable: Family<ResourceLabel, Counter>,
    writes: Family<WriteLabel, Counter>,
    secret_reads: Family<OutcomeLabel, Counter>,
    /// 1 on the replica that writes.
    pub leader: Gauge,
    /// Workloads whose writes are awaited or tried again.
    pub queue: Gauge,
    /// Settings files that could not be taken over.
    pub settings_errors: Counter,
    /// Addresses of the telemetry proxy that the scheduler asks; none where it does not run.
    pub proxy_addresses: Gauge,
    /// Those of them that take telemetry.
    pub proxy_addresses_ready: Gauge,
}

impl Metrics {
    /// Registers the metrics.
    pub fn new() -> Self {
        let metrics = Self {
            registry: Registry::default(),
            events: Family::default(),
            errors: Family::default(),
            unreadable: Family::default(),
            writes: Family::default(),
            secret_reads: Family::default(),
            leader: Gauge::default(),
            queue: Gauge::default(),
            settings_errors: Counter::default(),
            proxy_addresses: Gauge::default(),
            proxy_addresses_ready: Gauge::default(),
        };
        metrics.with_registry(|registry| {
            registry.register("watch_events", "Events that watches delivered", metrics.events.clone());
            registry.register("watch_errors", "Errors of watches", metrics.errors.clone());
            registry.register("unreadable_objects", "Objects skipped as unreadable", metrics.unreadable.clone());
            registry.register("writes", "Writes to the API server by outcome", metrics.writes.clone());
            let reads = metrics.secret_reads.clone();
            registry.register("secret_reads", "Reads of the Secrets that Lumigoes name, by outcome", reads);
            registry.register("leader", "1 on the replica that writes", metrics.leader.clone());
            registry.register("queue_length", "Workloads whose writes are awaited", metrics.queue.clone());
            registry.register("settings_errors", "Settings files that were refused", metrics.settings_errors.clone());
            let (asked, ready) = (metrics.proxy_addresses.clone(), metrics.proxy_addresses_ready.clone());
            registry.register("proxy_addresses", "Addresses of the telemetry proxy that are asked", asked);
            registry.register("proxy_addresses_ready", "Those of them that take telemetry", ready);
        });
        metrics
    }

    /// Lets another part register its metrics, under the common prefix `epiphyte_`.
    pub fn with_registry<R>(&self, register: impl FnOnce(&mut registry::Registry) -> R) -> R {
        self.registry.register("epiphyte", register)
    }

    pub(crate) fn watch_event(&self, resource: &'static str) {
        self.events.get_or_create(&ResourceLabel { resource }).inc();
    }

    pub(crate) fn watch_error(&self, resource: &'static str) {
        self.errors.get_or_create(&ResourceLabel { resource }).inc();
    }

    pub(crate) fn unreadable(&self, resource: &'static str) {
        self.unreadable.get_or_create(&ResourceLabel { resource }).inc();
    }

    pub(crate) fn secret_read(&self, outcome: &'static str) {
        self.secret_reads.get_or_create(&OutcomeLabel { outcome }).inc();
    }

    pub(crate) fn written(&self, what: &'static str, outcome: &'static str) {
        self.writes.get_or_create(&WriteLabel { what, outcome }).inc();
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}
