//! The pods of this node, and nothing of them that no room needs.

mod manifest;
mod workload;

use epiphyte_api::Device;
use epiphyte_daemon::{ObjectKey, Served, Watched};
use jiff::Timestamp;

pub(crate) use workload::Workload;

use crate::watch::Shared;

/// The pods of this node, as they are shared.
pub(crate) type Pods = Shared<Pod>;

/// A pod of this node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pod {
    pub(crate) key: ObjectKey,
    pub(crate) uid: Box<str>,
    /// What it belongs to.
    pub(crate) workload: Workload,
    /// When the kubelet took it up.
    pub(crate) started: Option<Timestamp>,
    /// Whether all its containers have ended for good.
    pub(crate) finished: bool,
    /// Its regular containers.
    pub(crate) containers: Box<[Container]>,
}

/// A container of a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Container {
    pub(crate) name: Box<str>,
    /// As the pod's specification names it.
    pub(crate) image: Box<str>,
    /// Digest of the image that runs.
    pub(crate) image_id: Option<Box<str>>,
    /// The device of ours that it asks for.
    pub(crate) device: Option<Device>,
    /// What runs; `None` while nothing does.
    pub(crate) running: Option<Running>,
}

/// A container that runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Running {
    /// The container runtime's id, without `containerd://` and the like.
    pub(crate) id: Box<str>,
    /// Since when.
    pub(crate) since: Timestamp,
    /// Whether it says that it is ready.
    pub(crate) ready: bool,
}

impl Watched for Pod {
    const SERVED: Served = Served { group: "", version: "v1", kind: "Pod", plural: "pods" };
    const GUARDED: bool = false;
    type Manifest = manifest::Manifest;

    fn read(manifest: Self::Manifest) -> Self {
        manifest.into()
    }
}

impl Pod {
    /// A container by its name.
    pub(crate) fn container(&self, name: &str) -> Option<&Container> {
        self.containers.iter().find(|container| &*container.name == name)
    }

    /// How many of its containers ask for a device of ours.
    pub(crate) fn instrumented(&self) -> usize {
        self.containers.iter().filter(|container| container.device.is_some()).count()
    }
}
