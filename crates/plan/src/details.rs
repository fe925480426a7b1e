//! Runtime details, the second condition.

use epiphyte_api::{Catalog, Device, Language, Reason};

use crate::{Container, Finding, Pod, PreloadSource};

/// What an `InstrumentedApplication` says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Details {
    /// Whether an answer is awaited.
    pub pending: bool,
    /// One entry for each container that was seen, in the order of the object.
    pub containers: Box<[ContainerDetails]>,
}

/// What was seen in one container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerDetails {
    /// Name of the container.
    pub name: Box<str>,
    /// Language of its program.
    pub language: Language,
    /// Version of the language's runtime.
    pub runtime_version: Option<Box<str>>,
    /// The image that was seen; `None` is good for any.
    pub image: Option<Box<str>>,
    /// Another vendor's agent.
    pub other_agent: Option<Box<str>>,
    /// Whether the process had an `LD_PRELOAD` besides our own.
    pub preloads: bool,
}

/// What details that are answered say of a container of the template.
pub(crate) enum Seen<'a> {
    /// Nothing.
    Nothing,
    /// Something of another image.
    Outdated,
    /// This.
    Entry(&'a ContainerDetails),
}

impl Details {
    /// The entry of a container and whether there is more than one.
    pub fn of(&self, container: &str) -> (Option<&ContainerDetails>, bool) {
        let mut entries = self.containers.iter().filter(|entry| &*entry.name == container);
        (entries.next(), entries.next().is_some())
    }

    /// What is to be believed of a container; leaves a finding where it is mentioned more than once.
    pub(crate) fn seen(&self, container: &Container, findings: &mut Vec<Finding>) -> Seen<'_> {
        let (entry, repeated) = self.of(&container.name);
        if repeated {
            findings.push(Reason::DuplicateDetails.into());
        }
        match entry {
            None => Seen::Nothing,
            Some(entry) if entry.is_of(container) => Seen::Entry(entry),
            Some(_) => Seen::Outdated,
        }
    }

    /// The entries for containers that the template does not have.
    pub(crate) fn strangers<'a>(&'a self, pod: &'a Pod) -> impl Iterator<Item = Finding> + 'a {
        let strangers = self.containers.iter().filter(|entry| pod.container(&entry.name).is_none());
        strangers.map(|entry| Finding::about(Reason::UnknownContainer, &*entry.name))
    }
}

impl ContainerDetails {
    /// Whether the entry is about the image that the container has now.
    pub(crate) fn is_of(&self, container: &Container) -> bool {
        self.image.as_ref().is_none_or(|image| *image == container.image)
    }

    /// The device for the language.
    pub(crate) fn device(&self) -> Option<Device> {
        Device::for_language(&self.language)
    }

    /// Why no agent may be loaded into the process next to what was seen there.
    pub(crate) fn forbids(&self, container: &Container, preloads: bool) -> Option<Finding> {
        if let Some(agent) = &self.other_agent {
            return Some(Finding::about(Reason::OtherAgentDetected, &**agent));
        }
        if let Some(finding) = self.outside_of_what_is_served() {
            return Some(finding);
        }
        // A literal of the manifest is what was seen, unless it is only ours, written over what was there before.
        let unseen = container.preload.source == PreloadSource::Unset || container.preload.ours_alone;
        (preloads && self.preloads && unseen).then(|| Reason::PreloadNotInManifest.into())
    }

    /// What was found and what the language's agent asks for, where the two do not meet.
    fn outside_of_what_is_served(&self) -> Option<Finding> {
        let (version, catalog) = (self.runtime_version.as_deref()?, Catalog::built_in());
        let is_outside =
            catalog.agents(&self.language).next().is_some() && catalog.agent(&self.language, version).is_none();
        let said = || format!("{} {version}; served: {}", self.language, catalog.served(&self.language));
        is_outside.then(|| Finding::about(Reason::RuntimeVersionNotServed, said()))
    }
}
