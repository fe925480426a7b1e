//! A Collector that lives and does nothing: one that gives no answer at all for too long.

use std::net::SocketAddr;
use std::time::Duration;

use hyper::Request;
use tokio::time::{MissedTickBehavior, interval};

use crate::http;

/// How often is asked; an answer may take as long.
const INTERVAL: Duration = Duration::from_secs(2);

/// How many questions in a row may go without an answer. By number, so that a proxy that was itself held up blames nobody.
const TRIES: u32 = 15;

/// How long that is at least: more than a slow moment, and more than it takes to read a configuration again.
pub(super) const LIMIT: Duration = Duration::from_secs(INTERVAL.as_secs() * TRIES as u64);

/// Returns once the Collector that serves its metrics at a port has given no answer for too long.
pub(super) async fn hung(port: u16) {
    let mut missed = 0;
    let mut ticks = interval(INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while missed < TRIES {
        ticks.tick().await;
        // Nothing is there, which it says at once, however much it has to measure.
        let answer = http::ask(SocketAddr::from(([127, 0, 0, 1], port)), Request::get("/")).await;
        missed = if answer.is_some() { 0 } else { missed + 1 };
    }
}
