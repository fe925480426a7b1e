//! Findings: reasons with what they are about.

use epiphyte_operator::index::{Index, SourceRecord, SourceTarget};
use epiphyte_plan::Finding;
use serde::Serialize;

/// A reason, what it says and what it is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FindingReport {
    /// The reason code; the manual lists them.
    pub(crate) reason: &'static str,
    /// `info`, `waiting` or `warning`.
    pub(crate) severity: &'static str,
    /// The reason as a sentence.
    pub(crate) message: &'static str,
    /// The object or value meant, where the reason alone does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) about: Option<String>,
}

impl From<&Finding> for FindingReport {
    fn from(finding: &Finding) -> Self {
        let reason = finding.reason;
        Self {
            reason: reason.code(),
            severity: reason.severity().as_str(),
            message: reason.sentence(),
            about: finding.about.clone(),
        }
    }
}

/// A Source that counts for less than it says.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SourceReport {
    /// Namespace of the Source.
    pub(crate) namespace: String,
    /// Name of the Source.
    pub(crate) name: String,
    /// Why it counts for less.
    #[serde(flatten)]
    pub(crate) finding: FindingReport,
    /// What the reader can do.
    pub(crate) next: &'static str,
}

/// Every Source of the index that counts for less than it says, and marks something that is of interest.
pub(crate) fn sources(index: &Index, is_of_interest: impl Fn(&SourceTarget) -> bool) -> Vec<SourceReport> {
    let report = |(record, finding): (&SourceRecord, Finding)| SourceReport {
        namespace: record.key.namespace.to_string(),
        name: record.key.name.to_string(),
        finding: FindingReport::from(&finding),
        next: finding.reason.next_step(),
    };
    index.source_findings().filter(|(record, _)| is_of_interest(&record.target)).map(report).collect()
}
