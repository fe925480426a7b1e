//! What was measured, beside what was budgeted and what peers take.

use std::fmt;

use comfy_table::{CellAlignment, Table, presets};
use serde::{Serialize, Serializer};

/// A measured figure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Figure {
    /// A time in seconds.
    Seconds(f64),
    /// A size in bytes.
    Bytes(f64),
    /// Something in a second.
    PerSecond(f64),
    /// A number of things.
    Count(f64),
    /// A part of something.
    Share(f64),
}

impl Figure {
    fn value(self) -> f64 {
        match self {
            Self::Seconds(value)
            | Self::Bytes(value)
            | Self::PerSecond(value)
            | Self::Count(value)
            | Self::Share(value) => value,
        }
    }

    const fn unit(self) -> &'static str {
        match self {
            Self::Seconds(_) => "seconds",
            Self::Bytes(_) => "bytes",
            Self::PerSecond(_) => "per second",
            Self::Count(_) => "count",
            Self::Share(_) => "share",
        }
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Seconds(value) if value < 1e-3 => write!(f, "{} us", digits(value * 1e6)),
            Self::Seconds(value) if value < 1.0 => write!(f, "{} ms", digits(value * 1e3)),
            Self::Seconds(value) => write!(f, "{} s", digits(value)),
            Self::Bytes(value) if value < KIB => write!(f, "{value:.0} B"),
            Self::Bytes(value) if value < MIB => write!(f, "{} KB", digits(value / KIB)),
            Self::Bytes(value) => write!(f, "{} MiB", digits(value / MIB)),
            Self::PerSecond(value) => write!(f, "{value:.0}/s"),
            Self::Count(value) => write!(f, "{value:.0}"),
            Self::Share(value) => write!(f, "{:.1} %", value * 100.0),
        }
    }
}

/// Bytes of a KB.
pub(crate) const KIB: f64 = 1024.0;
/// Bytes of a MiB.
pub(crate) const MIB: f64 = 1024.0 * KIB;

/// A number with about three digits that count, and no zeros that do not.
fn digits(value: f64) -> String {
    let text = match value {
        value if value < 10.0 => format!("{value:.2}"),
        value if value < 100.0 => format!("{value:.1}"),
        value => return format!("{value:.0}"),
    };
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// What a figure is held against.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Budget {
    /// Nothing: the figure is there to explain another.
    None,
    AtMost(Figure),
    AtLeast(Figure),
}

/// One line of the table.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    part: &'static str,
    what: String,
    measured: Figure,
    budget: Budget,
    peers: &'static str,
}

impl Row {
    /// A figure of a part, so far held against nothing.
    pub(crate) fn new(part: &'static str, what: impl Into<String>, measured: Figure) -> Self {
        Self { part, what: what.into(), measured, budget: Budget::None, peers: "" }
    }

    /// The most that it may be.
    #[must_use]
    pub(crate) fn at_most(self, figure: Figure) -> Self {
        Self { budget: Budget::AtMost(figure), ..self }
    }

    /// The least that it may be.
    #[must_use]
    pub(crate) fn at_least(self, figure: Figure) -> Self {
        Self { budget: Budget::AtLeast(figure), ..self }
    }

    /// What peers take, best to worst.
    #[must_use]
    pub(crate) fn peers(self, peers: &'static str) -> Self {
        Self { peers, ..self }
    }

    /// The rows of several rounds in one: of times and rates the best, of sizes and counts the worst.
    pub(crate) fn of_rounds(rounds: Vec<Vec<Self>>) -> Vec<Self> {
        let one =
            |rows: Vec<Self>, next: Vec<Self>| rows.into_iter().zip(next).map(|(row, next)| row.or(next)).collect();
        rounds.into_iter().reduce(one).unwrap_or_default()
    }

    fn or(self, next: Self) -> Self {
        let is_less = next.measured.value() < self.measured.value();
        let takes_less = matches!(self.measured, Figure::Seconds(_));
        if is_less == takes_less { next } else { self }
    }

    fn verdict(&self) -> Verdict {
        let is_met = match self.budget {
            Budget::None => return Verdict::None,
            Budget::AtMost(most) => self.measured.value() <= most.value(),
            Budget::AtLeast(least) => self.measured.value() >= least.value(),
        };
        if is_met { Verdict::Met } else { Verdict::Missed }
    }

    fn budget(&self) -> String {
        match self.budget {
            Budget::None => String::new(),
            Budget::AtMost(figure) => figure.to_string(),
            Budget::AtLeast(figure) => format!("at least {figure}"),
        }
    }
}

/// How a figure stands to its budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    #[serde(rename = "")]
    None,
    Met,
    Missed,
}

impl Verdict {
    const fn as_str(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Met => "met",
            Self::Missed => "MISSED",
        }
    }
}

impl Serialize for Row {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { part, what, measured, peers, .. } = self;
        let (value, unit) = (measured.value(), measured.unit());
        serde_json::json!({
            "part": part, "what": what, "measured": value, "unit": unit, "budget": self.budget(), "peers": peers,
            "verdict": self.verdict(),
        })
        .serialize(serializer)
    }
}

/// All that was measured.
#[derive(Serialize)]
#[serde(transparent)]
pub(crate) struct Report(pub(crate) Vec<Row>);

impl Report {
    /// Whether no budget is missed.
    pub(crate) fn is_met(&self) -> bool {
        self.0.iter().all(|row| row.verdict() != Verdict::Missed)
    }

    /// The table, as Markdown has it.
    pub(crate) fn table(&self) -> String {
        let mut table = Table::new();
        table.load_style(presets::ASCII_MARKDOWN);
        table.set_header(["part", "what", "measured", "budget", "peers", "verdict"]);
        for row in &self.0 {
            let (measured, budget) = (row.measured.to_string(), row.budget());
            table.add_row([row.part, &row.what, &measured, &budget, row.peers, row.verdict().as_str()]);
        }
        for column in [2, 3] {
            if let Some(column) = table.column_mut(column) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        table.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_has_the_unit_that_suits_its_size() {
        let shown = |figure: Figure| figure.to_string();
        assert_eq!(shown(Figure::Seconds(0.000_042)), "42 us");
        assert_eq!(shown(Figure::Seconds(0.000_15)), "150 us");
        assert_eq!(shown(Figure::Seconds(0.0123)), "12.3 ms");
        assert_eq!(shown(Figure::Bytes(13.0 * KIB)), "13 KB");
        assert_eq!(shown(Figure::Bytes(32.0 * MIB)), "32 MiB");
        assert_eq!(shown(Figure::Share(-0.0123)), "-1.2 %");
    }

    #[test]
    fn a_budget_is_met_where_it_is_just_reached() {
        let row = Row::new("part", "what", Figure::Count(1.0));
        assert_eq!(row.clone().at_most(Figure::Count(1.0)).verdict(), Verdict::Met);
        assert_eq!(row.clone().at_least(Figure::Count(2.0)).verdict(), Verdict::Missed);
        assert_eq!(row.verdict(), Verdict::None);
    }
}
