//! Drills of uninstalling: whatever the state that the system is in, one command takes it out of the cluster and proves it.
#![expect(clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

#[path = "../support/mod.rs"]
mod support;

mod damaged;
mod helm;
mod lives;
mod pods;
mod scene;
mod stuck;
