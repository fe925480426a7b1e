//! Whether a version that is on offer is one to go to. Pure.

use std::cmp::Ordering;

use semver::Version;

/// Whether to go to the newest version that is wanted and on offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Choice {
    /// It is newer, or it is the very one that was asked for.
    Go,
    /// It is installed.
    UpToDate,
    /// It is older than the one that is installed, and nobody asked for just that one.
    OnlyOlder,
}

/// Whether to go from one version to another that a range allows.
///
/// A range goes forward only: a repository that lost its newest version takes nobody back, nor does a range that a person
/// has left by an upgrade of their own. A single version is what it says, in either direction.
pub(crate) fn choose(installed: &Version, offered: &Version, range: &str) -> Choice {
    match offered.cmp_precedence(installed) {
        Ordering::Equal => Choice::UpToDate,
        Ordering::Greater => Choice::Go,
        Ordering::Less if single(range).as_ref() == Some(offered) => Choice::Go,
        Ordering::Less => Choice::OnlyOlder,
    }
}

/// The version that a range consists of.
pub(crate) fn single(range: &str) -> Option<Version> {
    let range = range.trim();
    Version::parse(range.strip_prefix('=').unwrap_or(range).trim().trim_start_matches('v')).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use Choice::{Go, OnlyOlder, UpToDate};

    fn chosen(installed: &str, offered: &str, range: &str) -> Choice {
        choose(&installed.parse().unwrap(), &offered.parse().unwrap(), range)
    }

    #[test]
    fn a_range_goes_forward_only_and_a_single_version_goes_where_it_says() {
        for (installed, offered, range, expected) in [
            ("0.1.0", "0.2.0", "*", Go),
            ("0.2.0", "0.2.0", "*", UpToDate),
            ("0.2.0", "0.2.0", "0.2.0", UpToDate),
            ("0.2.0", "0.1.0", "*", OnlyOlder),
            ("0.2.0", "0.1.0", "~0.1.0", OnlyOlder),
            ("0.2.0", "0.1.0", "<0.2.0", OnlyOlder),
            ("0.2.0", "0.1.0", "0.1", OnlyOlder),
            ("0.2.0", "0.1.0", "0.1.0", Go),
            ("0.2.0", "0.1.0", "= v0.1.0", Go),
            ("0.2.0-rc.1", "0.2.0", "*", Go),
            ("0.2.0", "0.2.0-rc.1", "*-0", OnlyOlder),
            ("0.2.0+a", "0.2.0+b", "*", UpToDate),
        ] {
            assert_eq!(chosen(installed, offered, range), expected, "{installed} to {offered} by {range}");
        }
    }
}
