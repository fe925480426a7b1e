//! What a run of an updater came to.

use std::fmt;

use serde::Serialize;

use crate::plan::Plan;

/// How much an outcome asks of its reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// Nothing.
    Normal,
    /// Somebody has to look.
    Warning,
}

macro_rules! outcomes {
    ($($name:ident $severity:ident $status:literal $sentence:literal => $next:literal)*) => {
        /// What a run of an updater came to. The name of a variant is its code.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Outcome {
            $(#[doc = $sentence] $name,)*
        }

        impl Outcome {
            /// All outcomes, in the order of their exit statuses.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The code, as it stands in Events, metrics and JSON.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }

            /// How much it asks of its reader.
            pub const fn severity(self) -> Severity {
                match self { $(Self::$name => Severity::$severity,)* }
            }

            /// The exit status of the program.
            pub const fn exit_status(self) -> u8 {
                match self { $(Self::$name => $status,)* }
            }

            /// The outcome as a sentence.
            pub const fn sentence(self) -> &'static str {
                match self { $(Self::$name => $sentence,)* }
            }

            /// What the reader can do next; empty where there is nothing to do.
            pub const fn next_step(self) -> &'static str {
                match self { $(Self::$name => $next,)* }
            }
        }
    };
}

outcomes! {
    Updated Normal 0 "The release was upgraded, and what it consists of is ready."
        => ""
    Planned Normal 0 "An upgrade is there to be made; this was a dry run."
        => ""
    UpToDate Normal 0 "The newest version that is wanted is installed."
        => ""
    OnlyOlder Normal 0 "What is wanted and on offer is older than what is installed."
        => "To go back, name that single version by --version."
    CannotRun Warning 1 "The updater cannot do its work: the API server, a right or the helm program is missing."
        => "Correct what is named; the next run tries again."
    Held Normal 3 "Another operation holds the release."
        => "Nothing: the next run looks again."
    PendingTooLong Warning 4 "An operation that was broken off has left the release pending."
        => "See that nobody is at it, and go back to the last revision that was deployed."
    NotDeployed Warning 5 "There is no release to upgrade: it is not there, failed, or is being uninstalled."
        => "Look at `helm history`, and repair the release."
    RepositoryUnavailable Warning 6 "The repository or registry cannot be read."
        => "Look whether it answers; the next run tries again."
    NoVersion Warning 7 "No version on offer is in the range."
        => "Correct the range, the chart's name or the repository."
    ChartRefused Warning 8 "The chart is not what it is said to be, or does not prove what it must."
        => "Ask whoever publishes the chart; see that the digests and the keyring are the right ones."
    UpgradeRefused Warning 9 "Helm or the API server refuses the upgrade, and nothing was changed."
        => "Correct the values or the rights that are named; `--dry-run` says whether that is enough."
    RolledBack Warning 10 "The upgrade failed and was rolled back."
        => "The version is not tried again until the release is changed, there is another version, or --retry is given."
    RollbackFailed Warning 11 "The upgrade failed, and so did the rollback."
        => "Look at `helm history`, and roll the release back by hand."
    FailedBefore Warning 12 "The newest version has failed before and is not tried again."
        => "Wait for another version, change what made it fail (an upgrade with other values), or give --retry."
    Interrupted Warning 13 "The updater was told to stop; what it had begun was rolled back."
        => "Nothing: the next run tries again."
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.code())
    }
}

impl Serialize for Outcome {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

/// What is told of a run.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// What it came to.
    pub outcome: Outcome,
    /// The release.
    pub release: String,
    /// Its namespace.
    pub namespace: String,
    /// The version that was installed, where that is known.
    pub from: Option<String>,
    /// The version on offer, where that is known.
    pub to: Option<String>,
    /// What is behind the outcome; empty where its sentence says all.
    pub why: String,
    /// What the reader can do.
    pub next: String,
    /// What an upgrade changes, where there is one to make.
    pub plan: Option<Plan>,
}

impl Report {
    /// The report in one line, as Events and logs have it.
    pub fn line(&self) -> String {
        let Self { release, from, to, why, .. } = self;
        let sentence = self.outcome.sentence();
        let versions = match (from, to) {
            (Some(from), Some(to)) if from != to => format!(" {from} to {to}"),
            (Some(at), _) | (None, Some(at)) => format!(" {at}"),
            (None, None) => String::new(),
        };
        let why = if why.is_empty() { String::new() } else { format!(" Why: {why}") };
        format!("{release}{versions}: {sentence}{why}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_well_ends_with_0_and_every_kind_of_trouble_has_a_status_of_its_own() {
        let mut seen = std::collections::BTreeSet::new();
        for outcome in Outcome::ALL {
            let status = outcome.exit_status();
            assert_ne!(status, 2, "wrong usage, by clap");
            assert!(status == 0 || seen.insert(status), "{outcome}");
            assert!(status == 0 || !outcome.next_step().is_empty(), "{outcome}");
        }
    }

    #[test]
    fn every_outcome_is_in_the_manual_with_its_status() {
        let manual = include_str!("../../../docs/reference/updater.md");
        for outcome in Outcome::ALL {
            let row = format!("| {} | `{outcome}` |", outcome.exit_status());
            assert!(manual.contains(&row), "{row}");
        }
    }
}
