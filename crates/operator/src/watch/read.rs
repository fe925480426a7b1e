//! From manifests to facts, one impl for each watched kind but the workloads.
//!
//! What is read is public, though nobody outside can name it: facts are, and they tell in a trait what they are read from.

use std::collections::BTreeMap;

use epiphyte_api::names::{DETECT_LABEL, DETECT_PENDING, LUMIGO_FINALIZER, UNINSTALLED};
use epiphyte_api::{
    CollectorsGroupStatus, Device, InstrumentedApplicationSpec, InstrumentedApplicationStatus, LumigoSpec,
    LumigoStatus, SourceSpec, WorkloadKind, collectors_condition, lumigo_condition,
};
use epiphyte_daemon::{Named, Served, Watched};
use epiphyte_plan::{Annotation, ContainerDetails, Details, LumigoFact, Node, Taint, TaintEffect, TokenRef};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::index::{
    CollectorsGroupFact, DetailsFact, LumigoRecord, NamespaceRecord, NodeFact, ObjectKey, SourceRecord, SourceTarget,
    UninstallingMark, WorkloadKey, lumigo_status_digest, status_digest,
};

/// An object of a kind with a specification and a status.
#[derive(Deserialize)]
pub struct Manifest<Spec, Status> {
    #[serde(default)]
    metadata: Metadata,
    spec: Spec,
    #[serde(default)]
    status: Option<Status>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Metadata {
    name: Box<str>,
    namespace: Box<str>,
    uid: Box<str>,
    resource_version: Box<str>,
    generation: i64,
    creation_timestamp: Option<Timestamp>,
    deletion_timestamp: Option<IgnoredAny>,
    labels: Option<BTreeMap<Box<str>, Box<str>>>,
    annotations: Option<Annotations>,
    owner_references: Option<Vec<Owner>>,
    finalizers: Option<Vec<Box<str>>>,
}

#[derive(Deserialize)]
struct Annotations {
    #[serde(rename = "odigos.io/instrument")]
    instrument: Option<String>,
    #[serde(rename = "epiphyte.dev/phase")]
    phase: Option<String>,
}

#[derive(Deserialize)]
struct Owner {
    kind: String,
    name: Box<str>,
    uid: Box<str>,
}

impl Metadata {
    fn key(&self) -> ObjectKey {
        ObjectKey { namespace: self.namespace.clone(), name: self.name.clone() }
    }
}

impl<Spec, Status> Named for Manifest<Spec, Status> {
    fn key(&self) -> ObjectKey {
        self.metadata.key()
    }

    fn resource_version(&self) -> &str {
        &self.metadata.resource_version
    }
}

impl Watched for NamespaceRecord {
    const SERVED: Served = Served { group: "", version: "v1", kind: "Namespace", plural: "namespaces" };
    const GUARDED: bool = false;
    // Written by hand, a Namespace has no specification.
    type Manifest = Bare;

    fn read(manifest: Bare) -> Self {
        let annotation = manifest.metadata.annotations.and_then(|annotations| annotations.instrument);
        Self {
            name: manifest.metadata.name,
            uid: manifest.metadata.uid,
            annotation: annotation.as_deref().map(Annotation::from),
        }
    }
}

/// An object of which only the metadata counts.
#[derive(Deserialize)]
pub struct Bare {
    #[serde(default)]
    metadata: Metadata,
}

impl Named for Bare {
    fn key(&self) -> ObjectKey {
        self.metadata.key()
    }

    fn resource_version(&self) -> &str {
        &self.metadata.resource_version
    }
}

impl Watched for UninstallingMark {
    const SERVED: Served = Served { group: "", version: "v1", kind: "ConfigMap", plural: "configmaps" };
    const GUARDED: bool = false;
    type Manifest = Bare;

    fn read(manifest: Bare) -> Self {
        let key = manifest.metadata.key();
        let phase = manifest.metadata.annotations.and_then(|annotations| annotations.phase);
        Self { key, over: phase.as_deref() == Some(UNINSTALLED) }
    }
}

#[derive(Deserialize, Default)]
pub struct NodeSpec {
    taints: Option<Vec<NodeTaint>>,
    #[serde(default)]
    unschedulable: bool,
}

#[derive(Deserialize)]
struct NodeTaint {
    #[serde(default)]
    key: Box<str>,
    #[serde(default)]
    value: Box<str>,
    #[serde(default)]
    effect: Box<str>,
}

#[derive(Deserialize, Default)]
pub struct NodeStatus {
    allocatable: Option<BTreeMap<Box<str>, Quantity>>,
    conditions: Option<Vec<NodeCondition>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Quantity {
    Text(Box<str>),
    Number(f64),
}

impl Quantity {
    fn is_zero(&self) -> bool {
        match self {
            Self::Text(text) => &**text == "0",
            Self::Number(number) => *number == 0.0,
        }
    }
}

#[derive(Deserialize)]
struct NodeCondition {
    r#type: Box<str>,
    status: Box<str>,
}

impl Watched for NodeFact {
    const SERVED: Served = Served { group: "", version: "v1", kind: "Node", plural: "nodes" };
    const GUARDED: bool = false;
    type Manifest = Manifest<NodeSpec, NodeStatus>;

    fn read(manifest: Self::Manifest) -> Self {
        let Manifest { metadata, spec, status } = manifest;
        let (allocatable, conditions) = status.map_or((None, None), |status| (status.allocatable, status.conditions));
        let offered = allocatable.into_iter().flatten().filter(|(_, quantity)| !quantity.is_zero());
        let taint = |taint: NodeTaint| {
            let effect = match &*taint.effect {
                "NoSchedule" => TaintEffect::NoSchedule,
                "NoExecute" => TaintEffect::NoExecute,
                _ => return None,
            };
            Some(Taint { key: taint.key, value: taint.value, effect })
        };
        Self(Node {
            name: metadata.name,
            labels: metadata.labels.unwrap_or_default(),
            taints: spec.taints.into_iter().flatten().filter_map(taint).collect(),
            unschedulable: spec.unschedulable,
            ready: conditions.into_iter().flatten().any(|it| &*it.r#type == "Ready" && &*it.status == "True"),
            devices: offered.filter_map(|(resource, _)| Device::from_resource(&resource)).collect(),
        })
    }
}

impl Watched for SourceRecord {
    const SERVED: Served = Served { group: "odigos.io", version: "v1alpha1", kind: "Source", plural: "sources" };
    const GUARDED: bool = true;
    type Manifest = Manifest<SourceSpec, IgnoredAny>;

    fn read(manifest: Self::Manifest) -> Self {
        let Manifest { metadata, spec, .. } = manifest;
        let workload = spec.workload;
        let target = if *workload.namespace != *metadata.namespace {
            SourceTarget::OtherNamespace(workload.namespace.into())
        } else if workload.kind == "Namespace" {
            if workload.name == workload.namespace {
                SourceTarget::Namespace
            } else {
                SourceTarget::OtherNamespace(workload.name.into())
            }
        } else {
            // Kinds are spelled exactly in objects; only people at a terminal may be free with them.
            let kind = WorkloadKind::ALL.into_iter().find(|kind| kind.as_str() == workload.kind);
            kind.map_or_else(
                || SourceTarget::UnknownKind(workload.kind.as_str().into()),
                |kind| {
                    let namespace = metadata.namespace.clone();
                    SourceTarget::Workload(WorkloadKey { kind, namespace, name: workload.name.as_str().into() })
                },
            )
        };
        Self {
            key: metadata.key(),
            uid: metadata.uid,
            created: metadata.creation_timestamp,
            target,
            disables: spec.disable_instrumentation,
        }
    }
}

/// The specification of a `CollectorsGroup`, as loose as whoever else defines that kind may have it.
#[derive(Deserialize)]
pub struct GroupSpec {
    #[serde(default)]
    role: Box<str>,
}

impl Watched for CollectorsGroupFact {
    const SERVED: Served =
        Served { group: "odigos.io", version: "v1alpha1", kind: "CollectorsGroup", plural: "collectorsgroups" };
    const GUARDED: bool = true;
    type Manifest = Manifest<GroupSpec, CollectorsGroupStatus>;

    fn read(manifest: Self::Manifest) -> Self {
        let Manifest { metadata, spec, status } = manifest;
        let status = status.unwrap_or_default();
        Self {
            key: metadata.key(),
            generation: metadata.generation,
            labels: metadata.labels.unwrap_or_default(),
            role: spec.role,
            ready: status.ready,
            condition: status.conditions.into_iter().find(|it| it.type_ == collectors_condition::READY),
        }
    }
}

impl Watched for LumigoRecord {
    const SERVED: Served = Served { group: "operator.lumigo.io", version: "v1", kind: "Lumigo", plural: "lumigoes" };
    const GUARDED: bool = true;
    type Manifest = Manifest<LumigoSpec, LumigoStatus>;

    fn read(manifest: Self::Manifest) -> Self {
        let Manifest { metadata, spec, status } = manifest;
        let status = status.unwrap_or_default();
        let is_active = |it: &Condition| it.type_ == lumigo_condition::ACTIVE && it.status == "True";
        let injection = spec.tracing.injection;
        let secret = spec.lumigo_token.and_then(|token| token.secret_ref);
        Self {
            namespace: metadata.namespace,
            uid: metadata.uid,
            resource_version: metadata.resource_version.parse().ok(),
            generation: metadata.generation,
            has_finalizer: metadata.finalizers.into_iter().flatten().any(|it| &*it == LUMIGO_FINALIZER),
            wants_events: spec.infrastructure.enabled && spec.infrastructure.kube_events.enabled,
            status: lumigo_status_digest(&status),
            fact: LumigoFact {
                name: metadata.name,
                created: metadata.creation_timestamp,
                deleting: metadata.deletion_timestamp.is_some(),
                active: status.conditions.iter().any(is_active),
                injects: injection.enabled,
                injects_existing: injection.inject_lumigo_into_existing_resources_on_creation,
                removes_on_deletion: injection.remove_lumigo_from_resources_on_deletion,
                traces: spec.tracing.enabled,
                logs: spec.logging.enabled,
                token: secret.map(|secret| TokenRef { name: secret.name.into(), key: secret.key.into() }),
            },
        }
    }
}

impl Watched for DetailsFact {
    const SERVED: Served = Served {
        group: "odigos.io",
        version: "v1alpha1",
        kind: "InstrumentedApplication",
        plural: "instrumentedapplications",
    };
    const GUARDED: bool = true;
    type Manifest = Manifest<InstrumentedApplicationSpec, InstrumentedApplicationStatus>;

    fn read(manifest: Self::Manifest) -> Self {
        let Manifest { metadata, spec, status } = manifest;
        let key = metadata.key();
        let owner = metadata.owner_references.into_iter().flatten().find_map(|owner| {
            let kind = WorkloadKind::ALL.into_iter().find(|kind| kind.as_str() == owner.kind)?;
            Some((WorkloadKey { namespace: key.namespace.clone(), kind, name: owner.name }, owner.uid))
        });
        let named = || {
            let (kind, name) = key.name.split_once('-')?;
            let kind = kind.parse().ok()?;
            Some(WorkloadKey { namespace: key.namespace.clone(), kind, name: name.into() })
        };
        let (workload, owner_uid) = owner.map_or((None, None), |(workload, uid)| (Some(workload), Some(uid)));
        let pending =
            metadata.labels.is_some_and(|labels| labels.get(DETECT_LABEL).is_some_and(|it| &**it == DETECT_PENDING));
        let seen = |entry: epiphyte_api::ContainerRuntime| ContainerDetails {
            name: entry.container_name.into(),
            language: entry.language,
            runtime_version: entry.runtime_version.map(Into::into),
            image: entry.image.map(Into::into),
            other_agent: entry.other_agent.filter(|agent| !agent.is_empty()).map(Into::into),
            preloads: entry.preload.is_some_and(|preload| !preload.trim().is_empty()),
        };
        Self {
            workload: workload.or_else(named),
            owner_uid,
            uid: metadata.uid,
            generation: metadata.generation,
            resource_version: metadata.resource_version.parse().ok(),
            details: Details { pending, containers: spec.languages.into_iter().map(seen).collect() },
            request: spec.request.into_iter().map(|it| (it.container_name.into(), it.image.into())).collect(),
            status: status_digest(&status.unwrap_or_default()),
            key,
        }
    }
}
