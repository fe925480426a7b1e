//! What the folder is made of, and how each part is built.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use epiphyte_api::names;
use sha2::{Digest as _, Sha256};

use super::{files, go, maven};
use crate::command;
use crate::repository::{self, cargo, root};
use crate::step::Step;

/// A folder of its own in the folder of agents.
pub struct Part {
    /// The folder's name.
    pub name: &'static str,
    /// For people.
    pub title: &'static str,
    /// The files and folders of the repository that it is made of.
    pub inputs: &'static [&'static str],
    /// The sources of what builds it.
    pub built_by: &'static [&'static str],
    /// The one of its files that is run.
    pub program: Option<&'static str>,
    /// Builds it into the second folder; the first is to work in, and goes.
    pub build: fn(&mut Step, &Path, &Path) -> Result<()>,
}

const THIS: &str = concat!(include_str!("parts.rs"), include_str!("files.rs"));

/// What has to be on the `PATH` besides Rust.
const TOOLS: [&str; 5] = ["java", "python3", "node", "npm", "go"];

/// The first program that is needed and not on the `PATH`.
pub fn missing_tool() -> Option<&'static str> {
    TOOLS.into_iter().find(|tool| !command::has(tool))
}

/// All of them. The quick ones first, so that what is missing on a machine is told early.
pub const PARTS: [Part; 5] = [
    Part {
        name: "injector",
        title: "preload library",
        inputs: &["crates/injector", "crates/injector-core", "Cargo.toml", "Cargo.lock", "rust-toolchain.toml"],
        built_by: &[THIS],
        program: None,
        build: injector,
    },
    Part { name: "java", title: "Java agent", inputs: &["agents/java"], built_by: &[THIS], program: None, build: java },
    Part {
        name: "python",
        title: "Python agent",
        inputs: &["agents/python"],
        built_by: &[THIS],
        program: None,
        build: python,
    },
    Part {
        name: "node",
        title: "Node.js agent",
        inputs: &["agents/node", "agents/node-14"],
        built_by: &[THIS],
        program: None,
        build: node,
    },
    Part {
        name: "go",
        title: "Go agent",
        inputs: &["agents/go"],
        built_by: &[THIS, include_str!("go.rs"), include_str!("clang.rs")],
        program: Some(go::PROGRAM),
        build: go::build,
    },
];

/// The library under the names that the two deliveries have for it.
fn injector(step: &mut Step, _: &Path, folder: &Path) -> Result<()> {
    let mut build = cargo();
    build.args(["build", "--package", "epiphyte-injector", "--profile", "injector"]);
    command::run(step, build)?;
    let library = repository::target_folder()?.join("injector/libepiphyte_injector.so");
    for path in [names::INJECTOR_PRELOAD, names::DEVICE_PRELOAD] {
        let name = Path::new(path).file_name().context("a preload without a file name")?;
        fs::copy(&library, folder.join(name)).context("cannot copy the library")?;
    }
    Ok(())
}

fn java(step: &mut Step, work: &Path, folder: &Path) -> Result<()> {
    let source = root().join("agents/java");
    let mut maven = Command::new(maven::program(step)?);
    maven.args(["--batch-mode", "--no-transfer-progress", "--quiet", "--file"]).arg(source.join("pom.xml"));
    maven.arg("dependency:copy-dependencies").arg(format!("-DoutputDirectory={}", work.display()));
    command::run(step, maven).context("the agent cannot be fetched")?;
    let agent = work.join("opentelemetry-javaagent.jar");
    let bytes = fs::read(&agent).context("cannot read the agent")?;
    let digest: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    let pinned = fs::read_to_string(source.join("agent.sha256")).context("cannot read agent.sha256")?;
    ensure!(digest == pinned.trim(), "the agent is not the one that agent.sha256 names, but {digest}");
    fs::rename(agent, folder.join("agent.jar")).context("cannot put the agent in place")
}

fn python(step: &mut Step, _: &Path, folder: &Path) -> Result<()> {
    let mut build = Command::new("python3");
    build.arg(root().join("agents/python/build.py")).arg(folder);
    command::run(step, build).context("Python 3 with pip is needed (Debian: python3-pip)")
}

fn node(step: &mut Step, work: &Path, folder: &Path) -> Result<()> {
    let (agents, present, fallback) = (root().join("agents"), work.join("present"), work.join("14"));
    for source in [&present, &fallback] {
        files::copy(&agents.join("node"), source)?;
    }
    // The same program, made of what serves older versions.
    for file in ["package.json", "package-lock.json"] {
        fs::copy(agents.join("node-14").join(file), fallback.join(file))
            .context("cannot copy the fallback's packages")?;
    }
    bundle(step, &present, folder)?;
    bundle(step, &fallback, &folder.join("14"))?;
    fs::copy(present.join("register.js"), folder.join("register.js")).context("cannot copy register.js").map(drop)
}

fn bundle(step: &mut Step, source: &Path, folder: &Path) -> Result<()> {
    let mut install = Command::new("npm");
    install.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]).current_dir(source);
    command::run(step, install).context("Node.js 18 with npm is needed (Debian: npm)")?;
    let mut build = Command::new("node");
    build.arg("build.mjs").arg(folder).current_dir(source);
    command::run(step, build)
}
