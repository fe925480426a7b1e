//! What a Collector logs, told among our own logs.

use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::sync::watch;
use tracing::{debug, error, info, warn};

use crate::input::redact;

/// The most that is told of one line.
const LINE: usize = 4096;

/// What the Collector says once it is up.
const UP: &str = "Everything is ready.";

/// What its receiver of Kubernetes objects says when a watch has ended for good, or goes on after a gap, and when a list failed.
/// The next list by itself would come half an hour later.
const BROKEN: [&str; 5] = [
    "Watch channel closed unexpectedly",
    "error in watching object",
    "could not retrieve a resourceVersion",
    "received a 410, grabbing new resource version",
    "error in pulling object",
];

/// What it says before it starts its parts. Those that were there before have ended by then, and how they ended is no matter.
const STARTS: &str = "Starting otelcol";

/// Tells each line at the level that it has, until there are no more; counts how often the Collector says to have come up, and
/// notes whether it has missed something since.
pub(super) async fn forward(
    collector: &'static str,
    said: impl AsyncRead + Unpin,
    ups: watch::Sender<u64>,
    misses: watch::Sender<bool>,
) {
    let mut said = BufReader::new(said);
    let mut line = Vec::new();
    loop {
        line.clear();
        // A pipe that nobody empties would hold the Collector up: what is no text is told as well as it goes.
        match said.read_until(b'\n', &mut line).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {
                let text = String::from_utf8_lossy(&line);
                tell(collector, &text);
                if text.contains(UP) {
                    ups.send_modify(|ups| *ups += 1);
                }
                if text.contains(STARTS) {
                    misses.send_replace(false);
                } else if BROKEN.iter().any(|broken| text.contains(broken)) {
                    misses.send_replace(true);
                }
            }
        }
    }
}

fn tell(collector: &'static str, line: &str) {
    let (level, text) = split(line.trim_end());
    let text = redact(text.get(..text.floor_char_boundary(LINE)).unwrap_or(text));
    match level {
        "debug" => debug!(target: "otelcol", collector, "{text}"),
        "warn" => warn!(target: "otelcol", collector, "{text}"),
        "error" | "dpanic" | "panic" | "fatal" => error!(target: "otelcol", collector, "{text}"),
        _ => info!(target: "otelcol", collector, "{text}"),
    }
}

/// The level of a line and what follows it. The Collector's lines are time, level and the rest, with tabs between; those of its
/// Kubernetes client begin with a letter and the date; a panic is neither.
fn split(line: &str) -> (&str, &str) {
    let mut parts = line.splitn(3, '\t');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(_), Some(level), Some(rest)) => (level, rest),
        _ => match line.as_bytes() {
            [b'I', b'0'..=b'9', ..] => ("info", line),
            // What it calls an error is one of many tries.
            [b'W' | b'E', b'0'..=b'9', ..] => ("warn", line),
            _ => ("error", line),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn a_line_has_its_level_and_a_panic_is_an_error() {
        assert_eq!(split("2026-11-26T07:17:44.859Z\tinfo\tready\t{}"), ("info", "ready\t{}"));
        assert_eq!(split("panic: runtime error"), ("error", "panic: runtime error"));
        assert_eq!(split("E1126 08:25:51 failed").0, "warn");
    }
}
