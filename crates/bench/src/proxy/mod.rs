//! The telemetry proxy: rendering, what supervising a Collector costs, and what a change of namespaces takes.

mod bare;
mod changes;
mod manager;
mod place;
mod render;
mod spans;
mod speed;
mod supervised;
mod traffic;
mod upstream;

use std::path::Path;
use std::time::Duration;

use anyhow::Result;

use crate::process::Process;
use crate::report::Row;

const PART: &str = "proxy";

/// How long a program is watched that has nothing to do.
const AT_REST: Duration = Duration::from_secs(15);

/// Measures.
pub(crate) async fn measure(program: &Path) -> Result<Vec<Row>> {
    let mut rows = render::measure()?;
    rows.extend(speed::measure(program).await?);
    rows.extend(changes::measure(program).await?);
    Ok(rows)
}

/// CPU time that a process alone takes in a second, in seconds, while it has nothing to do.
async fn at_rest(process: Process) -> Result<f64> {
    let before = process.cpu()?;
    tokio::time::sleep(AT_REST).await;
    Ok((process.cpu()? - before).as_secs_f64() / AT_REST.as_secs_f64())
}
