//! What surgery puts into a container and into a pod: rendered anew, or taken over from an older state of the object.

use epiphyte_api::{Device, WorkloadKind, names};
use epiphyte_plan::{Container, Instrument, Part, Pod, Variables};
use json_patch::jsonptr::PointerBuf;
use serde_json::Value;

use crate::Rendering;
use crate::editor::name_of;
use crate::rendering;

/// How our preload library comes into the process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Preloading {
    /// Not by the manifest.
    #[default]
    None,
    /// The device plugin sets `LD_PRELOAD`; only a literal of the manifest, which would win, is chained.
    ByPlugin,
    /// The manifest sets it; a literal that is there already is chained.
    ByManifest,
}

/// What surgery puts into one container. The default is nothing.
#[derive(Clone, Debug, Default)]
pub(crate) struct Graft {
    /// Extended resources to ask for.
    pub(crate) devices: Vec<Box<str>>,
    /// How the preload library gets in.
    pub(crate) preloading: Preloading,
    /// Entries of `env` besides `LD_PRELOAD`.
    pub(crate) variables: Vec<Value>,
    /// Entry of `volumeMounts`.
    pub(crate) mount: Option<Value>,
}

impl Graft {
    /// What instruments a container, made anew.
    pub(crate) fn rendered(instrument: Instrument, container: &str, rendering: &Rendering) -> Self {
        match instrument {
            Instrument::Device(device) => Self {
                devices: vec![device.resource().into()],
                preloading: if device.preloads() { Preloading::ByPlugin } else { Preloading::None },
                variables: rendering.device_variables(),
                mount: None,
            },
            Instrument::Injector => Self {
                devices: Vec::new(),
                preloading: Preloading::ByManifest,
                variables: rendering.injector_variables(container),
                mount: Some(rendering::mount()),
            },
        }
    }

    /// What a container of an older state of the object has of ours.
    pub(crate) fn taken(view: &Container, container: &Value) -> Self {
        let items = |list: &str| container.get(list).and_then(Value::as_array).into_iter().flatten();
        let own = view.own_variables();
        let is_own = |entry: &&Value| name_of(entry).is_some_and(|name| is_among(name, own));
        let is_mount = |entry: &&Value| name_of(entry) == Some(names::INJECTOR_NAME);
        Self {
            devices: view.devices.to_vec(),
            preloading: match (view.injected, view.devices.iter().any(|resource| preloads(resource))) {
                (true, _) => Preloading::ByManifest,
                (false, true) => Preloading::ByPlugin,
                (false, false) => Preloading::None,
            },
            variables: items("env").filter(is_own).cloned().collect(),
            mount: items("volumeMounts").find(is_mount).filter(|_| view.injected).cloned(),
        }
    }
}

/// What instruments a container, be it in part only: what planning's obstacles are asked about.
pub(crate) fn instruments(view: &Container) -> impl Iterator<Item = Instrument> {
    let devices = view.devices.iter().map(|resource| Instrument::Device(device(resource)));
    view.injected.then_some(Instrument::Injector).into_iter().chain(devices)
}

fn preloads(resource: &str) -> bool {
    device(resource).preloads()
}

/// A device of another version counts as one that preloads, as most do: it is then in nobody's way.
fn device(resource: &str) -> Device {
    Device::from_resource(resource).unwrap_or(Device::Java)
}

/// Whether a variable is one of a set of ours.
pub(crate) fn is_among(name: &str, set: Variables) -> bool {
    let variable = Variables::named(name);
    !variable.is_empty() && variable.without(set).is_empty()
}

/// What surgery puts into a pod for all its injected containers together.
#[derive(Clone, Debug)]
pub(crate) struct Shared {
    /// Entry of `volumes`.
    pub(crate) volume: Option<Value>,
    /// Entry of `initContainers`.
    pub(crate) init_container: Option<Value>,
    /// Version labels by their paths.
    pub(crate) labels: Vec<(PointerBuf, String)>,
}

impl Shared {
    /// What injected containers need, made anew for an object.
    pub(crate) fn rendered(kind: WorkloadKind, object: &Value, rendering: &Rendering) -> Self {
        let pod = object.pointer(kind.template_pointer()).and_then(|template| template.get("spec"));
        Self {
            volume: Some(rendering::volume()),
            init_container: Some(rendering.init_container(pod.unwrap_or(&Value::Null))),
            labels: label_paths(kind).map(|path| (path, rendering.version_label.clone())).into(),
        }
    }

    /// What an older state of the object has for its injected containers.
    pub(crate) fn taken(kind: WorkloadKind, view: &Pod, object: &Value) -> Self {
        let find = |list: &str| {
            let items = object.pointer(kind.template_pointer())?.get("spec")?.get(list)?.as_array()?;
            items.iter().find(|item| name_of(item) == Some(names::INJECTOR_NAME)).cloned()
        };
        let version = |path: PointerBuf| {
            let version = version_label(object.pointer(path.as_str()))?.to_owned();
            Some((path, version))
        };
        Self {
            volume: find("volumes").filter(|_| view.volume == Part::Ours),
            init_container: find("initContainers").filter(|_| view.init_container == Part::Ours),
            labels: label_paths(kind).into_iter().filter_map(version).collect(),
        }
    }
}

/// Where the version label stands: on the workload, then on the template.
pub(crate) fn label_paths(kind: WorkloadKind) -> [PointerBuf; 2] {
    let template = kind.template_pointer().split('/').skip(1);
    let label = ["metadata", "labels", names::AUTO_TRACE_LABEL];
    [PointerBuf::from_tokens(label), PointerBuf::from_tokens(template.chain(label))]
}

/// The value of a label `lumigo.auto-trace`, if we wrote it.
pub(crate) fn version_label(value: Option<&Value>) -> Option<&str> {
    value.and_then(Value::as_str).filter(|value| value.starts_with(names::AUTO_TRACE_VERSION_PREFIX))
}
