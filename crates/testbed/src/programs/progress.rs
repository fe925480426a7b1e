//! Shows on standard error what a long step is doing: a spinner on a terminal, a line now and then elsewhere.

use std::io::{IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// How often a line is written where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(20);

/// One long step, shown until it is dropped or finished.
pub(crate) struct Progress {
    what: String,
    started: Instant,
    /// When the last plain line was written; moved by `at`.
    last_line: Instant,
    /// Only on a terminal.
    spinner: Option<ProgressBar>,
}

impl Progress {
    /// Starts to show a step.
    pub(crate) fn start(what: impl Into<String>) -> Self {
        let (what, now) = (what.into(), Instant::now());
        let spinner = std::io::stderr().is_terminal().then(|| {
            let spinner = ProgressBar::new_spinner().with_prefix(what.clone());
            if let Ok(style) = ProgressStyle::with_template("{spinner} {prefix} [{elapsed}] {wide_msg}") {
                spinner.set_style(style);
            }
            spinner.enable_steady_tick(Duration::from_millis(100));
            spinner
        });
        if spinner.is_none() {
            line(&format!("{what} ..."));
        }
        Self { what, started: now, last_line: now, spinner }
    }

    /// Says what the step is at now.
    pub(crate) fn at(&mut self, detail: &str) {
        if let Some(spinner) = &self.spinner {
            spinner.set_message(detail.to_owned());
        } else if self.last_line.elapsed() >= LINE_EVERY {
            self.last_line = Instant::now();
            line(&format!("{} [{:.0?}] {detail}", self.what, self.started.elapsed()));
        }
    }

    /// Says that the step is done.
    pub(crate) fn done(self) {
        let text = format!("{}: done in {:.0?}", self.what, self.started.elapsed());
        match &self.spinner {
            Some(spinner) => spinner.finish_with_message(text),
            None => line(&text),
        }
    }
}

/// Progress is a courtesy: that nobody can read it is no reason to fail.
fn line(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
