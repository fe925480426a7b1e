//! OpenTelemetry's Go instrumentation. Its module holds the eBPF programs as C, so they are compiled here, and then the program
//! around them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};

use super::clang::Clang;
use super::files;
use crate::command;
use crate::repository::root;
use crate::step::Step;

/// The module, pinned by `agents/go/go.mod`.
const MODULE: &str = "go.opentelemetry.io/auto";

/// What comes out.
pub const PROGRAM: &str = "otel-go-instrumentation";

/// How the module's sources ask for a program to be compiled.
const DIRECTIVE: &str = "//go:generate go run github.com/cilium/ebpf/cmd/bpf2go ";

/// Builds the program into a folder; the other one is to work in.
pub fn build(step: &mut Step, work: &Path, folder: &Path) -> Result<()> {
    for name in ["go.mod", "go.sum"] {
        fs::copy(root().join("agents/go").join(name), work.join(name))
            .with_context(|| format!("cannot copy {name}"))?;
    }
    step.at("fetching the module");
    let module = work.join("auto");
    files::copy(&fetched(work)?, &module)?;
    command::run(step, go(work, &["mod", "edit", &format!("-replace={MODULE}=./auto")]))?;
    command::run(step, go(work, &["build", "-o", "bpf2go", "github.com/cilium/ebpf/cmd/bpf2go"]))?;

    let clang = Clang::find(step, &work.join("clang"))?;
    let mut programs = 0;
    for source in sources(&module.join("internal/pkg/instrumentation"))? {
        programs += compile(step, work, &clang, &source)?;
    }
    ensure!(programs > 0, "the module asks for no eBPF program any more: {DIRECTIVE:?}");

    let mut build = go(work, &["build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o"]);
    build.arg(folder.join(PROGRAM)).arg(format!("{MODULE}/cli"));
    command::run(step, build)?;
    fs::copy(module.join("LICENSE"), folder.join("LICENSE")).context("cannot copy the licence")?;
    Ok(())
}

fn go(work: &Path, arguments: &[&str]) -> Command {
    let mut go = Command::new("go");
    go.args(arguments).current_dir(work).env("CGO_ENABLED", "0").env("GOFLAGS", "-mod=readonly").env("GOWORK", "off");
    go
}

/// Where Go keeps the module, once it is the one that `go.sum` names.
fn fetched(work: &Path) -> Result<PathBuf> {
    let output = go(work, &["mod", "download", "-json", MODULE]).output().context("Go is needed")?;
    let said = String::from_utf8_lossy(&output.stderr);
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout)
        .with_context(|| format!("{MODULE} cannot be fetched: {}", said.trim()))?;
    match answer.get("Dir").and_then(|folder| folder.as_str()) {
        Some(folder) => Ok(folder.into()),
        None => bail!("{MODULE} cannot be fetched: {answer}"),
    }
}

/// The Go files of a folder and those below.
fn sources(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let path = entry.with_context(|| format!("cannot read {}", folder.display()))?.path();
        if path.is_dir() {
            found.append(&mut sources(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "go") {
            found.push(path);
        }
    }
    Ok(found)
}

/// Compiles the programs that a file asks for, for this architecture alone, and says how many there were.
fn compile(step: &mut Step, work: &Path, clang: &Clang, source: &Path) -> Result<usize> {
    let text = fs::read_to_string(source).with_context(|| format!("cannot read {}", source.display()))?;
    let package = text.lines().find_map(|line| line.strip_prefix("package ")).unwrap_or_default();
    let folder = source.parent().unwrap_or(work);
    let wanted: Vec<_> = text.lines().filter_map(|line| line.strip_prefix(DIRECTIVE)).collect();
    for arguments in &wanted {
        let include = work.join("auto/internal/include");
        let mut bpf2go = Command::new(work.join("bpf2go"));
        bpf2go.args(arguments.replace("amd64,arm64", architecture()).split_whitespace());
        bpf2go.current_dir(folder).env("GOPACKAGE", package);
        bpf2go.env("BPF2GO_CFLAGS", format!("-I{0}/libbpf -I{0}", include.display()));
        clang.lend(&mut bpf2go);
        command::run(step, bpf2go).with_context(|| format!("{} cannot be compiled", folder.display()))?;
    }
    Ok(wanted.len())
}

/// As Go calls it.
fn architecture() -> &'static str {
    if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" }
}
