//! Which agent serves which versions of which runtime: `agents/catalog.yaml`, as this build knows it.

use std::fmt;
use std::sync::LazyLock;

use serde::{Deserialize, Deserializer};

use crate::Language;

/// The agents that there are, at most one for each language.
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

    /// The agent for a language.
    pub fn agent(&self, language: &Language) -> Option<&Agent> {
        self.agents.iter().find(|agent| agent.language == *language)
    }
}

impl Agent {
    /// Whether the agent serves a version of the runtime. One that begins with no number counts as served: where nothing is
    /// known, the agent itself decides.
    pub fn serves(&self, version: &str) -> bool {
        let Some(version) = Version::read(version) else {
            return true;
        };
        self.versions.iter().any(|range| range.contains(&version))
    }

    /// The versions that it serves, for people.
    pub fn served(&self) -> String {
        self.versions.iter().map(Versions::to_string).collect::<Vec<_>>().join(", or ")
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
    use super::Catalog;
    use crate::{Device, Language};

    #[test]
    fn every_device_has_an_agent_and_every_agent_a_device() {
        let catalog = Catalog::read(include_str!("../../../agents/catalog.yaml")).unwrap();
        assert_eq!(catalog.agents.len(), Device::ALL.len());
        for agent in &catalog.agents {
            assert!(Device::for_language(&agent.language).is_some(), "{}", agent.language);
            assert!(!agent.versions.is_empty(), "{}", agent.language);
        }
    }

    #[test]
    fn versions_are_compared_as_numbers() {
        let serves = |language, version| Catalog::built_in().agent(&language).unwrap().serves(version);
        for (language, served, not_served) in [
            (Language::Java, &["8.0.392", "21.0.4+7-LTS", "8"][..], &["7.0.80", "6"][..]),
            (Language::Python, &["3.9.18", "3.14.0"], &["3.8.18", "2.7.18", "4.0"]),
            (Language::JavaScript, &["18.19.0", "20.6.0", "24.1.0", "100.0.0"], &["18.18.2", "19.9.0", "20.5.1"]),
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
            assert!(Catalog::built_in().agent(&Language::Java).unwrap().serves(version), "{version:?}");
        }
    }

    #[test]
    fn what_is_served_is_said_in_words() {
        let agent = Catalog::built_in().agent(&Language::JavaScript).unwrap();
        assert_eq!(agent.served(), "18.19 to below 19, or 20.6 and newer");
    }
}
