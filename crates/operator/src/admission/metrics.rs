//! Metrics of the webhook.

use std::time::Duration;

use jiff::Timestamp;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

use super::review::Answer;

/// Labels of a review.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ReviewLabels {
    operation: &'static str,
    kind: &'static str,
    outcome: &'static str,
}

/// Metrics of the webhook.
#[derive(Clone)]
pub struct AdmissionMetrics {
    reviews: Family<ReviewLabels, Counter>,
    duration: Histogram,
    certificate_expiry: Gauge,
}

impl AdmissionMetrics {
    /// Registers the metrics.
    pub fn new(registry: &mut Registry) -> Self {
        let metrics = Self {
            reviews: Family::default(),
            // From 20 us, a little below what a small object takes, to 40 ms.
            duration: Histogram::new(exponential_buckets(0.000_02, 2.0, 12)),
            certificate_expiry: Gauge::default(),
        };
        registry.register("admission_reviews", "Admission reviews by outcome", metrics.reviews.clone());
        registry.register_with_unit(
            "admission_duration",
            "Time from a review's last byte to its answer",
            Unit::Seconds,
            metrics.duration.clone(),
        );
        registry.register_with_unit(
            "webhook_certificate_expiry_timestamp",
            "When the webhook's serving certificate is over",
            Unit::Seconds,
            metrics.certificate_expiry.clone(),
        );
        metrics
    }

    pub(super) fn answered(&self, answer: &Answer, took: Duration) {
        let labels = ReviewLabels {
            operation: answer.operation.as_str(),
            kind: answer.kind.map_or("other", |kind| kind.as_str()),
            outcome: answer.outcome.as_str(),
        };
        self.reviews.get_or_create(&labels).inc();
        self.duration.observe(took.as_secs_f64());
    }

    pub(super) fn serving_until(&self, not_after: Timestamp) {
        self.certificate_expiry.set(not_after.as_second());
    }
}
