//! `cargo xtask agents`: one folder with everything that the node gives to containers, built once for each content.

mod clang;
mod files;
mod go;
mod maven;
mod parts;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use epiphyte_testbed::cache::{self, Key};

use crate::repository::{self, root};
use crate::step::{Outcome, Step, headline, say};
pub use parts::missing_tool;
use parts::{PARTS, Part};

/// Builds the folder and prints its path, as the last line.
pub fn run() -> Result<()> {
    headline("Agents");
    let folder = folder()?;
    say(format!("\n{}", folder.display()));
    Ok(())
}

/// The folder with the agents, the preload library and the catalogue, laid out as the library expects it
/// (`docs/reference/injector.md`). Builds what the cache does not have yet, and shows that. Folders are for everybody to
/// read, and nothing in them changes once they are there.
///
/// # Errors
/// When a part does not build; the error names it.
pub fn folder() -> Result<PathBuf> {
    let cache = cache::folder()?.join("agents");
    let repository = repository::files()?;
    let mut whole = Key::default();
    let mut built = Vec::new();
    for part in &PARTS {
        let key = key(part, &repository)?;
        whole.add(key.as_bytes());
        built.push((part, build(part, &key, &cache)?));
    }
    let catalog = root().join("agents/catalog.yaml");
    whole.add(&fs::read(&catalog).context("cannot read the catalogue")?);
    cache::once(&cache, "agents", &whole.finish(), |folder| {
        for (part, from) in built {
            files::link(&from, &folder.join(part.name))?;
        }
        fs::copy(&catalog, folder.join("catalog.yaml")).context("cannot copy the catalogue")?;
        files::set_mode(&folder.join("catalog.yaml"), files::READ)?;
        files::set_mode(folder, files::RUN)
    })
}

/// What decides what comes out of a part: its files, and how it is built.
fn key(part: &Part, repository: &[PathBuf]) -> Result<String> {
    let mut key = Key::default();
    key.add(std::env::consts::ARCH.as_bytes());
    for source in part.built_by {
        key.add(source.as_bytes());
    }
    for path in repository.iter().filter(|path| part.inputs.iter().any(|input| path.starts_with(input))) {
        key.add(path.as_os_str().as_encoded_bytes());
        key.add(&fs::read(root().join(path)).with_context(|| format!("cannot read {}", path.display()))?);
    }
    Ok(key.finish())
}

fn build(part: &Part, key: &str, cache: &Path) -> Result<PathBuf> {
    let mut step = Step::start(part.title);
    let built = cache::once(cache, &format!("agent-{}", part.name), key, |folder| {
        let work = folder.join(".work");
        fs::create_dir(&work).with_context(|| format!("cannot create {}", work.display()))?;
        (part.build)(&mut step, &work, folder)?;
        fs::remove_dir_all(&work).with_context(|| format!("cannot remove {}", work.display()))?;
        files::open(folder)?;
        part.program.map_or(Ok(()), |program| files::set_mode(&folder.join(program), files::RUN))
    });
    match &built {
        Ok(folder) => step.end(Outcome::Ok, &files::weight(folder)?),
        Err(_) => step.end(Outcome::Failed, ""),
    }
    built.with_context(|| format!("{} cannot be built", part.title))
}
