//! Nodes and the devices that they offer.

use std::collections::BTreeMap;

use epiphyte_api::Device;

/// A set of devices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeviceSet(u8);

impl DeviceSet {
    /// Whether a device is in the set.
    pub fn contains(self, device: Device) -> bool {
        self.0 & Self::bit(device) != 0
    }

    /// What is in either set.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What is in both sets.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    fn bit(device: Device) -> u8 {
        1 << device as u8
    }
}

impl FromIterator<Device> for DeviceSet {
    fn from_iter<I: IntoIterator<Item = Device>>(devices: I) -> Self {
        Self(devices.into_iter().fold(0, |bits, device| bits | Self::bit(device)))
    }
}

/// What planning knows of a node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Node {
    /// Name of the node.
    pub name: Box<str>,
    /// Labels of the node.
    pub labels: BTreeMap<Box<str>, Box<str>>,
    /// Taints that keep pods away: `NoSchedule` and `NoExecute`.
    pub taints: Vec<Taint>,
    /// `spec.unschedulable`.
    pub unschedulable: bool,
    /// Whether its condition `Ready` is true.
    pub ready: bool,
    /// Devices of which the node has more than none allocatable.
    pub devices: DeviceSet,
}

/// A taint of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taint {
    /// Key of the taint.
    pub key: Box<str>,
    /// Value of the taint; empty if it has none.
    pub value: Box<str>,
    /// What it does to pods.
    pub effect: TaintEffect,
}

/// The effects of taints that keep a pod away for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaintEffect {
    /// No new pod is scheduled here.
    NoSchedule,
    /// Pods that run here are evicted too.
    NoExecute,
}
