//! What a pod belongs to, told by its controller's name alone: ReplicaSets and Jobs are not watched for it.

use epiphyte_api::WorkloadKind;

/// Digits at the end of a CronJob's Jobs: minutes since 1970.
const SCHEDULE_DIGITS: usize = 8;

/// What a pod belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Workload {
    /// Kind of the workload; `None` for a pod by itself and one of a controller that we know nothing of.
    pub(crate) kind: Option<WorkloadKind>,
    /// Name of the workload; of the pod where it belongs to none.
    pub(crate) name: Box<str>,
    /// The ReplicaSet or Job between a Deployment or CronJob and the pod.
    pub(crate) through: Option<Box<str>>,
}

impl Workload {
    /// Of a pod without a controller.
    pub(crate) fn none(pod: &str) -> Self {
        Self { kind: None, name: pod.into(), through: None }
    }

    /// Tells by the controller of the pod, and by the label `pod-template-hash` that a Deployment gives to its ReplicaSets
    /// and their pods.
    pub(crate) fn of(kind: &str, name: &str, template_hash: Option<&str>) -> Self {
        let kind = WorkloadKind::ALL.into_iter().find(|it| it.as_str() == kind);
        let owner = match kind {
            Some(WorkloadKind::ReplicaSet) => template_hash
                .and_then(|hash| name.strip_suffix(hash)?.strip_suffix('-'))
                .map(|owner| (WorkloadKind::Deployment, owner)),
            Some(WorkloadKind::Job) => name
                .rsplit_once('-')
                .filter(|(_, end)| end.len() >= SCHEDULE_DIGITS && end.bytes().all(|byte| byte.is_ascii_digit()))
                .map(|(owner, _)| (WorkloadKind::CronJob, owner)),
            _ => None,
        };
        match owner {
            Some((kind, owner)) => Self { kind: Some(kind), name: owner.into(), through: Some(name.into()) },
            None => Self { kind, name: name.into(), through: None },
        }
    }

    /// Whether it may be this workload. A Job may be a CronJob's by its name and yet stand by itself.
    pub(crate) fn may_be(&self, kind: WorkloadKind, name: &str) -> bool {
        let own = self.kind == Some(kind) && *self.name == *name;
        own || (kind == WorkloadKind::Job && self.through.as_deref() == Some(name))
    }
}

#[cfg(test)]
mod tests {
    use epiphyte_api::WorkloadKind::{CronJob, DaemonSet, Deployment, Job, ReplicaSet};

    use super::Workload;

    fn owner(kind: &str, name: &str, hash: Option<&str>) -> (Option<epiphyte_api::WorkloadKind>, String) {
        let workload = Workload::of(kind, name, hash);
        (workload.kind, workload.name.into())
    }

    #[test]
    fn a_replica_set_named_after_its_template_is_a_deployments() {
        assert_eq!(owner("ReplicaSet", "shop-5d9c7bfd4", Some("5d9c7bfd4")), (Some(Deployment), "shop".into()));
        assert_eq!(owner("ReplicaSet", "shop-5d9c7bfd4", None), (Some(ReplicaSet), "shop-5d9c7bfd4".into()));
        assert_eq!(owner("ReplicaSet", "shop", Some("5d9c7bfd4")), (Some(ReplicaSet), "shop".into()));
    }

    #[test]
    fn a_job_named_after_its_schedule_is_a_cron_jobs() {
        assert_eq!(owner("Job", "backup-28471230", None), (Some(CronJob), "backup".into()));
        assert_eq!(owner("Job", "backup-2", None), (Some(Job), "backup-2".into()));
        let by_itself = Workload::of("Job", "import-20240101", None);
        assert!(by_itself.may_be(Job, "import-20240101") && by_itself.may_be(CronJob, "import"));
        assert!(!by_itself.may_be(Job, "import"));
    }

    #[test]
    fn others_own_their_pods_themselves() {
        assert_eq!(owner("DaemonSet", "agent", None), (Some(DaemonSet), "agent".into()));
        assert_eq!(owner("Rollout", "shop", Some("1")), (None, "shop".into()));
    }
}
