//! What an audit found.

use serde::Serialize;

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Severity {
    /// Something of ours that is to go.
    Leftover,
    /// Something that stays for a reason, or goes by itself.
    Information,
}

/// Something of ours in the cluster.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Finding {
    pub(crate) severity: Severity,
    /// Kind of the object.
    pub(crate) kind: String,
    /// Namespace of the object; empty for one of the cluster.
    pub(crate) namespace: String,
    /// Name of the object.
    pub(crate) name: String,
    /// What is there.
    pub(crate) what: String,
    /// Why it stays, or what the reader can do.
    pub(crate) next: String,
}

/// An object, as findings name it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct About<'a> {
    pub(crate) kind: &'a str,
    pub(crate) namespace: &'a str,
    pub(crate) name: &'a str,
}

impl About<'_> {
    /// Something that is to go.
    pub(crate) fn leftover(self, what: impl Into<String>, next: impl Into<String>) -> Finding {
        self.finding(Severity::Leftover, what.into(), next.into())
    }

    /// Something that stays for a reason, or goes by itself.
    pub(crate) fn information(self, what: impl Into<String>, next: impl Into<String>) -> Finding {
        self.finding(Severity::Information, what.into(), next.into())
    }

    pub(crate) fn finding(self, severity: Severity, what: String, next: String) -> Finding {
        let Self { kind, namespace, name } = self;
        Finding { severity, kind: kind.into(), namespace: namespace.into(), name: name.into(), what, next }
    }
}

/// All that an audit found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Audit {
    /// Whether nothing is left, and everything could be looked at.
    pub(crate) clean: bool,
    /// Leftovers first.
    pub(crate) findings: Vec<Finding>,
    /// What could not be looked at, and why.
    pub(crate) not_looked_at: Vec<String>,
}

impl Audit {
    /// Puts findings in order and says whether all is clean.
    pub(crate) fn of(mut findings: Vec<Finding>, mut not_looked_at: Vec<String>) -> Self {
        findings.sort();
        not_looked_at.sort();
        not_looked_at.dedup();
        let clean = not_looked_at.is_empty() && findings.iter().all(|it| it.severity == Severity::Information);
        Self { clean, findings, not_looked_at }
    }
}
