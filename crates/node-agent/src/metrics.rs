//! The agent's own metrics, in the Prometheus format.
//!
//! Labels take their values from enums and lists in the code only: no object's name becomes a label.

use epiphyte_api::Device;
use epiphyte_daemon::Registry;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;

/// Upper bounds of the time that a scan takes, in seconds.
const SCAN_SECONDS: [f64; 6] = [0.002, 0.005, 0.01, 0.05, 0.2, 1.0];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResourceLabel {
    resource: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabel {
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DeviceLabel {
    device: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DeviceOutcomeLabel {
    device: &'static str,
    outcome: &'static str,
}

/// The agent's metrics.
#[derive(Clone)]
pub(crate) struct Metrics {
    /// All that are registered.
    pub(crate) registry: Registry,
    watch_errors: Family<ResourceLabel, Counter>,
    answers: Family<OutcomeLabel, Counter>,
    registrations: Family<DeviceOutcomeLabel, Counter>,
    healthy: Family<DeviceLabel, Gauge>,
    allocations: Family<DeviceOutcomeLabel, Counter>,
    identities: Family<OutcomeLabel, Counter>,
    go_sessions: Family<OutcomeLabel, Counter>,
    store: Family<OutcomeLabel, Counter>,
    /// How long scans took, in seconds.
    pub(crate) scan_seconds: Histogram,
    /// Go processes that are being watched.
    pub(crate) go_running: Gauge,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let metrics = Self {
            registry: Registry::default(),
            watch_errors: Family::default(),
            answers: Family::default(),
            registrations: Family::default(),
            healthy: Family::default(),
            allocations: Family::default(),
            identities: Family::default(),
            go_sessions: Family::default(),
            store: Family::default(),
            scan_seconds: Histogram::new(SCAN_SECONDS),
            go_running: Gauge::default(),
        };
        let it = metrics.clone();
        metrics.registry.register("epiphyte_node", |node| {
            node.register("watch_errors", "Errors of watches", it.watch_errors);
            node.register("answers", "Answers to questions of the operator by outcome", it.answers);
            node.register("scan_seconds", "How long scans took", it.scan_seconds);
            node.register("registrations", "Registrations with the kubelet by outcome", it.registrations);
            node.register("device_healthy", "1 where the kubelet is told that devices are healthy", it.healthy);
            node.register("allocations", "Containers given a device by outcome", it.allocations);
            node.register("identities", "Identity files by outcome", it.identities);
            node.register("agent_files", "Attempts to put agent files in place by outcome", it.store);
            node.register("go_sessions", "Ends and limits of Go instrumentation by reason", it.go_sessions);
            node.register("go_running", "Go processes that are instrumented", it.go_running);
        });
        metrics
    }

    pub(crate) fn watch_error(&self, resource: &'static str) {
        self.watch_errors.get_or_create(&ResourceLabel { resource }).inc();
    }

    pub(crate) fn answered(&self, outcome: &'static str) {
        self.answers.get_or_create(&OutcomeLabel { outcome }).inc();
    }

    pub(crate) fn registered(&self, device: Device, outcome: &'static str) {
        self.registrations.get_or_create(&DeviceOutcomeLabel { device: device.resource(), outcome }).inc();
    }

    pub(crate) fn device_healthy(&self, device: Device, healthy: bool) {
        self.healthy.get_or_create(&DeviceLabel { device: device.resource() }).set(i64::from(healthy));
    }

    pub(crate) fn allocated(&self, device: Device, outcome: &'static str) {
        self.allocations.get_or_create(&DeviceOutcomeLabel { device: device.resource(), outcome }).inc();
    }

    pub(crate) fn identified(&self, outcome: &'static str) {
        self.identities.get_or_create(&OutcomeLabel { outcome }).inc();
    }

    pub(crate) fn stored(&self, outcome: &'static str) {
        self.store.get_or_create(&OutcomeLabel { outcome }).inc();
    }

    pub(crate) fn go_session(&self, outcome: &'static str) {
        self.go_sessions.get_or_create(&OutcomeLabel { outcome }).inc();
    }
}
