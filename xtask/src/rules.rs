//! House rules that a machine can tell: file lengths, nothing of one machine, crates from the public registry only.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};

use crate::repository::{files, root};

/// The longest that a source file may be. The aim is 300; what gets here has two reasons to change.
const LINES: usize = 450;

/// Where every crate comes from, as the lock file has it.
const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// Fails with the list of broken rules.
pub fn check() -> Result<()> {
    let home = std::env::var("HOME").unwrap_or_default();
    let machine = [root().display().to_string(), home];
    let mut broken = Vec::new();
    for path in files()? {
        let bytes = fs::read(root().join(&path)).with_context(|| format!("cannot read {}", path.display()))?;
        let Ok(text) = String::from_utf8(bytes) else {
            continue;
        };
        broken.extend(too_long(&path, &text));
        broken.extend(machine_path(&path, &text, &machine));
        if path.ends_with("Cargo.lock") {
            broken.extend(foreign_source(&text));
        }
    }
    if !broken.is_empty() {
        bail!("{}", broken.join("\n"));
    }
    Ok(())
}

fn too_long(path: &Path, text: &str) -> Option<String> {
    let is_source = path.extension().is_some_and(|extension| extension == "rs")
        && (path.starts_with("xtask") || path.components().any(|part| part.as_os_str() == "src"));
    let lines = text.lines().count();
    (is_source && lines > LINES)
        .then(|| format!("{}: {lines} lines, more than {LINES}: split it by its reasons to change", path.display()))
}

/// Where a text names a folder of this machine.
fn machine_path(path: &Path, text: &str, machine: &[String]) -> Option<String> {
    let names = |line: &str| {
        machine.iter().filter(|folder| folder.len() > 1).any(|folder| {
            line.match_indices(&format!("{folder}/")).any(|(at, _)| {
                // Not the end of another path, such as `/var/root/`.
                let before = line.get(..at).and_then(|before| before.chars().next_back());
                !before.is_some_and(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | '}' | ')' | '*'))
            })
        })
    };
    let number = text.lines().position(names)? + 1;
    Some(format!("{}:{number}: names a folder of this machine", path.display()))
}

/// The first crate of a lock file that comes from somewhere else.
fn foreign_source(lock: &str) -> Option<String> {
    let mut sources = lock.lines().filter_map(|line| line.strip_prefix("source = "));
    let foreign = sources.find(|source| source.trim_matches('"') != REGISTRY)?;
    Some(format!("Cargo.lock: a crate comes from {foreign}, not from the public registry"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_file_of_451_lines_is_too_long_and_a_test_of_that_length_is_not() {
        let text = "\n".repeat(LINES + 1);
        assert!(too_long(Path::new("crates/api/src/names.rs"), &text).is_some());
        assert!(too_long(Path::new("crates/api/src/names.rs"), &text[1..]).is_none());
        assert!(too_long(Path::new("crates/api/tests/names.rs"), &text).is_none());
    }

    #[test]
    fn a_folder_of_this_machine_is_found_with_its_line() {
        let machine = ["/home/jane".to_owned()];
        let found = |text| machine_path(Path::new("a"), text, &machine);
        assert_eq!(found("one\nsee /home/jane/notes"), Some("a:2: names a folder of this machine".to_owned()));
        assert_eq!(found("/var/home/jane/ and /home/janet/"), None);
    }

    #[test]
    fn a_crate_from_elsewhere_is_found() {
        assert_eq!(foreign_source(&format!("name = \"a\"\nsource = \"{REGISTRY}\"\n")), None);
        assert!(foreign_source("source = \"registry+https://crates.example\"\n").is_some());
    }
}
