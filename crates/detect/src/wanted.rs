//! Which containers a scan looks into.

use std::collections::HashSet;

use crate::cgroup::Membership;

/// The containers that somebody asks about. The others cost a scan one small file for each of their processes.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    containers: HashSet<String>,
    pods: HashSet<String>,
}

impl Wanted {
    /// Adds a container by the id that its runtime gave it, without `containerd://` and the like.
    #[must_use]
    pub fn container(mut self, id: impl Into<String>) -> Self {
        self.containers.insert(id.into());
        self
    }

    /// Adds all containers of a pod by its UID. A pod from a file of the node has the value of its annotation
    /// `kubernetes.io/config.hash` instead.
    #[must_use]
    pub fn pod(mut self, uid: impl Into<String>) -> Self {
        self.pods.insert(uid.into());
        self
    }

    pub(crate) fn has(&self, found: &Membership<'_>) -> bool {
        self.containers.contains(found.container_id) || found.pod_uid.as_ref().is_some_and(|it| self.pods.contains(it))
    }
}
