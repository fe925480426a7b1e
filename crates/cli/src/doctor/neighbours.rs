//! Other systems that instrument the same workloads, and what is left of installations.

use epiphyte_api::names::UNINSTALLING_CONFIG_MAP;
use epiphyte_api::{Diagnosis, WorkloadKind};
use epiphyte_plan::{Container, Manifest};
use serde::Deserialize as _;
use serde_json::Value;

use super::patient::Patient;
use super::report::{Finding, Looked};
use crate::audit::{CONFIG_MAPS, DAEMON_SETS, DEPLOYMENTS, WEBHOOKS, text};
use crate::cluster::{Refusal, Resource};
use crate::explain::resource;

/// Another system, by what it installs.
struct Other {
    name: &'static str,
    /// How the names of its webhooks end.
    webhooks: &'static [&'static str],
    /// How the names of its Deployments and DaemonSets end.
    programs: &'static [&'static str],
}

/// The systems whose custom resources, marks and devices are ours too.
const OTHERS: [Other; 2] = [
    Other { name: "Odigos", webhooks: &[".odigos.io"], programs: &["odigos-instrumentor", "odiglet"] },
    Other {
        name: "the Lumigo operator",
        webhooks: &["lumigoinjector.kb.io", "lumigodefaulter.kb.io"],
        programs: &["lumigo-operator-controller-manager", "lumigo-kubernetes-operator"],
    },
];

pub(super) async fn look(patient: &Patient<'_>) -> Looked {
    let mut findings = Vec::new();
    others(
        patient,
        &WEBHOOKS,
        |it| {
            let webhooks = it.get("webhooks").and_then(Value::as_array).into_iter().flatten();
            let names: Vec<&str> = webhooks.map(|it| text(it, "/name")).collect();
            OTHERS.iter().find(|other| names.iter().any(|name| other.webhooks.iter().any(|end| name.ends_with(end))))
        },
        &mut findings,
    )
    .await?;
    for resource in [&DEPLOYMENTS, &DAEMON_SETS] {
        let of = |it: &Value| {
            let name = text(it, "/metadata/name");
            OTHERS.iter().find(|other| other.programs.iter().any(|end| name.ends_with(end)))
        };
        others(patient, resource, of, &mut findings).await?;
    }
    let mark = patient.cluster.get(&CONFIG_MAPS, Some(&patient.system), UNINSTALLING_CONFIG_MAP).await?;
    findings.extend(mark.map(|it| {
        Finding::of(Diagnosis::UninstallBegun, "the ConfigMap that says so is there").of_object(&CONFIG_MAPS, &it)
    }));
    if !patient.has_operator() {
        findings.extend(left(patient).await?);
    }
    if findings.is_empty() {
        findings.push(Finding::of(Diagnosis::NoNeighbours, "none"));
    }
    Ok(findings)
}

/// What of a kind belongs to another system.
async fn others(
    patient: &Patient<'_>,
    resource: &Resource,
    of: impl Fn(&Value) -> Option<&'static Other>,
    findings: &mut Vec<Finding>,
) -> Result<(), Refusal> {
    let each = |it: Value| {
        findings.extend(of(&it).map(|other| Finding::of(Diagnosis::OtherSystem, other.name).of_object(resource, &it)));
    };
    patient.cluster.list(resource, None, None, each).await
}

/// Workloads that are instrumented where nobody sees to them.
async fn left(patient: &Patient<'_>) -> Result<Option<Finding>, Refusal> {
    let mut left = 0_usize;
    for kind in WorkloadKind::ALL {
        let each = |object: Value| {
            let workload = Manifest::deserialize(&object).map(|it| it.into_workload(kind));
            left += usize::from(
                workload.is_ok_and(|it| !it.controlled && it.pod.containers.iter().any(Container::is_ours)),
            );
        };
        patient.cluster.list(&resource(kind), None, None, each).await?;
    }
    Ok((left > 0).then(|| Finding::of(Diagnosis::LeftWithoutOperator, format!("{left} workloads are instrumented"))))
}
