//! Health and metrics over plain HTTP.

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::net::TcpListener;
use tracing::warn;

use crate::{Ready, Registry};

/// Serves `/healthz`, `/readyz` and `/metrics` until told to stop. That it cannot go on is told, and ends it.
pub async fn serve(
    listener: TcpListener,
    metrics: Registry,
    ready: Ready,
    stop: impl Future<Output = ()> + Send + 'static,
) {
    let router = health(ready).route("/metrics", get(text).with_state(metrics));
    if let Err(error) = axum::serve(listener, router).with_graceful_shutdown(stop).await {
        warn!(%error, "health and metrics are no longer served");
    }
}

/// `/healthz` and `/readyz`, for programs whose metrics are not all their own.
pub fn health(ready: Ready) -> Router {
    Router::new().route("/healthz", get(async || "ok\n")).route("/readyz", get(answer).with_state(ready))
}

async fn answer(State(ready): State<Ready>) -> impl IntoResponse {
    let awaited = ready.awaited();
    if awaited.is_empty() {
        (StatusCode::OK, "ok\n".to_owned())
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, format!("waiting for: {}\n", awaited.join(", ")))
    }
}

async fn text(State(metrics): State<Registry>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], metrics.encode())
}
