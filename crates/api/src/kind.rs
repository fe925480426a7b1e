//! The six kinds of workload.

use std::fmt;
use std::str::FromStr;

/// A kind of workload that Epiphyte can instrument.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WorkloadKind {
    /// `apps/v1` Deployment.
    Deployment,
    /// `apps/v1` DaemonSet.
    DaemonSet,
    /// `apps/v1` StatefulSet.
    StatefulSet,
    /// `apps/v1` ReplicaSet without a controller.
    ReplicaSet,
    /// `batch/v1` CronJob.
    CronJob,
    /// `batch/v1` Job without a controller.
    Job,
}

impl WorkloadKind {
    /// All kinds, in the order in which they are shown.
    pub const ALL: [Self; 6] =
        [Self::Deployment, Self::DaemonSet, Self::StatefulSet, Self::ReplicaSet, Self::CronJob, Self::Job];

    /// The kind as it is spelled in manifests.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Deployment => "Deployment",
            Self::DaemonSet => "DaemonSet",
            Self::StatefulSet => "StatefulSet",
            Self::ReplicaSet => "ReplicaSet",
            Self::CronJob => "CronJob",
            Self::Job => "Job",
        }
    }

    /// The lower-case plural by which the API server serves the kind.
    pub const fn plural(self) -> &'static str {
        match self {
            Self::Deployment => "deployments",
            Self::DaemonSet => "daemonsets",
            Self::StatefulSet => "statefulsets",
            Self::ReplicaSet => "replicasets",
            Self::CronJob => "cronjobs",
            Self::Job => "jobs",
        }
    }

    /// API group of the kind; all are at version `v1`.
    pub const fn group(self) -> &'static str {
        match self {
            Self::CronJob | Self::Job => "batch",
            Self::Deployment | Self::DaemonSet | Self::StatefulSet | Self::ReplicaSet => "apps",
        }
    }

    /// `group/version` of the kind.
    pub const fn api_version(self) -> &'static str {
        match self {
            Self::CronJob | Self::Job => "batch/v1",
            Self::Deployment | Self::DaemonSet | Self::StatefulSet | Self::ReplicaSet => "apps/v1",
        }
    }

    /// JSON pointer to the pod template in an object of the kind.
    pub const fn template_pointer(self) -> &'static str {
        match self {
            Self::CronJob => "/spec/jobTemplate/spec/template",
            _ => "/spec/template",
        }
    }

    /// Whether the `device` delivery serves the kind.
    pub const fn served_by_device(self) -> bool {
        matches!(self, Self::Deployment | Self::DaemonSet | Self::StatefulSet | Self::CronJob)
    }
}

impl fmt::Display for WorkloadKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The text names none of the six kinds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownKind;

impl fmt::Display for UnknownKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = WorkloadKind::ALL.map(WorkloadKind::as_str).join(", ");
        write!(f, "not a kind of workload; the kinds are {known}")
    }
}

impl std::error::Error for UnknownKind {}

impl FromStr for WorkloadKind {
    type Err = UnknownKind;

    /// Takes the kind in any case, singular or plural, as `kubectl` does.
    fn from_str(text: &str) -> Result<Self, UnknownKind> {
        Self::ALL
            .into_iter()
            .find(|kind| text.eq_ignore_ascii_case(kind.as_str()) || text.eq_ignore_ascii_case(kind.plural()))
            .ok_or(UnknownKind)
    }
}
