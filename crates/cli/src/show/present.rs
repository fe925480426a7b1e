//! What is on a workload now, whatever is to become of it.

use epiphyte_api::Severity;
use epiphyte_operator::instrumented;
use epiphyte_plan::{Container, Instrument, Verdict, Workload};
use serde::Serialize;

use super::FindingReport;

/// What is on a workload now.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Present {
    /// `on` if every container is instrumented, `partly` if some are; else `waiting` if something is awaited, `keep` if
    /// the workload is to stay as it is, `off`.
    pub(crate) state: &'static str,
    /// Generation of the workload's specification.
    pub(crate) generation: i64,
    /// What each container has, in the order of the pod template.
    pub(crate) containers: Vec<PresentContainer>,
    /// Why the state is as it is.
    pub(crate) why: FindingReport,
    /// What the reader can do about it; empty if nothing.
    #[serde(skip)]
    pub(crate) next: &'static str,
}

/// What a container has now.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PresentContainer {
    /// Name of the container.
    pub(crate) name: String,
    /// `device`, `injector`, or `null`.
    pub(crate) delivery: Option<&'static str>,
    /// Devices that it asks for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) devices: Vec<String>,
}

impl Present {
    /// Looks at a workload, given what is to become of it.
    pub(crate) fn of(workload: &Workload, verdict: &Verdict) -> Self {
        let pod = &workload.pod;
        let (_, why) = instrumented(workload, verdict);
        let whole = pod.containers.iter().filter(|container| pod.instrument(container).is_some()).count();
        let keeps = verdict.containers.iter().any(|it| it.decision == epiphyte_plan::Decision::Keep);
        let state = if whole > 0 && whole == pod.containers.len() {
            "on"
        } else if pod.containers.iter().any(Container::is_ours) {
            "partly"
        } else if why.reason.severity() == Severity::Waiting {
            "waiting"
        } else if keeps {
            "keep"
        } else {
            "off"
        };
        let container = |container: &Container| PresentContainer {
            name: container.name.to_string(),
            delivery: match pod.instrument(container) {
                Some(Instrument::Device(_)) => Some("device"),
                Some(Instrument::Injector) => Some("injector"),
                None => None,
            },
            devices: container.devices.iter().map(ToString::to_string).collect(),
        };
        Self {
            state,
            generation: workload.generation,
            containers: pod.containers.iter().map(container).collect(),
            next: why.reason.next_step(),
            why: FindingReport::from(&why),
        }
    }

    /// By what the first instrumented container is.
    pub(crate) fn delivery(&self) -> Option<&'static str> {
        self.containers.iter().find_map(|container| container.delivery)
    }
}
