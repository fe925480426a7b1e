//! Builds the programs that images hold.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result};
use epiphyte_testbed::debian;
use epiphyte_testbed::programs::{self as built, GoProgram};

use crate::program::{self, Profile};
use crate::repository::{root, target_folder};
use crate::step::Step;
use crate::{command, musl};

/// The `epiphyte` program, which needs nothing of its image.
pub fn epiphyte(step: &mut Step, profile: Profile) -> Result<PathBuf> {
    Ok(program::build_static(step, "epiphyte", profile)?.join("epiphyte"))
}

/// The program that copies agents into a pod's volume, which needs nothing of its image either.
pub fn agents_copy(step: &mut Step, profile: Profile) -> Result<PathBuf> {
    const NAME: &str = "epiphyte-agents-copy";
    Ok(program::build_static(step, NAME, profile)?.join(NAME))
}

/// The OpenTelemetry Collector, which needs nothing of its image but the certificate authorities of the world.
pub fn collector() -> Result<PathBuf> {
    Ok(built::collector()?)
}

/// Helm, which needs nothing of its image but the same.
pub fn helm() -> Result<PathBuf> {
    Ok(built::helm()?)
}

/// The classes of the Java service.
pub fn storefront(step: &mut Step) -> Result<PathBuf> {
    let classes = output("storefront")?;
    let mut javac = Command::new("javac");
    // Of Java 17's library alone, whichever compiler this is.
    javac.args(["--release", "17", "-d"]).arg(&classes).arg(root().join("examples/services/java/Storefront.java"));
    command::run(step, javac).context("a Java compiler is needed: JDK 17 or newer")?;
    Ok(classes)
}

/// The Go service.
pub fn stock() -> Result<PathBuf> {
    Ok(GoProgram::new(root().join("examples/services/go"), "stock").build()?.join("stock"))
}

/// A folder of programs that only wait, each made in another way, and a shell.
pub fn odd(step: &mut Step) -> Result<PathBuf> {
    let (folder, source) = (output("odd")?, root().join("images/sample-odd"));
    let musl = debian::tool("musl", &musl::PACKAGES, &mut |line| step.at(line))?;
    let triple = format!("{}-linux-musl", std::env::consts::ARCH);
    let (headers, libraries) = (musl.join("usr/include").join(&triple), musl.join("usr/lib").join(&triple));

    let mut glibc = Command::new("cc");
    glibc.args(["-O1", "-static", "-o"]).arg(folder.join("c-static")).arg(source.join("wait.c"));
    let musl = |name: &str, linked: &str| {
        let mut cc = Command::new("cc");
        cc.args(["-O1", "-nostdinc", "-nostdlib", "-no-pie", linked, "-isystem"]).arg(&headers);
        cc.args(["crt1.o", "crti.o"].map(|start| libraries.join(start))).arg(source.join("wait.c"));
        cc.arg("-L").arg(&libraries).arg("-lc").arg(libraries.join("crtn.o")).arg("-o").arg(folder.join(name));
        cc
    };
    let interpreter = format!("-Wl,--dynamic-linker=/lib/ld-musl-{}.so.1", std::env::consts::ARCH);
    let mut rust = Command::new("rustc");
    rust.args(["--edition=2024", "-Copt-level=2", "-Ctarget-feature=+crt-static", "-o"]);
    rust.arg(folder.join("rust-static")).arg(source.join("wait.rs")).current_dir(root());

    for compiler in [glibc, musl("c-musl", &interpreter), musl("c-musl-static", "-static"), rust] {
        command::run(step, compiler).context("the odd programs need a C compiler and Rust")?;
    }
    symlink("/bin/busybox", folder.join("sh"))?;
    Ok(folder)
}

/// An empty folder for what is built.
fn output(name: &str) -> Result<PathBuf> {
    let folder = target_folder()?.join("images").join(name);
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    Ok(folder)
}
