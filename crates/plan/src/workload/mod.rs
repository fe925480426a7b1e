//! What planning reads of a workload: a slim, typed view of a raw object.
//!
//! Reading is typed, writing never is: surgery edits the raw JSON and asks this view what it has before it.

mod look;
mod manifest;

pub use manifest::Manifest;

use epiphyte_api::{Device, WorkloadKind, names};
use jiff::Timestamp;

use crate::{Annotation, AutoTraceLabel, Companions, DeliveryMark, Instrument, Scheduling};

/// What planning reads of a workload. Deserialises from the object as the API server sends it or a person writes it;
/// everything that is not needed is skipped over unread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workload {
    /// Kind of the workload.
    pub kind: WorkloadKind,
    /// Namespace; empty where the object does not say.
    pub namespace: Box<str>,
    /// Name; empty where the API server is yet to generate one.
    pub name: Box<str>,
    /// UID; empty for an object that is not stored yet.
    pub uid: Box<str>,
    /// Resource version; empty for an object that is not stored yet.
    pub resource_version: Box<str>,
    /// Generation of the specification; 0 for an object that is not stored yet.
    pub generation: i64,
    /// When the object was created; `None` for one that is not stored yet.
    pub created: Option<Timestamp>,
    /// Whether the object is being deleted.
    pub deleting: bool,
    /// Whether a controller owns the object.
    pub controlled: bool,
    /// The annotation `odigos.io/instrument`.
    pub annotation: Option<Annotation>,
    /// The label `lumigo.auto-trace`.
    pub label: Option<AutoTraceLabel>,
    /// What labels beside one that turns injection on ask for; boxed, because few workloads have any.
    pub companions: Option<Box<Companions>>,
    /// The annotation `epiphyte.dev/delivery`.
    pub delivery: Option<DeliveryMark>,
    /// What replaces pods when the template changes.
    pub replacement: Replacement,
    /// The pod template.
    pub pod: Pod,
}

/// What replaces a workload's pods when its template changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replacement {
    /// The workload's controller does.
    Rollout,
    /// The next run starts from the new template.
    NextRun,
    /// Nobody but a person does: a bare ReplicaSet, `OnDelete`, a partition, a paused Deployment.
    Manual,
    /// The template cannot change.
    Immutable,
}

/// What planning reads of a pod template.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pod {
    /// The regular containers, in order.
    pub containers: Box<[Container]>,
    /// The volume named `lumigo-injector`.
    pub volume: Part,
    /// The init container named `lumigo-injector`.
    pub init_container: Part,
    /// What the template demands of a node; `None` if nothing.
    pub scheduling: Option<Box<Scheduling>>,
    /// The operating system asked for, by `spec.os.name` or the node selector.
    pub os: Option<Box<str>>,
    /// The architecture asked for by the node selector.
    pub arch: Option<Box<str>>,
}

/// Something under one of our names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Part {
    /// It is not there.
    #[default]
    Absent,
    /// It is there and ours.
    Ours,
    /// It is there and somebody else's.
    Foreign,
}

/// What planning reads of a regular container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Container {
    /// Name of the container.
    pub name: Box<str>,
    /// Image, as written in the template.
    pub image: Box<str>,
    /// Extended resources under our prefix that it asks for, in limits or requests, sorted, without repetition.
    pub devices: Box<[Box<str>]>,
    /// Whether it mounts the injector's volume at the injector's path.
    pub injected: bool,
    /// Its `LD_PRELOAD`.
    pub preload: Preload,
    /// Which of our variables it has, besides `LD_PRELOAD`.
    pub variables: Variables,
    /// Whether something else is mounted at, under or right above the path of the injector's mount.
    pub mounts_over_injector: bool,
    /// Whether something is mounted at, under or right above the path of the device's mount.
    pub mounts_over_device: bool,
}

/// What a container's manifest says of `LD_PRELOAD`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Preload {
    /// Where the value comes from.
    pub source: PreloadSource,
    /// Whether the value ends with the injector delivery's library.
    pub ends_with_injector: bool,
    /// Whether the value ends with the device delivery's library.
    pub ends_with_device: bool,
    /// Whether the value is one of our libraries and nothing else: it hides what image or `envFrom` may say.
    pub ours_alone: bool,
}

/// Where the value of `LD_PRELOAD` comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PreloadSource {
    /// The manifest does not set it.
    #[default]
    Unset,
    /// A literal value, once.
    Literal,
    /// `valueFrom`.
    Reference,
    /// It is set more than once, or one of our libraries stands in it elsewhere than at its end.
    Ambiguous,
}

/// A set of our variables.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Variables(u8);

impl Variables {
    /// All six.
    pub const ALL: Self = Self((1 << names::INJECTOR_VARIABLES.len()) - 1);
    /// The token alone.
    pub const TOKEN: Self = Self(1);

    /// The set of one variable; empty if the name is not one of ours.
    pub fn named(name: &str) -> Self {
        let position = names::INJECTOR_VARIABLES.iter().position(|ours| *ours == name);
        position.map_or(Self::default(), |position| Self(1 << position))
    }

    /// Both sets together.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What is in this set and not in the other.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether nothing is in the set.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl Container {
    /// Whether the container is ours: it mounts our volume or asks for a device under our prefix.
    pub fn is_ours(&self) -> bool {
        self.injected || !self.devices.is_empty()
    }

    /// The variables that are ours by the container's being ours; all others under our names are somebody else's.
    pub fn own_variables(&self) -> Variables {
        match (self.injected, self.devices.is_empty()) {
            (true, _) => Variables::ALL,
            (false, false) => Variables::TOKEN,
            (false, true) => Variables::default(),
        }
    }
}

impl Pod {
    /// The container of that name.
    pub fn container(&self, name: &str) -> Option<&Container> {
        self.containers.iter().find(|container| &*container.name == name)
    }

    /// What instruments a container now. `None` too where it is instrumented in part only: a mount without its volume, a
    /// device of another version, both deliveries at once.
    pub fn instrument(&self, container: &Container) -> Option<Instrument> {
        match (&*container.devices, container.injected) {
            ([resource], false) => {
                let device = Device::from_resource(resource)?;
                let chained = !device.preloads()
                    || container.preload.source != PreloadSource::Literal
                    || container.preload.ends_with_device;
                chained.then_some(Instrument::Device(device))
            }
            ([], true) => {
                let whole = self.volume == Part::Ours
                    && self.init_container == Part::Ours
                    && container.preload.ends_with_injector
                    && Variables::ALL.without(container.variables).is_empty();
                whole.then_some(Instrument::Injector)
            }
            _ => None,
        }
    }
}
