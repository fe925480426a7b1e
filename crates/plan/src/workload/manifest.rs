//! Reading a workload from its manifest, skipping over all that planning does not need.

use std::collections::{BTreeMap, BTreeSet};

use epiphyte_api::{WorkloadKind, names};
use jiff::Timestamp;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::look::{Devices, MountPath, PreloadValue, VariableName, VolumeName};
use super::{Container, Part, Pod, Preload, PreloadSource, Replacement, Variables, Workload};
use crate::scheduling::wire::{Affinity, TolerationManifest, scheduling};
use crate::{Annotation, AutoTraceLabel, Companions, DeliveryMark};

/// The manifest of a workload of any kind, as JSON or YAML. Its shape is the same for all six kinds but for the way to the
/// pod template, so the kind is given when it becomes a [`Workload`]: items of a list do not carry it.
#[derive(Deserialize)]
pub struct Manifest {
    #[serde(default)]
    metadata: Metadata,
    #[serde(default)]
    spec: Option<Spec>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Metadata {
    name: Box<str>,
    namespace: Box<str>,
    uid: Box<str>,
    resource_version: Box<str>,
    generation: Option<i64>,
    creation_timestamp: Option<Timestamp>,
    deletion_timestamp: Option<IgnoredAny>,
    labels: Option<Labels>,
    annotations: Option<Annotations>,
    owner_references: Option<Vec<OwnerReference>>,
}

#[derive(Deserialize)]
struct Labels {
    #[serde(rename = "lumigo.auto-trace")]
    auto_trace: Option<String>,
    #[serde(rename = "lumigo.enable-traces")]
    enable_traces: Option<String>,
    #[serde(rename = "lumigo.enable-logs")]
    enable_logs: Option<String>,
    #[serde(rename = "lumigo.token-secret")]
    token_secret: Option<String>,
    #[serde(rename = "lumigo.token-key")]
    token_key: Option<String>,
}

impl Labels {
    fn mark(&self) -> Option<AutoTraceLabel> {
        self.auto_trace.as_deref().map(AutoTraceLabel::from)
    }

    /// The companions of a label that turns injection on; those of any other say nothing.
    fn companions(&self) -> Option<Box<Companions>> {
        let Self { auto_trace: _, enable_traces, enable_logs, token_secret, token_key } = self;
        let [traces, logs, secret, key] = [enable_traces, enable_logs, token_secret, token_key].map(Option::as_deref);
        self.mark().filter(|mark| *mark == AutoTraceLabel::On)?;
        Companions::read(traces, logs, secret, key)
    }
}

#[derive(Deserialize)]
struct Annotations {
    #[serde(rename = "odigos.io/instrument")]
    instrument: Option<String>,
    #[serde(rename = "epiphyte.dev/delivery")]
    delivery: Option<String>,
}

#[derive(Deserialize)]
struct OwnerReference {
    controller: Option<bool>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Spec {
    paused: Option<bool>,
    update_strategy: Option<UpdateStrategy>,
    template: Option<Template>,
    job_template: Option<JobTemplate>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct UpdateStrategy {
    r#type: Option<String>,
    rolling_update: Option<RollingUpdate>,
}

#[derive(Deserialize)]
struct RollingUpdate {
    partition: Option<i64>,
}

#[derive(Deserialize)]
struct JobTemplate {
    spec: Option<JobSpec>,
}

#[derive(Deserialize)]
struct JobSpec {
    template: Option<Template>,
}

#[derive(Deserialize)]
struct Template {
    spec: Option<PodSpec>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct PodSpec {
    containers: Option<Vec<ContainerManifest>>,
    init_containers: Option<Vec<InitContainer>>,
    volumes: Option<Vec<Volume>>,
    node_name: Option<Box<str>>,
    node_selector: Option<BTreeMap<Box<str>, Box<str>>>,
    affinity: Option<Affinity>,
    tolerations: Option<Vec<TolerationManifest>>,
    os: Option<Os>,
}

#[derive(Deserialize)]
struct Os {
    name: Option<Box<str>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Volume {
    #[serde(default)]
    name: Box<str>,
    empty_dir: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct InitContainer {
    #[serde(default)]
    name: Box<str>,
    volume_mounts: Option<Vec<Mount>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ContainerManifest {
    #[serde(default)]
    name: Box<str>,
    #[serde(default)]
    image: Option<Box<str>>,
    env: Option<Vec<EnvVar>>,
    volume_mounts: Option<Vec<Mount>>,
    resources: Option<Resources>,
}

#[derive(Deserialize)]
struct Resources {
    limits: Option<Devices>,
    requests: Option<Devices>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct EnvVar {
    #[serde(default)]
    name: VariableName,
    #[serde(default)]
    value: PreloadValue,
    value_from: Option<IgnoredAny>,
}

/// A volume mount, by what we want to know of it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Mount {
    #[serde(default)]
    name: VolumeName,
    #[serde(default)]
    mount_path: MountPath,
}

impl Manifest {
    /// Namespace of the object; empty where the manifest does not say.
    pub fn namespace(&self) -> &str {
        &self.metadata.namespace
    }

    /// Name of the object.
    pub fn name(&self) -> &str {
        &self.metadata.name
    }

    /// Resource version of the object; empty for one that is not stored.
    pub fn resource_version(&self) -> &str {
        &self.metadata.resource_version
    }

    /// The workload that the manifest describes, read as one of the given kind.
    pub fn into_workload(self, kind: WorkloadKind) -> Workload {
        let Self { metadata, spec } = self;
        let spec = spec.unwrap_or_default();
        let replacement = replacement(kind, &spec);
        let template = match kind {
            WorkloadKind::CronJob => spec.job_template.and_then(|job| job.spec).and_then(|spec| spec.template),
            _ => spec.template,
        };
        let pod = template.and_then(|template| template.spec).map_or_else(Pod::default, pod);
        let annotations = metadata.annotations;
        let (instrument, delivery) =
            annotations.map_or((None, None), |annotations| (annotations.instrument, annotations.delivery));
        let labels = metadata.labels.as_ref();
        Workload {
            kind,
            label: labels.and_then(Labels::mark),
            companions: labels.and_then(Labels::companions),
            namespace: metadata.namespace,
            name: metadata.name,
            uid: metadata.uid,
            resource_version: metadata.resource_version,
            generation: metadata.generation.unwrap_or_default(),
            created: metadata.creation_timestamp,
            deleting: metadata.deletion_timestamp.is_some(),
            controlled: metadata.owner_references.into_iter().flatten().any(|owner| owner.controller == Some(true)),
            annotation: instrument.as_deref().map(Annotation::from),
            delivery: delivery.as_deref().map(DeliveryMark::from),
            replacement,
            pod,
        }
    }
}

fn replacement(kind: WorkloadKind, spec: &Spec) -> Replacement {
    let strategy = spec.update_strategy.as_ref();
    let on_delete = strategy.is_some_and(|strategy| strategy.r#type.as_deref() == Some("OnDelete"));
    let partition = strategy
        .and_then(|strategy| strategy.rolling_update.as_ref())
        .is_some_and(|rolling| rolling.partition.is_some_and(|partition| partition > 0));
    let manual = match kind {
        WorkloadKind::Job => return Replacement::Immutable,
        WorkloadKind::CronJob => return Replacement::NextRun,
        WorkloadKind::ReplicaSet => true,
        WorkloadKind::Deployment => spec.paused == Some(true),
        WorkloadKind::DaemonSet => on_delete,
        WorkloadKind::StatefulSet => on_delete || partition,
    };
    if manual { Replacement::Manual } else { Replacement::Rollout }
}

fn pod(spec: PodSpec) -> Pod {
    let containers = spec.containers.unwrap_or_default();
    let init_containers = spec.init_containers.unwrap_or_default();
    let (volume, init_container) = parts(&containers, &init_containers, &spec.volumes.unwrap_or_default());
    let selected = |key: &str, older: &str| {
        let selector = spec.node_selector.as_ref()?;
        selector.get(key).or_else(|| selector.get(older)).cloned()
    };
    Pod {
        containers: containers.into_iter().map(|manifest| container(manifest, volume)).collect(),
        volume,
        init_container,
        os: spec.os.and_then(|os| os.name).or_else(|| selected("kubernetes.io/os", "beta.kubernetes.io/os")),
        arch: selected("kubernetes.io/arch", "beta.kubernetes.io/arch"),
        scheduling: scheduling(spec.node_name, spec.node_selector, spec.affinity, spec.tolerations),
    }
}

/// Whose the volume and the init container under our name are.
///
/// The volume is ours if it is an `emptyDir` that a container mounts at our path or our init container fills, and nobody
/// mounts it anywhere else; the init container is ours if it mounts our volume.
fn parts(containers: &[ContainerManifest], init_containers: &[InitContainer], volumes: &[Volume]) -> (Part, Part) {
    let volume = volumes.iter().find(|volume| &*volume.name == names::INJECTOR_NAME);
    let init = init_containers.iter().find(|init| &*init.name == names::INJECTOR_NAME);
    let init_fills = init.is_some_and(|init| mounts(init.volume_mounts.as_deref()).next().is_some());

    let in_containers = || containers.iter().flat_map(|container| mounts(container.volume_mounts.as_deref()));
    let in_other_inits = init_containers
        .iter()
        .filter(|init| &*init.name != names::INJECTOR_NAME)
        .any(|init| mounts(init.volume_mounts.as_deref()).next().is_some());
    let used_otherwise = in_other_inits || in_containers().any(|mount| !mount.mount_path.is_injector);
    let used_as_ours = init_fills || in_containers().next().is_some();
    let empty_dir = volume.is_none_or(|volume| volume.empty_dir.is_some());
    let ours = empty_dir && used_as_ours && !used_otherwise;

    let volume = match volume {
        Some(_) if ours => Part::Ours,
        None if !used_otherwise => Part::Absent,
        _ => Part::Foreign,
    };
    let init_container = match init {
        Some(_) if init_fills && volume != Part::Foreign => Part::Ours,
        Some(_) => Part::Foreign,
        None => Part::Absent,
    };
    (volume, init_container)
}

/// The mounts of the volume under our name.
fn mounts(mounts: Option<&[Mount]>) -> impl Iterator<Item = &Mount> {
    mounts.unwrap_or_default().iter().filter(|mount| mount.name == VolumeName::Injector)
}

fn container(manifest: ContainerManifest, volume: Part) -> Container {
    let all_mounts = manifest.volume_mounts.as_deref().unwrap_or_default();
    let is_ours =
        |mount: &Mount| volume != Part::Foreign && mount.name == VolumeName::Injector && mount.mount_path.is_injector;
    let env = manifest.env.as_deref().unwrap_or_default();
    let devices: BTreeSet<Box<str>> = manifest
        .resources
        .into_iter()
        .flat_map(|resources| [resources.limits, resources.requests])
        .flatten()
        .flat_map(|Devices(names)| names)
        .collect();
    Container {
        name: manifest.name,
        image: manifest.image.unwrap_or_default(),
        devices: devices.into_iter().collect(),
        injected: all_mounts.iter().any(is_ours),
        preload: preload(env),
        variables: env.iter().fold(Variables::default(), |set, variable| match variable.name {
            VariableName::Ours(ours) => set.with(ours),
            VariableName::Preload | VariableName::Other => set,
        }),
        mounts_over_injector: all_mounts.iter().any(|mount| mount.mount_path.over_injector && !is_ours(mount)),
        mounts_over_device: all_mounts.iter().any(|mount| mount.mount_path.over_device),
    }
}

fn preload(env: &[EnvVar]) -> Preload {
    let mut preload = Preload::default();
    for variable in env.iter().filter(|variable| matches!(variable.name, VariableName::Preload)) {
        let ambiguous = preload.source != PreloadSource::Unset || variable.value.elsewhere;
        preload = Preload {
            source: match (ambiguous, &variable.value_from) {
                (true, _) => PreloadSource::Ambiguous,
                (false, Some(IgnoredAny)) => PreloadSource::Reference,
                (false, None) => PreloadSource::Literal,
            },
            ends_with_injector: variable.value.ends_with_injector,
            ends_with_device: variable.value.ends_with_device,
            ours_alone: variable.value.ours_alone,
        };
    }
    preload
}
