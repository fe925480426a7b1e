//! The Instrumentor document against a real API server: three conditions, nothing else, no second rollout.
//!
//! Tests share one cluster in which the collectors are ready and a node offers every device, each in namespaces of its
//! own. Those that change what all workloads depend on have a control plane of their own.
#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

#[path = "../support/mod.rs"]
mod support;

mod admission;
mod bad_input;
mod collectors;
mod details;
mod kinds;
mod namespaces;
mod offers;
mod precedence;
mod reapply;
mod subject;
mod workloads;

use std::sync::LazyLock;

use support::*;

/// A namespace that the settings of the shared operator ignore.
const IGNORED: &str = "ignored-by-settings";

/// The cluster that tests share.
static SHARED: LazyLock<Shared> = LazyLock::new(|| Shared::start(&format!("ignoredNamespaces: [{IGNORED}]")));
