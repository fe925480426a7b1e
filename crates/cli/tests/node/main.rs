//! The operator and the node agent from their images and manifests, on a node that runs pods: real programs, real telemetry.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test fails by panicking, and shows what was said until then"
)]

#[path = "../support/mod.rs"]
mod support;

mod detection;
mod environment;
mod goes;
mod held_down;
mod injected;
mod installed;
mod lives_on;
mod odd;
mod proxied;
mod readme;
mod spans;
mod workloads;
