//! Shows what a task is doing: on a terminal a spinner that becomes a line, elsewhere a line now and then.

use std::fmt::Display;
use std::io::Write as _;
use std::time::{Duration, Instant};

use console::{Term, style};
use indicatif::{ProgressBar, ProgressStyle};

/// How often a step that goes on is mentioned where there is no terminal.
const MENTIONED_EVERY: Duration = Duration::from_secs(30);

/// How a step ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// As it should.
    Ok,
    /// It was not taken.
    Skipped,
    /// Not as it should.
    Failed,
}

/// One step of a task, shown until it ends.
pub struct Step {
    title: String,
    started: Instant,
    /// When the step was last mentioned; moved by [`Step::at`].
    mentioned: Instant,
    /// Only on a terminal.
    spinner: Option<ProgressBar>,
}

impl Step {
    /// Starts to show a step.
    pub fn start(title: impl Into<String>) -> Self {
        let (title, now) = (title.into(), Instant::now());
        let spinner = Term::stdout().is_term().then(|| {
            let spinner = ProgressBar::new_spinner().with_message(title.clone());
            let template = "  {spinner} {elapsed:>14}  {msg} {prefix:.dim}";
            if let Ok(shown) = ProgressStyle::with_template(template) {
                spinner.set_style(shown);
            }
            spinner.enable_steady_tick(Duration::from_millis(100));
            spinner
        });
        Self { title, started: now, mentioned: now, spinner }
    }

    /// Says what the step is at now.
    pub fn at(&mut self, detail: &str) {
        let detail = console::strip_ansi_codes(detail.trim());
        if let Some(spinner) = &self.spinner {
            let width = usize::from(Term::stdout().size().1);
            let room = width.saturating_sub(console::measure_text_width(&self.title) + 22);
            spinner.set_prefix(console::truncate_str(&detail, room, "").into_owned());
        } else if self.mentioned.elapsed() >= MENTIONED_EVERY {
            self.mentioned = Instant::now();
            say(line(&"...", self.started.elapsed(), &format!("{}: {detail}", self.title)));
        }
    }

    /// Says that the step ended as its work did.
    pub fn end_as<T, E>(self, done: &Result<T, E>) {
        self.end(if done.is_ok() { Outcome::Ok } else { Outcome::Failed }, "");
    }

    /// Says how the step ended.
    pub fn end(self, outcome: Outcome, note: &str) {
        let word = match outcome {
            Outcome::Ok => style("ok").green(),
            Outcome::Skipped => style("skipped").yellow(),
            Outcome::Failed => style("failed").red().bold(),
        };
        if let Some(spinner) = &self.spinner {
            spinner.finish_and_clear();
        }
        let title = if note.is_empty() { self.title } else { format!("{} ({note})", self.title) };
        say(line(&word, self.started.elapsed(), &title));
    }
}

fn line(word: &dyn Display, elapsed: Duration, text: &str) -> String {
    format!("  {word:<8}{:>6.1} s  {text}", elapsed.as_secs_f64())
}

/// Headline of a task or of a part of one.
pub fn headline(text: impl Display) {
    say(format!("\n{}", style(text).bold()));
}

/// Prints a line. That nobody can read it is no reason to fail.
pub fn say(text: impl Display) {
    let _ = writeln!(std::io::stdout(), "{text}");
}
