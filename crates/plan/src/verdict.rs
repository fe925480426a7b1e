//! The outcome of planning one workload.

use epiphyte_api::{Device, Reason};

use crate::{Container, Finding};

/// How the agent files and their activation reach a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Delivery {
    /// By a device of the kubelet's device plugin.
    Device,
    /// By an init container and a preload library.
    Injector,
}

impl Delivery {
    /// The word used in the annotation `epiphyte.dev/delivery`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Device => "device",
            Self::Injector => "injector",
        }
    }
}

/// What instruments a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Instrument {
    /// The container asks for this device.
    Device(Device),
    /// The container mounts the injector's volume.
    Injector,
}

/// What is to become of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Decision {
    /// It is to be instrumented, in this way.
    On(Instrument),
    /// It is not to be instrumented.
    Off,
    /// It is to stay as it is.
    Keep,
}

impl Decision {
    /// The word used in `status.containers[].verdict`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::On(_) => "on",
            Self::Off => "off",
            Self::Keep => "keep",
        }
    }
}

/// Verdict of one container of the pod template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerVerdict {
    /// Name of the container.
    pub name: Box<str>,
    /// What is to become of it.
    pub decision: Decision,
    /// What was found, in order; the last settled the decision. Never empty.
    pub findings: Vec<Finding>,
}

impl ContainerVerdict {
    /// The verdict of a container, from what was found on the way and what settled it.
    pub(crate) fn new(container: &Container, mut findings: Vec<Finding>, decision: Decision, settled: Finding) -> Self {
        findings.push(settled);
        Self { name: container.name.clone(), decision, findings }
    }

    /// The finding that settled the decision.
    pub fn settled_by(&self) -> Finding {
        self.findings.last().cloned().unwrap_or_else(|| Reason::NotMarked.into())
    }
}

/// How one of the three conditions of the `device` delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GateState {
    /// The condition holds.
    Holds,
    /// The condition does not hold.
    Fails,
    /// It is not known yet, or its loss does not count yet.
    Waits,
    /// Nothing asks for it.
    Unasked,
}

/// One condition and why it stands as it does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gate {
    /// How it stands.
    pub state: GateState,
    /// Why.
    pub finding: Finding,
}

/// The outcome of planning one workload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// How the agent is to be delivered; `None` where nothing is to be instrumented.
    pub delivery: Option<Delivery>,
    /// What was found about the workload as a whole, in the order in which planning looked.
    pub findings: Vec<Finding>,
    /// Whether a mark turns the workload on.
    pub marked: Gate,
    /// Whether runtime details are there.
    pub detected: Gate,
    /// Whether the collectors are ready.
    pub collectors: Gate,
    /// One verdict for each regular container, in the order of the pod template.
    pub containers: Vec<ContainerVerdict>,
}

impl Verdict {
    /// Whether an `InstrumentedApplication` is to be there for the workload: it is marked on for `device` and served by it.
    pub fn wants_details(&self) -> bool {
        self.delivery == Some(Delivery::Device) && self.marked.state == GateState::Holds
    }

    /// The decision about a container, by name; *off* for a container that was not there when the verdict was made.
    pub fn decision(&self, container: &str) -> Decision {
        self.containers
            .iter()
            .find(|verdict| &*verdict.name == container)
            .map_or(Decision::Off, |verdict| verdict.decision)
    }
}
