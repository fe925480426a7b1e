//! The updater against a real API server, the real Helm, repositories by HTTP and a real registry.
//!
//! Tests share one control plane, each with a namespace and charts of its own. There is no node: a chart that fails to start
//! is one with a Deployment, for no pod ever runs.
#![expect(clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

#[path = "../support/mod.rs"]
mod support;

mod broken;
mod charts;
mod offers;
mod pending;
mod plan;
mod proof;
mod registry;
mod rights;
mod scene;
mod served;
mod upgrade;
