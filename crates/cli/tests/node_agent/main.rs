//! The node agent as a process: against a real control plane, a made-up proc folder, and a kubelet played at its sockets.
#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

#[path = "../support/mod.rs"]
mod support;

mod agent;
mod departure;
mod detection;
mod devices;
mod go;
mod identity;
mod kubelet;
mod pods;
mod proc;
mod store;

use std::sync::LazyLock;

use support::Shared;

/// A cluster with an operator. All tests share it, each in namespaces and on nodes of its own.
static SHARED: LazyLock<Shared> = LazyLock::new(|| Shared::start(""));
