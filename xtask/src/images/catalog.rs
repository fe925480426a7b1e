//! The images of this repository and what each is made of.

use std::fmt;
use std::path::PathBuf;

use clap::ValueEnum;

use super::context::Part;
use super::programs;
use crate::agents;
use crate::program::Profile;
use crate::repository::root;
use crate::step::Step;

/// An image of this repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Image {
    /// The `epiphyte` program by itself.
    Operator,
    /// The `epiphyte` program and the Collector that it supervises.
    TelemetryProxy,
    /// The `epiphyte` program and the Helm that it upgrades with.
    Updater,
    /// The `epiphyte` program and the agents that it puts in place.
    NodeAgent,
    /// The agents of the injector delivery, and the program that copies them into a pod's volume.
    Agents,
    /// A service in Java.
    SampleJava,
    /// A service in Python.
    SamplePython,
    /// A service in Node.js.
    SampleNode,
    /// A service in Go.
    SampleGo,
    /// Programs that are odd to look at: static, with musl, behind a shell.
    SampleOdd,
}

/// The preload library of the injector delivery, by its file name.
const INJECTOR: &str = "lumigo_injector.so";

/// Whom a sender over HTTPS trusts.
const AUTHORITIES: [&str; 1] = ["ca-certificates"];

/// Java's runtime, without what only a desktop needs.
const JAVA: [&str; 5] = ["libc6", "libgcc-s1", "libstdc++6", "openjdk-17-jre-headless", "zlib1g"];

/// Python with its whole library, and Flask.
const PYTHON: [&str; 20] = [
    "libbz2-1.0",
    "libc6",
    "libexpat1",
    "libffi8",
    "liblzma5",
    "libpython3.11-minimal",
    "libpython3.11-stdlib",
    "libsqlite3-0",
    "libssl3",
    "libuuid1",
    "python3-click",
    "python3-flask",
    "python3-itsdangerous",
    "python3-jinja2",
    "python3-markupsafe",
    "python3-minimal",
    "python3-werkzeug",
    "python3.11",
    "python3.11-minimal",
    "zlib1g",
];

/// Node.js; Debian has some of its own modules in packages of their own.
const NODE: [&str; 17] = [
    "libbrotli1",
    "libc-ares2",
    "libc6",
    "libgcc-s1",
    "libicu72",
    "libnghttp2-14",
    "libnode108",
    "libssl3",
    "libstdc++6",
    "libuv1",
    "node-acorn",
    "node-busboy",
    "node-cjs-module-lexer",
    "node-undici",
    "node-xtend",
    "nodejs",
    "zlib1g",
];

impl Image {
    /// Its name: that of its archive, and of the folder of its Dockerfile.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::TelemetryProxy => "telemetry-proxy",
            Self::Updater => "updater",
            Self::NodeAgent => "node-agent",
            Self::Agents => "agents",
            Self::SampleJava => "sample-java",
            Self::SamplePython => "sample-python",
            Self::SampleNode => "sample-node",
            Self::SampleGo => "sample-go",
            Self::SampleOdd => "sample-odd",
        }
    }

    /// The name by which pods ask for it.
    pub fn reference(self) -> String {
        format!("epiphyte/{self}:dev")
    }

    /// What container runtimes take that name to be short for, and look for where it is.
    pub(super) fn full_name(self) -> String {
        format!("docker.io/{}", self.reference())
    }

    /// The most that the whole image may take, in bytes, where there is a budget.
    pub const fn budget(self) -> Option<u64> {
        match self {
            Self::Operator => Some(15 << 20),
            _ => None,
        }
    }

    /// What its Dockerfile finds beside itself; builds the programs among it first.
    ///
    /// # Errors
    /// A program cannot be built.
    pub(super) fn parts(self, step: &mut Step, profile: Profile) -> anyhow::Result<Vec<Part>> {
        let service =
            |language: &str, file: &str| -> PathBuf { root().join("examples/services").join(language).join(file) };
        let mut parts = vec![Part::copy(root().join("images").join(self.as_str()).join("Dockerfile"), "Dockerfile")];
        parts.extend(match self {
            Self::Operator => vec![Part::copy(programs::epiphyte(step, profile)?, "epiphyte")],
            Self::TelemetryProxy => vec![
                Part::Root(&AUTHORITIES),
                Part::copy(programs::epiphyte(step, profile)?, "epiphyte"),
                Part::copy(programs::collector()?, "otelcol"),
            ],
            Self::Updater => vec![
                Part::Root(&AUTHORITIES),
                Part::copy(programs::epiphyte(step, profile)?, "epiphyte"),
                Part::copy(programs::helm()?, "helm"),
            ],
            Self::NodeAgent => {
                vec![
                    Part::copy(programs::epiphyte(step, profile)?, "epiphyte"),
                    Part::copy(agents::folder()?, "agents"),
                ]
            }
            Self::Agents => {
                let agents = agents::folder()?;
                // Go's agent is not for a container to run, and the catalogue is not for it to read.
                let mut parts: Vec<_> =
                    ["java", "node", "python"].map(|language| Part::copy(agents.join(language), language)).into();
                parts.push(Part::copy(agents.join("injector").join(INJECTOR), INJECTOR));
                parts.push(Part::copy(programs::agents_copy(step, profile)?, "agents-copy"));
                parts
            }
            Self::SampleJava => vec![Part::Root(&JAVA), Part::copy(programs::storefront(step)?, "classes")],
            Self::SamplePython => {
                vec![Part::Root(&PYTHON), Part::copy(service("python", "recommendations.py"), "recommendations.py")]
            }
            Self::SampleNode => vec![Part::Root(&NODE), Part::copy(service("node", "prices.js"), "prices.js")],
            Self::SampleGo => vec![Part::copy(programs::stock()?, "stock")],
            Self::SampleOdd => vec![Part::Root(&["busybox-static", "musl"]), Part::copy(programs::odd(step)?, "odd")],
        });
        Ok(parts)
    }
}

impl fmt::Display for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
