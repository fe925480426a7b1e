//! Failure drills: what people do to a cluster, and what happens to it by itself, without harm to anybody's workloads.
#![expect(clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

#[path = "../support/mod.rs"]
mod support;

mod life;
mod load;
mod replicas;
mod scene;
mod start;
