//! What a scan tells: one sighting for each container.

use std::fmt;

use epiphyte_api::{ContainerRuntime, Language};

use crate::agent::OtherAgent;
use crate::auxv::SecureExecution;

/// What was seen in one container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// UID of the container's pod, where its cgroup tells.
    pub pod_uid: Option<String>,
    /// The container runtime's id of the container.
    pub container_id: String,
    /// What runs in it.
    pub runtime: Runtime,
}

/// What runs in a container. Nothing of ours is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Runtime {
    /// The language of its program, or why it could not be told.
    pub language: Result<Language, Doubt>,
    /// Version of the language's runtime, of Go or of the Rust compiler: `21.0.4`, `3.11`, `1.22.3`.
    pub version: Option<String>,
    /// What is known of the process that speaks for the container; `None` where there was none to look at.
    pub process: Option<Process>,
}

/// The process that speaks for a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// Its id.
    pub pid: u32,
    /// Path of its program, as the container knows it.
    pub program: String,
    /// Its C library, where it could be told.
    pub libc: Option<Libc>,
    /// Whether it distrusts its environment, and with it any `LD_PRELOAD`.
    pub secure_execution: SecureExecution,
    /// Its `LD_PRELOAD`, separated by colons.
    pub preload: Option<String>,
    /// What `/etc/ld.so.preload` of its container preloads, separated by colons. It does not stand in the way of an
    /// `LD_PRELOAD`.
    pub preload_file: Option<String>,
    /// Another vendor's agent in it.
    pub other_agent: Option<OtherAgent>,
}

/// A C library.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Libc {
    /// The GNU C library.
    Glibc,
    /// musl.
    Musl,
    /// The program is static: it has no dynamic linker, so that nothing can be preloaded.
    None,
}

impl Libc {
    /// The word used in `spec.languages[].libc`, which a static program does not have.
    pub const fn as_str(self) -> Option<&'static str> {
        match self {
            Self::Glibc => Some("glibc"),
            Self::Musl => Some("musl"),
            Self::None => None,
        }
    }
}

/// Why a language could not be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// No process of the container could be read: they ended meanwhile.
    NoProcess,
    /// Only shells, first processes and the like run; their names.
    OnlyWrappers(Vec<String>),
    /// Nothing in the programs of these names tells what they were written in.
    NoEvidence(Vec<String>),
    /// Programs of several languages run, and no rule prefers one: each language with the name of its oldest program.
    Tie(Vec<(Language, String)>),
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoProcess => f.write_str("no process of the container could be read: they had ended"),
            Self::OnlyWrappers(names) => {
                write!(f, "only shells and the like run in the container: {}", names.join(", "))
            }
            Self::NoEvidence(names) => {
                write!(f, "nothing tells what is written in which language: {}", names.join(", "))
            }
            Self::Tie(languages) => {
                let found: Vec<String> = languages.iter().map(|(it, name)| format!("{it} ({name})")).collect();
                write!(f, "several languages are at work in the container: {}", found.join(", "))
            }
        }
    }
}

impl Runtime {
    /// A container of which nothing is known.
    pub(crate) const fn unknown(doubt: Doubt) -> Self {
        Self { language: Err(doubt), version: None, process: None }
    }

    /// The entry of `spec.languages`. The caller, who knows the pod, adds image, digest, UID and start time.
    pub fn into_entry(self, container_name: impl Into<String>) -> ContainerRuntime {
        let process = self.process.as_ref();
        ContainerRuntime {
            container_name: container_name.into(),
            runtime_version: self.version,
            libc: process.and_then(|process| process.libc?.as_str()).map(str::to_owned),
            process_name: process.map(|process| process.program.clone()),
            preload: process.and_then(|process| process.preload.clone()),
            other_agent: process.and_then(|process| process.other_agent).map(|agent| agent.as_str().to_owned()),
            language: self.language.unwrap_or(Language::Unknown),
            image: None,
            image_id: None,
            pod_uid: None,
            pod_start_time: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use epiphyte_api::Language;

    use super::{Doubt, Libc, Process, Runtime};
    use crate::agent::OtherAgent;
    use crate::auxv::SecureExecution;

    #[test]
    fn a_runtime_becomes_an_entry_of_the_details() {
        let runtime = Runtime {
            language: Ok(Language::Java),
            version: Some("21.0.4".into()),
            process: Some(Process {
                pid: 7,
                program: "/opt/java/bin/java".into(),
                libc: Some(Libc::Musl),
                secure_execution: SecureExecution::Off,
                preload: Some("/lib/a.so".into()),
                preload_file: None,
                other_agent: Some(OtherAgent::Datadog),
            }),
        };
        let entry = runtime.into_entry("app");
        assert_eq!((entry.container_name.as_str(), entry.language), ("app", Language::Java));
        assert_eq!((entry.runtime_version.as_deref(), entry.libc.as_deref()), (Some("21.0.4"), Some("musl")));
        assert_eq!((entry.preload.as_deref(), entry.other_agent.as_deref()), (Some("/lib/a.so"), Some("datadog")));
        assert_eq!(entry.process_name.as_deref(), Some("/opt/java/bin/java"));
    }

    #[test]
    fn a_doubt_names_what_was_seen() {
        let tie = Doubt::Tie(vec![(Language::Java, "java".into()), (Language::Go, "proxy".into())]);
        assert_eq!(tie.to_string(), "several languages are at work in the container: java (java), go (proxy)");
        assert_eq!(Runtime::unknown(tie).into_entry("app").language, Language::Unknown);
    }
}
