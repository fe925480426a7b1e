//! Runtime details, the second condition.

use epiphyte_api::Language;

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

impl Details {
    /// The entry of a container and whether there is more than one.
    pub fn of(&self, container: &str) -> (Option<&ContainerDetails>, bool) {
        let mut entries = self.containers.iter().filter(|entry| &*entry.name == container);
        (entries.next(), entries.next().is_some())
    }
}
