//! The Lumigo operator's document against a real API server: a secret and a `Lumigo`, and everything that the original gets
//! wrong. `README.md` here says which test shows which of its lines.
//!
//! Tests share one cluster, each in namespaces of its own. Those that stop the operator or take a definition away have a
//! control plane of their own.
#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

#[path = "../instrumentor/subject.rs"]
#[allow(dead_code, reason = "the suite that it is shared with uses all of it")]
mod subject;
#[path = "../support/mod.rs"]
mod support;

mod alone;
mod bad_input;
mod changes;
mod deletion;
mod files;
mod life;
mod neighbours;
mod scene;
mod secrets;
mod table;
mod webhook;

use std::sync::LazyLock;

use support::*;

/// The cluster that tests share.
static SHARED: LazyLock<Shared> = LazyLock::new(|| Shared::start(""));
