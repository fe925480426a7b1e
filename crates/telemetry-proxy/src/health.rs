//! Whether *traffic* takes what applications send: its receivers answer, and its queue accepts. What lies upstream has no say:
//! a queue that is full because of an outage there is not sick, and an outage there un-instruments nothing.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use epiphyte_daemon::{Awaited, Ready};
use hyper::{Request, StatusCode};
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tracing::{info, warn};

use crate::exposition::values;
use crate::http;
use crate::metrics::Metrics;
use crate::render::{MESSAGE_MIB, SCHEME};
use crate::settings::Settings;

/// How often is asked.
const INTERVAL: Duration = Duration::from_millis(500);

/// How long a list of tokens may take to be in force.
const IN_FORCE: Duration = Duration::from_secs(5);

/// What readiness waits for.
const RECEIVERS: &str = "the Collector's receivers";
const QUEUE: &str = "the Collector's queue";

/// How long the Collector has to take over a list before it is asked about it: two of its own looks.
const SETTLE: Duration = Duration::from_secs(1);

/// A token of our own in the list of those that are admitted: a new one with each list, so that an answer to it tells that this
/// list is in force. Requests under it carry nothing, so that nothing goes upstream.
#[derive(Clone, Debug)]
pub(crate) struct Canary {
    /// The token.
    pub(crate) token: Arc<str>,
    /// That of the list before, which is in this one too: the one to ask by until the Collector has had time. Else our own
    /// questions would be among the refusals that are counted.
    pub(crate) previous: Arc<str>,
    /// When its list was written.
    pub(crate) since: Instant,
}

impl Canary {
    /// The token to ask by.
    fn to_ask_by(&self) -> &Arc<str> {
        if self.since.elapsed() < SETTLE { &self.previous } else { &self.token }
    }
}

/// Asks again and again.
pub(crate) struct Health {
    pub(crate) settings: Settings,
    pub(crate) canary: watch::Receiver<Option<Canary>>,
    pub(crate) ready: Ready,
    pub(crate) metrics: Metrics,
}

impl Health {
    /// Goes on for as long as it is polled.
    pub(crate) async fn run(self) {
        let mut receivers = Some(self.ready.expect(RECEIVERS));
        let mut queue = None;
        let mut queues = Queues::default();
        let mut in_force = InForce::default();
        let mut ticks = interval(INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let Some(canary) = self.canary.borrow().clone() else { continue };
            let asked = Arc::clone(canary.to_ask_by());
            let answered = self.receivers(&asked).await;
            if Arc::ptr_eq(&asked, &canary.token) {
                in_force.seen(&canary, answered, &self.metrics);
            }
            let bound = answered.is_some() && self.others_are_bound().await;
            self.hold(&mut receivers, bound, RECEIVERS);
            if let Some(text) = http::metrics(self.settings.listen.traffic_metrics).await {
                let accepts = queues.accept(&text);
                self.hold(&mut queue, accepts, QUEUE);
            }
        }
    }

    /// Holds readiness back while something is not well.
    fn hold(&self, held: &mut Option<Awaited>, is_well: bool, what: &'static str) {
        match (is_well, held.is_some()) {
            (true, true) => {
                *held = None;
                info!(what, "all is well with it");
            }
            (false, false) => {
                *held = Some(self.ready.expect(what));
                warn!(what, "it does not accept what is sent");
            }
            _ => {}
        }
    }

    /// Whether a canary's token was taken; `None` without an answer.
    async fn receivers(&self, token: &str) -> Option<bool> {
        let request = Request::post("/v1/traces")
            .header("content-type", "application/x-protobuf")
            .header("authorization", format!("{SCHEME} {token}"));
        match http::ask(reachable(self.settings.listen.http), request).await?.0 {
            StatusCode::OK => Some(true),
            StatusCode::UNAUTHORIZED => Some(false),
            _ => None,
        }
    }

    async fn others_are_bound(&self) -> bool {
        let tokenless = self.settings.tokenless.iter().flat_map(|it| [it.grpc, it.http]);
        for address in std::iter::once(self.settings.listen.grpc).chain(tokenless) {
            if !http::is_bound(reachable(address)).await {
                return false;
            }
        }
        true
    }
}

/// Where to ask somebody who listens at an address.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address {
        SocketAddr::V4(it) if it.ip().is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        SocketAddr::V6(it) if it.ip().is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        other => other.ip(),
    };
    SocketAddr::new(ip, address.port())
}

/// Whether the list of tokens is in force.
#[derive(Default)]
struct InForce {
    /// The canary of the list that is, or of which it was told that it is not.
    settled: Option<Arc<str>>,
}

impl InForce {
    fn seen(&mut self, canary: &Canary, answered: Option<bool>, metrics: &Metrics) {
        if self.settled.as_ref().is_some_and(|settled| Arc::ptr_eq(settled, &canary.token)) {
            return;
        }
        let took = canary.since.elapsed();
        match answered {
            Some(true) => {
                metrics.in_force.set(i64::try_from(took.as_millis()).unwrap_or(i64::MAX));
                info!(milliseconds = took.as_millis(), "the list of tokens is in force");
            }
            Some(false) if took > IN_FORCE => warn!("the Collector does not take over the list of tokens"),
            _ => return,
        }
        self.settled = Some(Arc::clone(&canary.token));
    }
}

/// What the queues were like when they were looked at last.
#[derive(Default)]
struct Queues {
    /// What could not be put into each, so far.
    failed: BTreeMap<String, f64>,
}

impl Queues {
    /// Whether the queues take what comes, by the Collector's metrics: none has refused anything since the last look, except for
    /// one that has no room for a message of the largest kind.
    fn accept(&mut self, text: &str) -> bool {
        let by_labels = |name| values(text, name).collect::<BTreeMap<_, _>>();
        let (sizes, capacities) =
            (by_labels("otelcol_exporter_queue_size"), by_labels("otelcol_exporter_queue_capacity"));
        let is_full = sizes.iter().any(|(labels, size)| {
            capacities.get(labels).is_some_and(|most| most - size < f64::from(MESSAGE_MIB << 20))
        });
        let mut accepts = true;
        for signal in ["spans", "log_records", "metric_points"] {
            let name = format!("otelcol_exporter_enqueue_failed_{signal}_total");
            for (labels, failed) in values(text, &name) {
                let before = self.failed.insert(format!("{signal}{labels}"), failed);
                accepts &= is_full || before.is_none_or(|before| failed <= before);
            }
        }
        accepts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metrics(size: u32, failed: u32) -> String {
        format!(
            "otelcol_exporter_queue_size{{e=\"a\"}} {size}000000\notelcol_exporter_queue_capacity{{e=\"a\"}} 100000000\n\
             otelcol_exporter_enqueue_failed_spans_total{{e=\"a\"}} {failed}\n"
        )
    }

    #[test]
    fn a_queue_that_cannot_be_written_does_not_accept_until_it_can() {
        let mut queues = Queues::default();
        assert!(queues.accept(&metrics(5, 7)), "what failed before the first look is not new");
        assert!(!queues.accept(&metrics(5, 8)));
        assert!(queues.accept(&metrics(5, 8)));
    }

    #[test]
    fn a_queue_that_is_full_is_the_upstreams_affair() {
        let mut queues = Queues::default();
        assert!(queues.accept(&metrics(99, 0)));
        assert!(queues.accept(&metrics(99, 5)));
    }

    #[test]
    fn an_address_for_all_is_asked_on_loopback() {
        assert_eq!(reachable(SocketAddr::from(([0, 0, 0, 0], 4318))), SocketAddr::from(([127, 0, 0, 1], 4318)));
        assert_eq!(reachable(SocketAddr::from(([10, 0, 0, 1], 1))), SocketAddr::from(([10, 0, 0, 1], 1)));
    }
}
