//! What the supervisor counts of itself.

use epiphyte_daemon::Registry;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;

/// Of which Collector.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct Which {
    collector: &'static str,
}

/// A counter for each Collector.
#[derive(Clone, Debug, Default)]
pub(crate) struct PerCollector(Family<Which, Counter>);

impl PerCollector {
    /// That of one.
    pub(crate) fn of(&self, collector: &'static str) -> Counter {
        self.0.get_or_create(&Which { collector }).clone()
    }
}

/// Of which of the manager's files.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct WhichFile {
    file: &'static str,
}

/// What is counted.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    pub(crate) registry: Registry,
    pub(crate) starts: PerCollector,
    pub(crate) exits: PerCollector,
    pub(crate) hangs: PerCollector,
    pub(crate) reloads: PerCollector,
    pub(crate) invalid: PerCollector,
    /// Entries of each file that count.
    served: Family<WhichFile, Gauge>,
    /// Entries of each file that do not.
    refused: Family<WhichFile, Gauge>,
    /// Contents of each file that could not be made out.
    unreadable: Family<WhichFile, Counter>,
    /// How many milliseconds the last list of tokens took to be in force.
    pub(crate) in_force: Gauge,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let registry = Registry::default();
        registry.clone().register("epiphyte_proxy", |register| {
            let metrics = Self {
                registry,
                starts: PerCollector::default(),
                exits: PerCollector::default(),
                hangs: PerCollector::default(),
                reloads: PerCollector::default(),
                invalid: PerCollector::default(),
                served: Family::default(),
                refused: Family::default(),
                unreadable: Family::default(),
                in_force: Gauge::default(),
            };
            register.register("collector_starts", "Starts of a Collector.", metrics.starts.0.clone());
            register.register("collector_exits", "Ends of a Collector that nobody asked for.", metrics.exits.0.clone());
            register.register(
                "collector_hangs",
                "Collectors that were killed because they gave no answer for too long.",
                metrics.hangs.0.clone(),
            );
            register.register(
                "reloads",
                "Configurations that a Collector was told to take over.",
                metrics.reloads.0.clone(),
            );
            register.register(
                "invalid_configurations",
                "Configurations that the Collector refused.",
                metrics.invalid.0.clone(),
            );
            register.register("entries", "Entries of the manager's files that count.", metrics.served.clone());
            register.register(
                "refused_entries",
                "Entries of the manager's files that do not count.",
                metrics.refused.clone(),
            );
            register.register(
                "unreadable_files",
                "Contents of the manager's files that could not be made out.",
                metrics.unreadable.clone(),
            );
            register.register(
                "tokens_in_force_milliseconds",
                "How long the last list of tokens took to be in force.",
                metrics.in_force.clone(),
            );
            metrics
        })
    }

    /// What a file said.
    pub(crate) fn read(&self, file: &'static str, served: usize, refused: usize) {
        let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        self.served.get_or_create(&WhichFile { file }).set(number(served));
        self.refused.get_or_create(&WhichFile { file }).set(number(refused));
    }

    /// That a file could not be made out.
    pub(crate) fn unreadable(&self, file: &'static str) {
        self.unreadable.get_or_create(&WhichFile { file }).inc();
    }
}
