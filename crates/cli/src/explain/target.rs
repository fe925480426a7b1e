//! `KIND/NAME`: the workload that is asked about.

use std::str::FromStr;

use epiphyte_api::WorkloadKind;

use crate::cluster::Resource;

/// Kind and name of a workload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) kind: WorkloadKind,
    pub(crate) name: String,
}

impl FromStr for Target {
    type Err = String;

    /// Takes the kind in any case, singular, plural or short.
    fn from_str(text: &str) -> Result<Self, String> {
        let Some((kind, name)) = text.split_once('/') else {
            return Err("give KIND/NAME, such as deployment/shop".to_owned());
        };
        // Only such names exist, and only such are safe in a URL.
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.';
        if name.is_empty() || !name.bytes().all(is_name) {
            return Err(format!("{name:?} is no name of a workload"));
        }
        let kind = match short(kind) {
            Some(kind) => kind,
            None => kind.parse::<WorkloadKind>().map_err(|unknown| unknown.to_string())?,
        };
        Ok(Self { kind, name: name.to_owned() })
    }
}

impl Target {
    /// How the API server serves the kind.
    pub(crate) fn resource(&self) -> Resource {
        resource(self.kind)
    }
}

/// How the API server serves a kind of workload.
pub(crate) const fn resource(kind: WorkloadKind) -> Resource {
    Resource { group: kind.group(), version: "v1", kind: kind.as_str(), plural: kind.plural() }
}

/// The short names that `kubectl` knows.
fn short(kind: &str) -> Option<WorkloadKind> {
    match kind.to_ascii_lowercase().as_str() {
        "deploy" => Some(WorkloadKind::Deployment),
        "ds" => Some(WorkloadKind::DaemonSet),
        "sts" => Some(WorkloadKind::StatefulSet),
        "rs" => Some(WorkloadKind::ReplicaSet),
        "cj" => Some(WorkloadKind::CronJob),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(text: &str) -> Option<WorkloadKind> {
        text.parse::<Target>().ok().map(|target| target.kind)
    }

    #[test]
    fn a_kind_is_taken_in_any_case_singular_plural_or_short() {
        for text in ["Deployment/a", "deployments/a", "DEPLOY/a"] {
            assert_eq!(kind(text), Some(WorkloadKind::Deployment), "{text}");
        }
        assert_eq!(kind("sts/a"), Some(WorkloadKind::StatefulSet));
        assert_eq!(kind("cj/a"), Some(WorkloadKind::CronJob));
        assert_eq!(kind("jobs/a"), Some(WorkloadKind::Job));
    }

    #[test]
    fn what_names_no_workload_is_refused() {
        for text in ["shop", "deploy/", "pod/shop", "deploy/a/b", "deploy/../x", "deploy/a?b"] {
            assert_eq!(kind(text), None, "{text}");
        }
    }
}
