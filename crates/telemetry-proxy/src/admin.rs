//! Health, and the metrics of the supervisor and of both Collectors, on one port.

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::get;
use epiphyte_daemon::{Ready, Registry, admin};
use tokio::net::TcpListener;
use tracing::warn;

use crate::exposition::Exposition;
use crate::http;
use crate::settings::Listen;

/// Where metrics come from.
#[derive(Clone)]
struct Sources {
    own: Registry,
    collectors: [(&'static str, u16); 2],
}

/// Serves `/healthz`, `/readyz` and `/metrics` until told to stop.
pub(crate) async fn serve(
    listener: TcpListener,
    own: Registry,
    listen: &Listen,
    ready: Ready,
    stop: impl Future<Output = ()> + Send + 'static,
) {
    let collectors = [("traffic", listen.traffic_metrics), ("events", listen.events_metrics)];
    let router = admin::health(ready).route("/metrics", get(metrics).with_state(Sources { own, collectors }));
    if let Err(error) = axum::serve(listener, router).with_graceful_shutdown(stop).await {
        warn!(%error, "health and metrics are no longer served");
    }
}

async fn metrics(State(sources): State<Sources>) -> impl IntoResponse {
    let mut all = Exposition::default();
    all.add_own(&sources.own.encode());
    // One that does not answer does not run, or not yet.
    for (collector, port) in sources.collectors {
        if let Some(text) = http::metrics(port).await {
            all.add(collector, &text);
        }
    }
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], all.text())
}
