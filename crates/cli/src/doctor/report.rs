//! What the doctor found: findings, checks, and the verdict on them all.

use epiphyte_api::{Diagnosis, Health};
use serde::{Serialize, Serializer};

use crate::cluster::{Refusal, Resource};

/// A part of the cluster that is looked at by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Check {
    ApiServer,
    Definitions,
    Operator,
    Leader,
    NodeAgents,
    Devices,
    Webhook,
    Admission,
    Rights,
    Collectors,
    Proxy,
    Clocks,
    Neighbours,
    Lumigoes,
    Rollouts,
}

impl Check {
    /// The name that people see.
    pub(super) const fn title(self) -> &'static str {
        match self {
            Self::ApiServer => "API server",
            Self::Definitions => "definitions",
            Self::Operator => "operator",
            Self::Leader => "leader",
            Self::NodeAgents => "node agents",
            Self::Devices => "devices",
            Self::Webhook => "webhook",
            Self::Admission => "admission",
            Self::Rights => "rights",
            Self::Collectors => "collectors",
            Self::Proxy => "telemetry proxy",
            Self::Clocks => "clocks",
            Self::Neighbours => "neighbours",
            Self::Lumigoes => "Lumigoes",
            Self::Rollouts => "rollouts",
        }
    }
}

/// Something that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Finding {
    #[serde(serialize_with = "code")]
    pub(super) code: Diagnosis,
    #[serde(serialize_with = "word")]
    pub(super) health: Health,
    /// Kind of the object; empty where it is about none.
    pub(super) kind: String,
    /// Namespace of the object; empty for one of the cluster.
    pub(super) namespace: String,
    /// Name of the object.
    pub(super) name: String,
    /// The diagnosis as a sentence.
    pub(super) message: &'static str,
    /// What was seen.
    pub(super) found: String,
    /// What the reader can do, of this object.
    pub(super) next: String,
}

fn code<S: Serializer>(diagnosis: &Diagnosis, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(diagnosis.code())
}

fn word<S: Serializer>(health: &Health, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(health.as_str())
}

impl Finding {
    /// A diagnosis, and what was seen.
    pub(super) fn of(code: Diagnosis, found: impl Into<String>) -> Self {
        Self {
            code,
            health: code.health(),
            kind: String::new(),
            namespace: String::new(),
            name: String::new(),
            message: code.sentence(),
            found: found.into(),
            next: code.cure().to_owned(),
        }
    }

    /// The object that it is about; `namespace` is empty for one of the cluster.
    pub(super) fn about(mut self, kind: &str, namespace: &str, name: &str) -> Self {
        self.next = self.next.replace("{namespace}", namespace).replace("{name}", name);
        (self.kind, self.namespace, self.name) = (kind.to_owned(), namespace.to_owned(), name.to_owned());
        self
    }

    /// The object of a resource that it is about.
    pub(super) fn of_object(self, resource: &Resource, object: &serde_json::Value) -> Self {
        let text = |pointer: &str| object.pointer(pointer).and_then(serde_json::Value::as_str).unwrap_or_default();
        self.about(resource.kind, text("/metadata/namespace"), text("/metadata/name"))
    }
}

/// What came of a check: findings, or why it could not be made.
pub(super) type Looked = Result<Vec<Finding>, Refusal>;

/// A check and what came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Checked {
    pub(super) check: Check,
    /// The worst of its findings.
    #[serde(serialize_with = "word")]
    pub(super) health: Health,
    /// The worst first.
    pub(super) findings: Vec<Finding>,
}

impl Checked {
    pub(super) fn of(check: Check, mut findings: Vec<Finding>) -> Self {
        findings.sort_by(|a, b| {
            b.health.cmp(&a.health).then_with(|| (a.code, &a.namespace, &a.name).cmp(&(b.code, &b.namespace, &b.name)))
        });
        let health = findings.first().map_or(Health::Well, |worst| worst.health);
        Self { check, health, findings }
    }
}

/// The verdict, and what it rests on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Diagnosed {
    /// The worst of all.
    #[serde(serialize_with = "word")]
    pub(crate) verdict: Health,
    /// Version of this program.
    pub(super) version: &'static str,
    /// Where the operator is looked for.
    pub(super) system_namespace: String,
    pub(super) checks: Vec<Checked>,
}

impl Diagnosed {
    pub(super) fn of(system_namespace: String, checks: Vec<Checked>) -> Self {
        let verdict = checks.iter().map(|it| it.health).max().unwrap_or(Health::Well);
        Self { verdict, version: env!("CARGO_PKG_VERSION"), system_namespace, checks }
    }

    /// Where the operator is, or else was looked for.
    pub(crate) fn system_namespace(&self) -> &str {
        &self.system_namespace
    }

    /// Whether nothing is broken, and all could be told.
    pub(crate) fn is_well(&self) -> bool {
        matches!(self.verdict, Health::Well | Health::Warning)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_finding_stands_first_and_makes_the_verdict() {
        let found = |code| Finding::of(code, "");
        let check = Checked::of(
            Check::Webhook,
            vec![found(Diagnosis::WebhookTwice), found(Diagnosis::BundleWrong), found(Diagnosis::NotTold)],
        );
        assert_eq!(check.findings.first().map(|it| it.code), Some(Diagnosis::BundleWrong));
        let report = Diagnosed::of("s".to_owned(), vec![Checked::of(Check::Clocks, Vec::new()), check]);
        assert!(report.verdict == Health::Broken && !report.is_well());
    }

    #[test]
    fn a_cure_names_the_object() {
        let finding = Finding::of(Diagnosis::OperatorScaledToZero, "").about("Deployment", "here", "it");
        assert_eq!(finding.next, "Run `kubectl scale -n here deployment/it --replicas=2`.");
    }
}
