//! Looks at real processes through the real `/proc`.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod start;

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use epiphyte_api::Language;
use epiphyte_detect::{Doubt, Libc, OtherAgent, Runtime, Scanner, SecureExecution};
use start::{Compiled, Running, host_has_musl, output, skipped};

const PYTHON: [&str; 2] = ["-c", "import time\nwhile True: time.sleep(60)"];
const NODE: [&str; 2] = ["-e", "setInterval(() => {}, 60000)"];
const C: (&str, &str) = ("main.c", "#include <unistd.h>\nint main(void) { for (;;) pause(); }\n");
const GO: (&str, &str) =
    ("main.go", "package main\nimport \"time\"\nfunc main() { for { time.Sleep(time.Minute) } }\n");

fn host_libc() -> Option<Libc> {
    Some(if host_has_musl() { Libc::Musl } else { Libc::Glibc })
}

fn libc(runtime: &Runtime) -> Option<Libc> {
    runtime.process.as_ref().unwrap().libc
}

fn speaks(language: Language) -> impl Fn(&Runtime) -> bool {
    move |runtime| runtime.language.as_ref() == Ok(&language)
}

#[test]
fn python_is_found_with_its_version() {
    let Some(version) = output("python3", &["-c", "import platform; print(platform.python_version())"]) else { return };
    let python = Running::start(Command::new("python3").args(PYTHON));
    // The library that tells the rest of the version is mapped a moment later.
    let runtime = python.look_until(|it| speaks(Language::Python)(it) && it.version.as_deref() != version.get(..4));
    assert_eq!(runtime.version.as_deref(), Some(version.as_str()));
    assert_eq!(libc(&runtime), host_libc());
    assert_eq!(runtime.process.unwrap().secure_execution, SecureExecution::Off);
}

#[test]
fn node_is_found_with_its_version() {
    let Some(version) = output("node", &["--version"]) else { return };
    let runtime = Running::start(Command::new("node").args(NODE)).look_until(speaks(Language::JavaScript));
    assert_eq!(runtime.version.as_deref(), version.strip_prefix('v'));
    assert_eq!(libc(&runtime), host_libc());
}

#[test]
fn java_is_found_with_its_version() {
    let Some(version) = output("java", &["-version"]) else { return };
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("Main.java");
    let main = "class Main { public static void main(String[] a) throws Exception { Thread.sleep(600000); } }";
    std::fs::write(&source, main).unwrap();
    let java = Running::start(Command::new("java").arg("-Xmx64m").arg(source));
    let runtime = java.look_until(speaks(Language::Java));
    let found = runtime.version.clone().unwrap();
    assert!(version.contains(&format!("\"{found}\"")), "{found} in {version}");
    assert_eq!(libc(&runtime), host_libc());
}

#[test]
fn go_is_found_with_its_version_stripped_or_not() {
    let Some(version) = output("go", &["env", "GOVERSION"]) else { return };
    for flags in [["build", "-ldflags="], ["build", "-ldflags=-s -w"], ["build", "-buildmode=pie"]] {
        let Some(program) = Compiled::new("go", &flags, GO) else { return };
        let runtime = program.start().look_until(speaks(Language::Go));
        assert_eq!(runtime.version.as_deref(), version.strip_prefix("go"), "{flags:?}");
        let expected = if flags[1] == "-buildmode=pie" { Some(Libc::Glibc) } else { Some(Libc::None) };
        assert_eq!(libc(&runtime), expected, "{flags:?}");
    }
}

#[test]
fn rust_is_found_with_its_version_stripped_or_not() {
    let Some(version) = output("rustc", &["--version"]) else { return };
    let source = ("main.rs", "fn main() { std::thread::park() }");
    for flags in [["-C", "debuginfo=0"], ["-C", "strip=symbols"]] {
        let Some(program) = Compiled::new("rustc", &flags, source) else { return };
        let runtime = program.start().look_until(speaks(Language::Rust));
        assert_eq!(runtime.version.as_deref(), version.split(' ').nth(1), "{flags:?}");
    }
    let Some(program) = Compiled::new("rustc", &["-C", "strip=symbols"], source) else { return };
    let path = program.path();
    let Some(_) = output("objcopy", &["--remove-section=.comment", path.to_str().unwrap()]) else { return };
    let runtime = program.start().look_until(speaks(Language::Rust));
    assert_eq!(runtime.version, None, "the compiler's name is gone");
}

#[test]
fn c_is_found_dynamic_and_static() {
    for (flags, expected) in [([].as_slice(), host_libc()), (["-static"].as_slice(), Some(Libc::None))] {
        let Some(program) = Compiled::new("cc", flags, C) else { continue };
        let runtime = program.start().look_until(speaks(Language::CPlusPlus));
        assert_eq!((libc(&runtime), runtime.version), (expected, None));
    }
}

#[test]
fn musl_is_found() {
    let Some(program) = Compiled::new("musl-gcc", &[], C) else { return };
    assert_eq!(libc(&program.start().look_until(speaks(Language::CPlusPlus))), Some(Libc::Musl));
}

#[test]
fn a_setuid_program_is_in_secure_execution_mode() {
    let Some(program) = Compiled::new("cc", &[], C) else { return };
    if std::os::unix::fs::chown(program.path(), Some(12345), None).is_err() {
        return skipped("only root can give a file away").unwrap_or_default();
    }
    std::fs::set_permissions(program.path(), std::fs::Permissions::from_mode(0o4755)).unwrap();
    let told = |it: &Runtime| it.process.as_ref().is_some_and(|it| it.secure_execution != SecureExecution::Unknown);
    let found = program.start().look_until(told).process.unwrap().secure_execution;
    if found == SecureExecution::Off {
        return skipped("the temporary folder is mounted nosuid").unwrap_or_default();
    }
    assert_eq!(found, SecureExecution::On);
}

#[test]
fn a_shell_in_front_is_passed_over() {
    if output("python3", &["--version"]).is_none() {
        return;
    }
    let script = format!("python3 -c '{}' & wait", PYTHON[1]);
    let shell = Running::start(Command::new("sh").args(["-c", &script]));
    let runtime = shell.look_until(speaks(Language::Python));
    assert_ne!(runtime.process.unwrap().pid, shell.pid());
}

#[test]
fn two_languages_behind_a_shell_are_a_tie_that_names_both() {
    if output("python3", &["--version"]).is_none() || output("node", &["--version"]).is_none() {
        return;
    }
    let script = format!("python3 -c '{}' & node -e '{}' & wait", PYTHON[1], NODE[1]);
    let shell = Running::start(Command::new("sh").args(["-c", &script]));
    let runtime = shell.look_until(|it| matches!(&it.language, Err(Doubt::Tie(both)) if both.len() == 2));
    assert_eq!(runtime.version, None);
}

#[test]
fn another_agent_and_a_preload_are_found_in_a_real_environment() {
    let Some(program) = Compiled::new("cc", &[], C) else { return };
    let mut command = Command::new(program.path());
    command.env("LD_PRELOAD", "/nowhere/libjemalloc.so:/opt/lumigo/injector/lumigo_injector.so");
    command.env("DD_TRACE_AGENT_URL", "http://127.0.0.1:8126");
    let told = |it: &Runtime| it.process.as_ref().is_some_and(|it| it.preload.is_some());
    let process = Running::start(&mut command).look_until(told).process.unwrap();
    assert_eq!(process.preload.as_deref(), Some("/nowhere/libjemalloc.so"));
    assert_eq!(process.other_agent, Some(OtherAgent::Datadog));
}

#[test]
fn a_process_that_has_ended_is_no_error() {
    let Some(program) = Compiled::new("cc", &[], C) else { return };
    let running = program.start();
    let pid = running.pid();
    drop(running);
    assert_eq!(Scanner::new("/proc").look(&[pid]).language, Err(Doubt::NoProcess));
}
