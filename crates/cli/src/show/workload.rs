//! What is said of one workload: its verdict, why, and the change that carries it out.

use epiphyte_api::{Reason, Severity};
use epiphyte_operator::index::Index;
use epiphyte_plan::{Decision, Finding, Instrument, Manifest, Verdict, Workload};
use epiphyte_surgery::Operation;
use json_patch::Patch;
use serde::{Deserialize as _, Serialize};
use serde_json::Value;

use super::FindingReport;
use super::change::difference;

/// What is said of one workload.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Report {
    /// Kind of the workload.
    pub(crate) kind: &'static str,
    /// Namespace of the workload.
    pub(crate) namespace: String,
    /// Name of the workload; its `generateName` where it has no name yet.
    pub(crate) name: String,
    /// Kind and name of the controller that owns it, such as `ReplicaSet/shop-5d9`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) owner: Option<String>,
    /// `on` if a container is to be instrumented, else `keep` if one is to stay as it is, else `off`.
    pub(crate) verdict: &'static str,
    /// `device` or `injector`; `null` where nothing turns instrumentation on.
    pub(crate) delivery: Option<&'static str>,
    /// One entry for each regular container, in the order of the pod template.
    pub(crate) containers: Vec<ContainerReport>,
    /// What was found about the workload as a whole, in the order in which planning looked.
    pub(crate) trace: Vec<FindingReport>,
    /// What the reader can do.
    pub(crate) next: Vec<&'static str>,
    /// The JSON patch that carries the verdict out, as the operator sends it but for its condition on the resource version.
    pub(crate) patch: Patch,
    /// The same for people: a unified diff of the manifest.
    #[serde(skip)]
    pub(crate) difference: String,
}

/// What is said of one container.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ContainerReport {
    /// Name of the container.
    pub(crate) name: String,
    /// `on`, `off` or `keep`.
    pub(crate) verdict: &'static str,
    /// The device that it is to ask for, where it is to be on by one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) device: Option<&'static str>,
    /// What settled the verdict.
    #[serde(flatten)]
    pub(crate) settled: FindingReport,
    /// What was found before.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) trace: Vec<FindingReport>,
}

/// A workload as it was read, and as planning reads it.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) object: Value,
    pub(crate) workload: Workload,
}

impl Seen {
    /// Reads an object as a workload of a kind.
    pub(crate) fn read(kind: epiphyte_api::WorkloadKind, object: Value) -> serde_json::Result<Self> {
        let workload = Manifest::deserialize(&object)?.into_workload(kind);
        Ok(Self { object, workload })
    }

    /// What planning has to say. An object without a UID is planned as one that is about to be created.
    pub(crate) fn plan(&self, index: &Index) -> Verdict {
        let workload = &self.workload;
        index.plan(workload, (!workload.uid.is_empty()).then_some(workload))
    }

    /// Plans the workload and performs surgery on a copy, as the operator would.
    pub(crate) fn report(&self, index: &Index) -> anyhow::Result<Report> {
        let workload = &self.workload;
        let verdict = self.plan(index);
        let mut after = self.object.clone();
        let rendering = index.rendering(workload);
        let operation = epiphyte_surgery::operate(workload.kind, &mut after, &verdict, &rendering)?;
        let containers = containers(&verdict, &operation);
        let is = |word: &str| containers.iter().any(|container| container.verdict == word);
        Ok(Report {
            kind: workload.kind.as_str(),
            namespace: workload.namespace.to_string(),
            name: self.name(),
            owner: self.owner(),
            verdict: if is("on") {
                "on"
            } else if is("keep") {
                "keep"
            } else {
                "off"
            },
            delivery: verdict.delivery.map(epiphyte_plan::Delivery::as_str),
            trace: verdict.findings.iter().map(FindingReport::from).collect(),
            next: next_steps(&verdict, &operation),
            difference: difference(&self.object, &after)?,
            patch: operation.patch,
            containers,
        })
    }

    fn name(&self) -> String {
        let generated = || self.object.pointer("/metadata/generateName").and_then(Value::as_str).unwrap_or_default();
        if self.workload.name.is_empty() { generated().to_owned() } else { self.workload.name.to_string() }
    }

    fn owner(&self) -> Option<String> {
        let owners = self.object.pointer("/metadata/ownerReferences")?.as_array()?;
        let owner = owners.iter().find(|owner| owner.get("controller") == Some(&Value::Bool(true)))?;
        Some(format!("{}/{}", owner.get("kind")?.as_str()?, owner.get("name")?.as_str()?))
    }
}

fn containers(verdict: &Verdict, operation: &Operation) -> Vec<ContainerReport> {
    let report = |container: &epiphyte_plan::ContainerVerdict| {
        let refused = operation.refused.iter().find(|refusal| refusal.container == container.name);
        let mut findings: Vec<FindingReport> = container.findings.iter().map(FindingReport::from).collect();
        findings.extend(refused.map(|refusal| FindingReport::from(&Finding::from(refusal.reason))));
        let settled = findings.pop().unwrap_or_else(|| FindingReport::from(&container.settled_by()));
        ContainerReport {
            name: container.name.to_string(),
            verdict: if refused.is_some() { Decision::Off.as_str() } else { container.decision.as_str() },
            device: match container.decision {
                Decision::On(Instrument::Device(device)) if refused.is_none() => Some(device.resource()),
                _ => None,
            },
            settled,
            trace: findings,
        }
    };
    verdict.containers.iter().map(report).collect()
}

/// What the reader can do: about whatever waits or is wrong, and about containers that are not to be instrumented.
fn next_steps(verdict: &Verdict, operation: &Operation) -> Vec<&'static str> {
    let found = verdict.findings.iter().map(|finding| finding.reason);
    let pressing = found.filter(|reason| reason.severity() > Severity::Info);
    let settled = verdict.containers.iter().filter(|container| !matches!(container.decision, Decision::On(_)));
    let refused = operation.refused.iter().map(|refusal| refusal.reason);
    let reasons = pressing.chain(settled.map(|container| container.settled_by().reason)).chain(refused);
    let mut steps: Vec<&'static str> = Vec::new();
    for step in reasons.map(Reason::next_step).filter(|step| !step.is_empty()) {
        if !steps.contains(&step) {
            steps.push(step);
        }
    }
    steps
}
