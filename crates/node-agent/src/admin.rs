//! Health and metrics over plain HTTP.

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::net::TcpListener;

use crate::metrics::Metrics;
use crate::ready::Ready;

/// Serves `/healthz`, `/readyz` and `/metrics` for as long as it is polled.
pub(crate) async fn serve(listener: TcpListener, metrics: Metrics, ready: Ready) -> std::io::Result<()> {
    let router = Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(answer).with_state(ready))
        .route("/metrics", get(metrics_text).with_state(metrics));
    axum::serve(listener, router).await
}

async fn answer(State(ready): State<Ready>) -> impl IntoResponse {
    let awaited = ready.awaited();
    if awaited.is_empty() {
        (StatusCode::OK, "ok\n".to_owned())
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, format!("waiting for: {}\n", awaited.join(", ")))
    }
}

async fn metrics_text(State(metrics): State<Metrics>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], metrics.encode())
}
