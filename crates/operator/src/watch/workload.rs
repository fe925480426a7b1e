//! The six kinds of workload, watched each by itself.

use std::fmt;
use std::marker::PhantomData;

use epiphyte_api::WorkloadKind;
use epiphyte_daemon::{Named, Served, Watched};
use epiphyte_plan::{Manifest, Workload};
use jiff::Timestamp;
use serde::Deserialize;

use crate::index::{Change, Fact, Index, ObjectKey, WorkloadKey};

/// A type that stands for one kind of workload.
pub(crate) trait Kind: Send + Sync + 'static {
    const KIND: WorkloadKind;
}

macro_rules! kinds {
    ($($name:ident)*) => {
        $(
            pub(crate) enum $name {}
            impl Kind for $name {
                const KIND: WorkloadKind = WorkloadKind::$name;
            }
        )*
    };
}

kinds! { Deployment DaemonSet StatefulSet ReplicaSet CronJob Job }

/// A workload of one kind.
pub(crate) struct Of<K>(Workload, PhantomData<fn() -> K>);

impl<K> Clone for Of<K> {
    fn clone(&self) -> Self {
        Self(self.0.clone(), PhantomData)
    }
}

impl<K> fmt::Debug for Of<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<K: Kind> Fact for Of<K> {
    fn apply(self, index: &mut Index, _now: Timestamp) -> Change {
        index.apply_workload(self.0)
    }

    fn delete(key: &ObjectKey, index: &mut Index, _now: Timestamp) -> Change {
        let ObjectKey { namespace, name } = key.clone();
        index.delete_workload(&WorkloadKey { kind: K::KIND, namespace, name })
    }

    fn keys(index: &Index) -> Vec<ObjectKey> {
        index.workload_keys(K::KIND)
    }
}

/// The manifest of a workload.
#[derive(Deserialize)]
#[serde(transparent)]
pub(crate) struct WorkloadManifest(Manifest);

impl Named for WorkloadManifest {
    fn key(&self) -> ObjectKey {
        ObjectKey { namespace: self.0.namespace().into(), name: self.0.name().into() }
    }

    fn resource_version(&self) -> &str {
        self.0.resource_version()
    }
}

impl<K: Kind> Watched for Of<K> {
    const SERVED: Served =
        Served { group: K::KIND.group(), version: "v1", kind: K::KIND.as_str(), plural: K::KIND.plural() };
    const GUARDED: bool = false;
    type Manifest = WorkloadManifest;

    fn read(manifest: WorkloadManifest) -> Self {
        Self(manifest.0.into_workload(K::KIND), PhantomData)
    }
}
