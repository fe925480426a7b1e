//! The Helm chart: what it renders, what it refuses, and what a real API server makes of it under the real Helm.
#![expect(clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

#[path = "../support/mod.rs"]
mod support;

mod bench;
mod release;
mod rendering;
mod rights;
mod values;
