//! Tests that cannot run here.

use std::io::Write as _;

/// Says why the test of this thread cannot run here, past the test harness, which would keep it for itself and knows only tests
/// that pass. `cargo xtask test` counts it as skipped.
pub fn skipped(reason: &str) {
    let name = std::thread::current().name().unwrap_or_default().to_owned();
    // Where nobody can read it nobody counts it either.
    let _ = writeln!(std::io::stderr(), "skipped: {name}: {reason}");
}
