//! The end: *traffic* takes nothing more, and has time to send what it has.

use std::time::Duration;

use epiphyte_daemon::file;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tracing::{info, warn};

use crate::collector::{Collector, Wish};
use crate::exposition::values;
use crate::http;
use crate::render::{Ground, Phase, traffic};

/// How long sending may take; what is left then waits on disk. Within the 30 s that Kubernetes gives a pod to end.
const LIMIT: Duration = Duration::from_secs(15);

/// How often it is looked whether all is sent.
const INTERVAL: Duration = Duration::from_millis(100);

/// Lets *traffic* send what it has, and returns when it has, or when time is up.
pub(crate) async fn drain(ground: &Ground, collector: &Collector, wishes: &watch::Sender<Wish>) {
    let configuration = traffic(ground, Phase::Draining);
    if let Err(error) = file::replace(&collector.configuration, &configuration) {
        warn!(%error, "cannot drain the queue; what is in it stays on disk");
        return;
    }
    let mut ups = collector.ups.subscribe();
    wishes.send_modify(|wish| {
        if let Wish::Run(number) = wish {
            *number += 1;
        }
    });
    let sent = async {
        // Before that its metrics tell of queues that it has not opened yet. That the sender is gone cannot be: it is `collector`'s.
        let _ = ups.changed().await;
        let port = ground.settings.listen.traffic_metrics;
        while !http::metrics(port).await.is_some_and(|text| is_empty(&text)) {
            sleep(INTERVAL).await;
        }
    };
    if timeout(LIMIT, sent).await.is_ok() {
        info!("all that was accepted is sent");
        return;
    }
    warn!(seconds = LIMIT.as_secs(), "not all was sent in time; what is left stays on disk");
}

/// Whether every queue is empty, by the Collector's metrics.
fn is_empty(text: &str) -> bool {
    let mut sizes = values(text, "otelcol_exporter_queue_size").peekable();
    sizes.peek().is_some() && sizes.all(|(_, size)| size == 0.0)
}

#[cfg(test)]
mod tests {
    use super::is_empty;

    #[test]
    fn only_queues_that_are_known_to_be_empty_are() {
        let size = |number| format!("otelcol_exporter_queue_size{{data_type=\"logs\"}} {number}\n");
        assert!(is_empty(&size(0)));
        assert!(!is_empty(&(size(0) + &size(12))));
        assert!(!is_empty(""));
    }
}
