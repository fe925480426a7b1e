//! Which agent serves which versions of which runtime: `agents/catalog.yaml`, as this build knows it.

use std::fmt;
use std::sync::LazyLock;

use serde::{Deserialize, Deserializer};

use crate::Language;

/// The agents that there are. Where a language has several, the later ones are fallbacks of the first.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Catalog {
    agents: Vec<Agent>,
}

/// An agent and what it serves.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Agent {
    /// The language that it is for.
    pub language: Language,
    /// What it is made of, and its version.
    #[serde(rename = "agent")]
    pub name: String,
    /// The versions of the runtime that it serves, in ascending order.
    pub versions: Vec<Versions>,
}

/// A range of versions.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Versions {
    /// The first that is served.
    pub from: Version,
    /// The first that is served no more; without it, all that come.
    pub below: Option<Version>,
}

/// The numbers that a version begins with: 3.12.1 of `3.12.1+`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(Box<[u32]>);

impl Catalog {
    /// The catalogue of the agents that are delivered with this build.
    pub fn built_in() -> &'static Self {
        static BUILT_IN: LazyLock<Catalog> =
            LazyLock::new(|| Catalog::read(include_str!("../../../agents/catalog.yaml")).unwrap_or_default());
        &BUILT_IN
    }

    /// Reads a catalogue.
    ///
    /// # Errors
    /// When it is no YAML, or says what this build does not know.
    pub fn read(yaml: &str) -> Result<Self, yaml_serde::Error> {
        yaml_serde::from_str(yaml)
    }

    /// The agents for a language, the preferred one first.
    pub fn agents(&self, language: &Language) -> impl Iterator<Item = &Agent> {
        self.agents.iter().filter(move |agent| agent.language == *language)
    }

    /// The agent that serves a version of a language's runtime: the first one that does. With a version that begins with no
    /// number it is the preferred one: where nothing is known, the agent itself decides.
    pub fn agent(&self, language: &Language, version: &str) -> Option<&Agent> {
        let version = Version::read(version);
        let serves = |agent: &&Agent| version.as_ref().is_none_or(|version| agent.serves(version));
        self.agents(language).find(serves)
    }

    /// The versions of a language's runtime that are served by one agent or the other, for people.
    pub fn served(&self, language: &Language) -> String {
        let mut ranges: Vec<Versions> =
            self.agents(language).flat_map(|agent| agent.versions.iter().cloned()).collect();
        ranges.sort_by(|one, other| one.from.cmp(&other.from));
        // What follows on without a gap is one range.
        ranges.dedup_by(|next, range| {
            let follows = range.below.as_ref().is_none_or(|below| next.from <= *below);
            if follows {
                range.below.clone_from(&next.below);
            }
            follows
        });
        ranges.iter().map(Versions::to_string).collect::<Vec<_>>().join(", or ")
    }
}

impl Agent {
    fn serves(&self, version: &Version) -> bool {
        self.versions.iter().any(|range| range.contains(version))
    }
}

impl Versions {
    fn contains(&self, version: &Version) -> bool {
        *version >= self.from && self.below.as_ref().is_none_or(|below| version < below)
    }
}

impl Version {
    fn read(text: &str) -> Option<Self> {
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let numbers = text.get(..end)?.split('.').map_while(|number| number.parse().ok());
        Some(Self(numbers.collect())).filter(|version| !version.0.is_empty())
    }
}

impl<'de> Deserialize<'de> for Version {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::read(&text).ok_or_else(|| serde::de::Error::custom(format!("no version: {text:?}")))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let numbers: Vec<_> = self.0.iter().map(u32::to_string).collect();
        f.pad(&numbers.join("."))
    }
}

impl fmt::Display for Versions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.below {
            Some(below) => write!(f, "{} to below {below}", self.from),
            None => write!(f, "{} and newer", self.from),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::Catalog;
    use crate::{Device, Language};

    #[test]
    fn every_device_has_an_agent_and_every_agent_a_device() {
        let catalog = Catalog::read(include_str!("../../../agents/catalog.yaml")).unwrap();
        let languages: HashSet<_> = catalog.agents.iter().map(|agent| agent.language.to_string()).collect();
        assert_eq!(languages.len(), Device::ALL.len());
        for agent in &catalog.agents {
            assert!(Device::for_language(&agent.language).is_some(), "{}", agent.language);
            assert!(!agent.versions.is_empty(), "{}", agent.language);
        }
    }

    #[test]
    fn versions_are_compared_as_numbers() {
        let serves = |language, version| Catalog::built_in().agent(&language, version).is_some();
        for (language, served, not_served) in [
            (Language::Java, &["8.0.392", "21.0.4+7-LTS", "8"][..], &["7.0.80", "6"][..]),
            (Language::Python, &["3.9.18", "3.14.0"], &["3.8.18", "2.7.18", "4.0"]),
            (Language::JavaScript, &["14.18.0", "18.18.2", "19.9.0", "20.6.0", "100.0.0"], &["14.17.6", "12.22.12"]),
            (Language::Go, &["1.19", "1.22.3", "1.24rc1"], &["1.18.10", "1.9.7"]),
        ] {
            for version in served {
                assert!(serves(language.clone(), version), "{language} {version}");
            }
            for version in not_served {
                assert!(!serves(language.clone(), version), "{language} {version}");
            }
        }
    }

    #[test]
    fn a_version_that_tells_nothing_is_left_to_the_agent() {
        for version in ["", "unknown", "."] {
            assert!(Catalog::built_in().agent(&Language::Java, version).is_some(), "{version:?}");
        }
    }

    #[test]
    fn what_is_served_is_said_in_words() {
        let served = |language| Catalog::built_in().served(&language);
        assert_eq!(served(Language::Python), "3.9 to below 4");
        assert_eq!(served(Language::JavaScript), "14.18 and newer", "of both agents together");
    }

    #[test]
    fn a_version_that_the_first_agent_does_not_serve_gets_the_fallback() {
        let agent = |version| &*Catalog::built_in().agent(&Language::JavaScript, version).unwrap().name;
        let (present, fallback) = (agent("22.1.0"), agent("16.20.2"));
        assert_ne!(present, fallback);
        for (version, expected) in
            [("18.19.0", present), ("20.6.0", present), ("18.18.2", fallback), ("20.5.1", fallback)]
        {
            assert_eq!(agent(version), expected, "{version}");
        }
    }
}
