//! Takes over a changed settings file without a restart.

use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::watch;
use tracing::{info, warn};

use crate::metrics::Metrics;
use crate::settings::Settings;

/// How often the file is read. Files of a ConfigMap volume are replaced by a swap of links, which watches of single files
/// miss.
const INTERVAL: Duration = Duration::from_secs(1);

/// Reads the file again and again, and sends what is new and valid. What is not valid is told once and changes nothing.
pub(crate) async fn run(path: PathBuf, settings: watch::Sender<Settings>, metrics: Metrics) {
    let mut told = None;
    let mut ticks = tokio::time::interval(INTERVAL);
    loop {
        ticks.tick().await;
        match Settings::from_file(&path) {
            Ok(read) => {
                told = None;
                let changed = settings.send_if_modified(|held| {
                    let changed = *held != read;
                    *held = read;
                    changed
                });
                if changed {
                    info!(path = %path.display(), "took over changed settings");
                }
            }
            Err(error) => {
                let text = error.to_string();
                if told.as_ref() != Some(&text) {
                    metrics.settings_errors.inc();
                    warn!(error = %text, "the last good settings stay in force");
                    told = Some(text);
                }
            }
        }
    }
}
