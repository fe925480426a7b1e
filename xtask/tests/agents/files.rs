//! The folder itself.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::stage::agents;

fn check(folder: &Path) {
    let mode = |path: &Path| fs::metadata(path).expect("look").permissions().mode() & 0o7777;
    assert_eq!(mode(folder), 0o755, "{}", folder.display());
    for entry in fs::read_dir(folder).expect("read a folder") {
        let path = entry.expect("an entry").path();
        assert!(!path.is_symlink(), "{}", path.display());
        if path.is_dir() {
            check(&path);
        } else {
            let runs = path.ends_with("go/otel-go-instrumentation");
            assert_eq!(mode(&path), if runs { 0o755 } else { 0o644 }, "{}", path.display());
        }
    }
}

#[test]
fn the_folder_has_what_is_delivered_for_everybody_to_read() {
    let Some(folder) = agents() else { return };
    for path in ["java/agent.jar", "node/register.js", "python/sitecustomize.py", "go/otel-go-instrumentation"] {
        assert!(folder.join(path).is_file(), "{path}");
    }
    for path in ["injector/lumigo_injector.so", "injector/injector.so"] {
        assert!(folder.join(path).is_file(), "{path}");
    }
    let names: BTreeSet<_> =
        fs::read_dir(folder).expect("read").map(|entry| entry.expect("an entry").file_name()).collect();
    assert_eq!(names.len(), 6, "{names:?}");
    check(folder);
}

#[test]
fn nothing_that_is_compiled_for_one_machine_is_in_the_python_and_node_agents() {
    fn walk(folder: &Path) {
        for entry in fs::read_dir(folder).expect("read a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                walk(&path);
            } else {
                let extension = path.extension().unwrap_or_default();
                assert!(!["so", "node", "pyc", "map"].iter().any(|it| extension == *it), "{}", path.display());
            }
        }
    }
    let Some(folder) = agents() else { return };
    walk(&folder.join("python"));
    walk(&folder.join("node"));
}
