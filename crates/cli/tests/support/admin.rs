//! What a deployable tells of itself over HTTP.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

/// Where a deployable serves health and metrics.
#[derive(Clone)]
pub struct Admin(pub String);

impl Admin {
    /// An address that nobody uses.
    pub fn free() -> Self {
        Self(free_address())
    }

    /// Whether a path was answered with 200, and the answer.
    pub fn get(&self, path: &str) -> Option<(bool, String)> {
        let mut stream = TcpStream::connect(&self.0).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.0).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        Some((head.starts_with("HTTP/1.1 200"), body.to_owned()))
    }

    pub fn is_ready(&self) -> bool {
        self.get("/readyz").is_some_and(|(ready, _)| ready)
    }

    /// Value of a metric, summed over its labels that contain all of `labels`.
    pub fn metric(&self, name: &str, labels: &[&str]) -> f64 {
        let (_, text) = self.get("/metrics").unwrap_or_default();
        text.lines()
            .filter(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' '])))
            .filter(|line| labels.iter().all(|label| line.contains(label)))
            .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
            .sum()
    }
}

pub fn free_address() -> String {
    epiphyte_testbed::free_address().expect("a free port").to_string()
}
