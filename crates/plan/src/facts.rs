//! Everything that planning may look at.

use std::collections::BTreeSet;

use epiphyte_api::names::SYSTEM_NAMESPACES;
use jiff::Timestamp;

use crate::{Annotation, Collectors, Details, Node, TokenRef, Workload};

/// Everything that planning of one workload may look at.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// The workload as it is to be planned: the stored object, or the one under admission.
    pub workload: &'a Workload,
    /// What is instrumented so far: the stored object itself, the old one while an update is under admission, nothing
    /// while a workload is being created.
    pub current: Option<&'a Workload>,
    /// Whether Epiphyte is being uninstalled.
    pub uninstalling: bool,
    /// Settings of the operator.
    pub settings: &'a Settings,
    /// The workload's namespace.
    pub namespace: &'a NamespaceFact,
    /// Sources that name the workload, the oldest (by creation, then by name) first.
    pub sources: &'a [SourceFact],
    /// Runtime details of the workload, if an `InstrumentedApplication` is there.
    pub details: Option<&'a Details>,
    /// Readiness of the collectors.
    pub collectors: &'a Collectors,
    /// The nodes and what they offer.
    pub nodes: &'a [Node],
}

/// The settings that planning reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Namespaces besides those of the system that are never instrumented.
    pub ignored_namespaces: BTreeSet<String>,
    /// Epiphyte's own namespace.
    pub system_namespace: String,
    /// Whether a device is added only where nodes offer it.
    pub require_offer: bool,
}

impl Settings {
    /// Whether a namespace is never instrumented, whatever the marks.
    pub fn ignores(&self, namespace: &str) -> bool {
        SYSTEM_NAMESPACES.contains(&namespace)
            || namespace == self.system_namespace
            || self.ignored_namespaces.contains(namespace)
    }
}

/// What is known of a namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NamespaceFact {
    /// Its annotation `odigos.io/instrument`.
    pub annotation: Option<Annotation>,
    /// Sources of kind Namespace that name it, the oldest first.
    pub sources: Vec<SourceFact>,
    /// The Lumigo that counts in it: the oldest.
    pub lumigo: Option<LumigoFact>,
}

/// A `Source` that names the workload or the namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceFact {
    /// Name of the Source.
    pub name: Box<str>,
    /// Whether it turns off instead of on.
    pub disables: bool,
}

/// The Lumigo of a namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LumigoFact {
    /// Name of the Lumigo.
    pub name: Box<str>,
    /// When it was created.
    pub created: Option<Timestamp>,
    /// Whether it is being deleted.
    pub deleting: bool,
    /// Whether its condition `Active` is true.
    pub active: bool,
    /// `spec.tracing.injection.enabled`.
    pub injects: bool,
    /// `spec.tracing.injection.injectLumigoIntoExistingResourcesOnCreation`.
    pub injects_existing: bool,
    /// `spec.tracing.injection.removeLumigoFromResourcesOnDeletion`.
    pub removes_on_deletion: bool,
    /// `spec.tracing.enabled`.
    pub traces: bool,
    /// `spec.logging.enabled`.
    pub logs: bool,
    /// Where the token is, if the Lumigo says.
    pub token: Option<TokenRef>,
}
