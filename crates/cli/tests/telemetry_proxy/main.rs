//! The telemetry proxy as a process, with the real Collectors, between clients and a receiver on loopback.
#![expect(clippy::expect_used, clippy::indexing_slicing, clippy::print_stderr, reason = "a test fails by panicking")]

#[path = "../support/mod.rs"]
mod support;

mod api_server;
mod bad_input;
mod client;
mod clients;
mod cluster;
mod disk;
mod extra;
mod kubernetes;
mod life;
mod proxy;
mod relay;
mod secrecy;
mod table;
mod traffic;
mod upstream;

use std::time::{Duration, Instant};

/// How long a test waits for what it expects. Generous: machines are slow at times.
const DEADLINE: Duration = Duration::from_secs(120);

/// A token of its own for each digit.
fn token(digit: char) -> String {
    format!("t_{}", digit.to_string().repeat(21))
}

/// The header under which a token is sent.
fn authorization(digit: char) -> String {
    format!("LumigoToken {}", token(digit))
}

/// Waits until something holds.
fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < DEADLINE, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
