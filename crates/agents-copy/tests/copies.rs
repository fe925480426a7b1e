//! The program as the init container runs it.
#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

/// A folder as the image has it, and an empty target.
struct Places {
    folder: TempDir,
}

impl Places {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let places = Self { folder };
        for (path, content) in [
            ("injector/lumigo_injector.so", "library"),
            ("java/agent.jar", "archive"),
            ("python/packages/opentelemetry/__init__.py", ""),
        ] {
            let path = places.from().join(path);
            fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
            fs::write(&path, content).expect("a file");
            // As strict as a checkout may make them.
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("a mode");
        }
        fs::create_dir(places.to()).expect("a target");
        places
    }

    fn from(&self) -> PathBuf {
        self.folder.path().join("agents")
    }

    fn to(&self) -> PathBuf {
        self.folder.path().join("target")
    }

    /// Runs the program by a shell, after what is to be said there first.
    fn run_after(&self, first: &str) -> Output {
        let script = format!("{first}\nexec \"$0\" \"$1\"");
        let mut shell = Command::new("sh");
        shell.args(["-c", &script, env!("CARGO_BIN_EXE_epiphyte-agents-copy")]).arg(self.from());
        shell.env("TARGET_DIRECTORY", self.to()).output().expect("a shell")
    }

    fn run(&self) -> Output {
        self.run_after("")
    }

    fn is_complete(&self) -> bool {
        tree(&self.from()).iter().map(|(path, ..)| path).eq(tree(&self.to()).iter().map(|(path, ..)| path))
            && fs::read(self.to().join("java/agent.jar")).is_ok_and(|bytes| bytes == b"archive")
    }
}

/// Everything below a folder: its path from there, and its mode.
fn tree(folder: &Path) -> Vec<(PathBuf, u32)> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).expect("a folder") {
            let path = entry.expect("an entry").path();
            let metadata = fs::symlink_metadata(&path).expect("metadata");
            if metadata.is_dir() {
                folders.push(path.clone());
            }
            let name = path.strip_prefix(folder).expect("below it").to_owned();
            found.push((name, metadata.permissions().mode() & 0o777));
        }
    }
    found.sort();
    found
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn everything_comes_and_everybody_may_read_it_whatever_the_umask() {
    let places = Places::new();
    let output = places.run_after("umask 077");
    assert!(output.status.success(), "{}", said(&output));
    assert!(places.is_complete(), "{:?}", tree(&places.to()));
    for (path, mode) in tree(&places.to()) {
        let expected = if places.to().join(&path).is_dir() { 0o755 } else { 0o644 };
        assert_eq!(mode, expected, "{}", path.display());
    }
}

#[test]
fn a_run_over_what_another_left_half_done_completes_it() {
    let places = Places::new();
    let jar = places.to().join("java/agent.jar");
    fs::create_dir_all(places.to().join("python/of-an-older-version")).expect("a folder");
    fs::create_dir(places.to().join("java")).expect("a folder");
    fs::write(&jar, "arch").expect("half a file");
    // Not even its own user may write it.
    fs::set_permissions(&jar, fs::Permissions::from_mode(0o444)).expect("a mode");
    for _ in 0..2 {
        let output = places.run();
        assert!(output.status.success(), "{}", said(&output));
        assert!(places.is_complete(), "{:?}", tree(&places.to()));
    }
}

#[test]
fn what_is_in_the_volume_under_another_name_stays() {
    let places = Places::new();
    fs::write(places.to().join("other"), "theirs").expect("a file");
    assert!(places.run().status.success());
    assert_eq!(fs::read(places.to().join("other")).expect("the file"), b"theirs");
}

#[test]
fn a_target_that_is_not_named_or_not_there_is_told() {
    let places = Places::new();
    for (first, told) in [
        ("unset TARGET_DIRECTORY", "TARGET_DIRECTORY is not set"),
        ("export TARGET_DIRECTORY=", "TARGET_DIRECTORY is not set"),
        ("export TARGET_DIRECTORY=/nowhere", "TARGET_DIRECTORY is /nowhere, which cannot be used: No such file"),
        ("export TARGET_DIRECTORY=/dev/null", "TARGET_DIRECTORY is /dev/null, which is no folder"),
    ] {
        let output = places.run_after(first);
        assert_eq!(output.status.code(), Some(2), "{first}");
        assert!(said(&output).contains(told), "{first}: {}", said(&output));
    }
}

#[test]
fn a_target_that_is_full_or_may_not_be_written_is_told() {
    let places = Places::new();
    // No file may have a block: what a full volume is to those who write.
    let output = places.run_after("trap '' XFSZ; ulimit -f 0");
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(said(&output).starts_with("error: the agents are not in place: cannot fill "), "{}", said(&output));

    // The kernel's own folder, which not even root may write.
    let output = places.run_after("export TARGET_DIRECTORY=/proc");
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(said(&output).contains("cannot create /proc/"), "{}", said(&output));
}
