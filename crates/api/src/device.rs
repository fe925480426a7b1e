//! Instrumentation devices: the extended resources that a container asks for.

use std::fmt;

use crate::Language;

/// A device that the node agent serves to the kubelet, `instrumentation.odigos.io/<language>-<sdk>-<tier>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Device {
    /// OpenTelemetry's Java agent.
    Java,
    /// OpenTelemetry's Python distribution.
    Python,
    /// OpenTelemetry for Node.js.
    JavaScript,
    /// OpenTelemetry's Go instrumentation, by eBPF from the node.
    Go,
}

impl Device {
    /// All devices, in alphabetical order of their languages.
    pub const ALL: [Self; 4] = [Self::Go, Self::Java, Self::JavaScript, Self::Python];

    /// The extended resource, as it stands in `resources.limits`.
    pub const fn resource(self) -> &'static str {
        match self {
            Self::Java => "instrumentation.odigos.io/java-native-community",
            Self::Python => "instrumentation.odigos.io/python-native-community",
            Self::JavaScript => "instrumentation.odigos.io/javascript-native-community",
            Self::Go => "instrumentation.odigos.io/go-ebpf-community",
        }
    }

    /// The device of an extended resource, if it is one that this build serves.
    pub fn from_resource(resource: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|device| device.resource() == resource)
    }

    /// The device that serves a language; `None` where no agent of ours does.
    pub const fn for_language(language: &Language) -> Option<Self> {
        match language {
            Language::Java => Some(Self::Java),
            Language::Python => Some(Self::Python),
            Language::JavaScript => Some(Self::JavaScript),
            Language::Go => Some(Self::Go),
            _ => None,
        }
    }

    /// Whether the device's agent is loaded into the process by the preload library; Go's is attached from outside.
    pub const fn preloads(self) -> bool {
        !matches!(self, Self::Go)
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.resource())
    }
}
