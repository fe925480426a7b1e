//! The few colours.

use anstyle::{AnsiColor, Style};

/// Names of what is shown.
pub(crate) const BOLD: Style = Style::new().bold();
/// What is there for completeness.
pub(crate) const DIM: Style = Style::new().dimmed();

const GREEN: Style = AnsiColor::Green.on_default();
const YELLOW: Style = AnsiColor::Yellow.on_default();
const RED: Style = AnsiColor::Red.on_default();

/// The colour of a word: of a verdict or state, of a severity, or of the first character of a line of a diff.
pub(crate) fn colour_of(word: &str) -> Style {
    match word {
        "on" | "ready" | "+" => GREEN,
        "partly" | "waiting" | "warning" => YELLOW,
        "-" => RED,
        "off" | "keep" | "@" => DIM,
        _ => Style::new(),
    }
}
