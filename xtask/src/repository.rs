//! Where things are in the repository, and what is in it.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

/// The repository's folder.
pub fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here)
}

/// A cargo of this toolchain, at work in the repository.
pub fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    // What the cargo that runs this task says about this very package would look like a change to build scripts that
    // read the like, and build half of the dependencies anew.
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&name);
        }
    }
    command
}

/// Where cargo builds.
pub fn target_folder() -> Result<PathBuf> {
    let metadata = metadata()?;
    let folder = metadata.get("target_directory").and_then(Value::as_str);
    folder.map(PathBuf::from).context("cargo does not say where it builds")
}

/// What programs are built for by default, such as `x86_64-unknown-linux-gnu`.
pub fn host() -> Result<String> {
    let said = output(cargo().args(["--version", "--verbose"]))?;
    let host = said.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).context("cargo does not say what machine this is")
}

/// The names of the workspace's crates.
pub fn crates() -> Result<Vec<String>> {
    let metadata = metadata()?;
    let packages = metadata.get("packages").and_then(Value::as_array).into_iter().flatten();
    let mut names: Vec<_> = packages.filter_map(|package| package.get("name")?.as_str()).map(str::to_owned).collect();
    names.sort();
    Ok(names)
}

/// The files of the repository, committed or about to be, relative to its folder.
pub fn files() -> Result<Vec<PathBuf>> {
    let mut git = Command::new("git");
    git.current_dir(root()).args(["ls-files", "--cached", "--others", "--exclude-standard"]);
    let listed = output(&mut git)?;
    // A file that is deleted but not yet committed is still listed.
    Ok(listed.lines().map(PathBuf::from).filter(|path| root().join(path).is_file()).collect())
}

fn metadata() -> Result<Value> {
    let output = output(cargo().args(["metadata", "--no-deps", "--format-version=1"]))?;
    serde_json::from_str(&output).context("cargo metadata printed no JSON")
}

fn output(command: &mut Command) -> Result<String> {
    let program = command.get_program().to_owned();
    let output = command.output().with_context(|| format!("cannot run {}", program.display()))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{} failed with {}: {said}", program.display(), output.status);
    String::from_utf8(output.stdout).with_context(|| format!("{} printed what is not text", program.display()))
}
