//! The one scanner, shared by those who look into containers. What it remembers of programs is worth keeping.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use epiphyte_detect::{ScanError, Scanner, Sighting, Wanted};
use parking_lot::Mutex;

use crate::metrics::Metrics;

/// The one scanner.
#[derive(Clone)]
pub(crate) struct Scans {
    scanner: Arc<Mutex<Scanner>>,
    metrics: Metrics,
}

/// A scan came to nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ScanFailure {
    /// The proc folder cannot be read.
    #[error(transparent)]
    Proc(#[from] ScanError),
    /// The agent is about to stop.
    #[error("the scan was given up")]
    Stopped,
}

impl Scans {
    pub(crate) fn new(proc_folder: &Path, metrics: Metrics) -> Self {
        Self { scanner: Arc::new(Mutex::new(Scanner::new(proc_folder))), metrics }
    }

    /// Looks into containers, beside all else that the agent does.
    ///
    /// # Errors
    /// The proc folder cannot be listed.
    pub(crate) async fn scan(&self, wanted: Wanted) -> Result<Vec<Sighting>, ScanFailure> {
        let (scanner, metrics) = (Arc::clone(&self.scanner), self.metrics.clone());
        let scan = move || {
            let started = Instant::now();
            let sightings = scanner.lock().scan(&wanted);
            metrics.scan_seconds.observe(started.elapsed().as_secs_f64());
            sightings
        };
        Ok(tokio::task::spawn_blocking(scan).await.map_err(|_| ScanFailure::Stopped)??)
    }
}
