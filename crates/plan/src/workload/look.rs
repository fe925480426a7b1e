//! Texts of a manifest that are looked at and not kept: what planning wants to know of them is all that is stored.

use std::collections::BTreeSet;
use std::fmt;

use epiphyte_api::names;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, de};

use super::Variables;

/// Deserialises a string by looking at it, without keeping it.
macro_rules! looked_at {
    ($type:ident, $expecting:literal, $look:expr) => {
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Look;
                impl Visitor<'_> for Look {
                    type Value = $type;
                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str($expecting)
                    }
                    fn visit_str<E: de::Error>(self, text: &str) -> Result<$type, E> {
                        Ok($look(text))
                    }
                    fn visit_unit<E: de::Error>(self) -> Result<$type, E> {
                        Ok($type::default())
                    }
                }
                deserializer.deserialize_any(Look)
            }
        }
    };
}

#[derive(Clone, Copy, Default)]
pub(super) enum VariableName {
    Preload,
    Ours(Variables),
    #[default]
    Other,
}

looked_at!(VariableName, "the name of a variable", |name: &str| {
    let ours = Variables::named(name);
    match name {
        names::LD_PRELOAD => VariableName::Preload,
        _ if !ours.is_empty() => VariableName::Ours(ours),
        _ => VariableName::Other,
    }
});

/// Where our libraries stand in a value.
#[derive(Clone, Copy, Default)]
pub(super) struct PreloadValue {
    pub(super) ends_with_injector: bool,
    pub(super) ends_with_device: bool,
    pub(super) ours_alone: bool,
    pub(super) elsewhere: bool,
}

looked_at!(PreloadValue, "the value of a variable as a string", |value: &str| {
    let (before_injector, before_device) =
        (strip_library(value, names::INJECTOR_PRELOAD), strip_library(value, names::DEVICE_PRELOAD));
    let rest = before_injector.or(before_device).unwrap_or(value);
    // Most values are no list of libraries, and this is far cheaper to find out.
    let has_libraries = rest.contains(".so");
    PreloadValue {
        ends_with_injector: before_injector.is_some(),
        ends_with_device: before_device.is_some(),
        ours_alone: before_injector.or(before_device).is_some() && rest.is_empty(),
        elsewhere: has_libraries && (rest.contains(names::INJECTOR_PRELOAD) || rest.contains(names::DEVICE_PRELOAD)),
    }
});

/// The list of libraries before ours, if ours is the last.
fn strip_library<'a>(value: &'a str, library: &str) -> Option<&'a str> {
    let before = value.strip_suffix(library)?;
    (before.is_empty() || before.ends_with(':')).then_some(before)
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum VolumeName {
    Injector,
    #[default]
    Other,
}

looked_at!(VolumeName, "the name of a volume", |name: &str| {
    if name == names::INJECTOR_NAME { VolumeName::Injector } else { VolumeName::Other }
});

#[derive(Clone, Copy, Default)]
pub(super) struct MountPath {
    pub(super) is_injector: bool,
    pub(super) over_injector: bool,
    pub(super) over_device: bool,
}

looked_at!(MountPath, "a path", |path: &str| {
    let path = path.trim_end_matches('/');
    MountPath {
        is_injector: path == names::INJECTOR_MOUNT_PATH,
        over_injector: in_the_way(path, names::INJECTOR_MOUNT_PATH),
        over_device: in_the_way(path, names::DEVICE_MOUNT_PATH),
    }
});

/// Whether a mount stands at, under or above ours. Under a read-only mount no mount point can be made, and under a mount
/// of the user's ours would be made in the user's volume.
fn in_the_way(path: &str, ours: &str) -> bool {
    let above = |upper: &str, lower: &str| lower.strip_prefix(upper).is_some_and(|rest| rest.starts_with('/'));
    path == ours || above(ours, path) || (!path.is_empty() && above(path, ours))
}

/// The keys under our prefix in a list of resources.
#[derive(Default)]
pub(super) struct Devices(pub(super) BTreeSet<Box<str>>);

#[derive(Default)]
struct DeviceName(Option<Box<str>>);

looked_at!(DeviceName, "the name of a resource", |name: &str| {
    DeviceName(name.starts_with(names::DEVICE_PREFIX).then(|| name.into()))
});

impl<'de> Deserialize<'de> for Devices {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Keys;
        impl<'de> Visitor<'de> for Keys {
            type Value = Devices;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map of resources")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Devices, A::Error> {
                let mut devices = Devices::default();
                while let Some((DeviceName(name), IgnoredAny)) = map.next_entry()? {
                    devices.0.extend(name);
                }
                Ok(devices)
            }
        }
        deserializer.deserialize_map(Keys)
    }
}
