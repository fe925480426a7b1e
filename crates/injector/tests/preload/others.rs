//! Programs that are not ours to change, and programs that make it hard.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::process::Command;

use crate::stage::{Stage, has, skip};

/// Output, errors and exit code of a program.
fn outcome(command: &mut Command) -> (String, String, Option<i32>) {
    let output = command.output().expect("start a program");
    // The only difference that there may be is the preload itself.
    let kept = String::from_utf8_lossy(&output.stdout).lines().filter(|line| !line.starts_with("LD_PRELOAD=")).fold(
        String::new(),
        |mut text, line| {
            text.push_str(line);
            text.push('\n');
            text
        },
    );
    (kept, String::from_utf8_lossy(&output.stderr).into_owned(), output.status.code())
}

/// Fails unless a program does the same with the library as without.
fn is_untouched(stage: &Stage, program: &str, arguments: &[&str]) {
    let without = outcome(stage.start_without(program).args(arguments));
    let with = outcome(stage.start(program).args(arguments));
    assert_eq!(with, without, "{program} {arguments:?}");
}

#[test]
fn ordinary_programs_run_as_without() {
    let stage = Stage::new();
    let corpus: [(&str, &[&str]); 9] = [
        ("env", &[]),
        ("true", &[]),
        ("false", &[]),
        ("ls", &["-la", "/usr"]),
        ("cat", &["/no/such/file"]),
        ("sh", &["-c", "env; exit 3"]),
        ("bash", &["-c", "env | sort; exit 4"]),
        ("perl", &["-e", "print map {qq{$_=$ENV{$_}\\n}} sort keys %ENV"]),
        ("date", &["-u", "-d", "@0"]),
    ];
    for (program, arguments) in corpus {
        if has(program) {
            is_untouched(&stage, program, arguments);
        }
    }
}

#[test]
fn programs_with_other_names_run_as_without() {
    for (compiler, flags) in [("cc", &[][..]), ("cc", &["-no-pie"]), ("musl-gcc", &[])] {
        let stage = Stage::new();
        if let Some(program) = stage.compile(compiler, flags, "environment.c", "nodes") {
            is_untouched(&stage, program.to_str().expect("a plain path"), &[]);
        }
    }
}

#[test]
fn static_programs_and_programs_without_a_c_library_run_as_without() {
    let bare = ["-nostdlib", "-pie", "-Wl,-e,_start"];
    for (flags, source) in [
        (&["-static"][..], "environment.c"),
        (&["-static-pie"], "environment.c"),
        (&bare, "bare.c"),
        (&["-nostdlib", "-static"], "bare.c"),
    ] {
        let stage = Stage::new();
        if let Some(program) = stage.compile("cc", flags, source, "node") {
            is_untouched(&stage, program.to_str().expect("a plain path"), &[]);
        }
    }
}

#[test]
fn closed_descriptors_stay_closed() {
    let stage = Stage::new();
    let Some(program) = stage.compile("cc", &[], "environment.c", "node") else { return };
    let script = format!("exec {} <&- 2>&-", program.display());
    let with = outcome(stage.start("sh").args(["-c", &script]));
    assert!(with.0.contains("NODE_OPTIONS="), "{with:?}");
    assert_eq!(with.2, Some(7));
    let script = format!("exec {} <&- >&- 2>&-", program.display());
    let with = outcome(stage.start("sh").env("EPIPHYTE_INJECTOR_LOG", "1").args(["-c", &script]));
    assert_eq!(with, (String::new(), String::new(), Some(7)));
}

#[test]
fn without_proc_a_program_is_left_alone() {
    let stage = Stage::new();
    let Some(program) = stage.compile("cc", &[], "environment.c", "node") else { return };
    let hide = |preload: &str| {
        let script = format!("mount -t tmpfs none /proc && {preload} exec {}", program.display());
        let mut command = stage.start_without("unshare");
        command.args(["--user", "--map-root-user", "--mount", "sh", "-c", &script]);
        outcome(&mut command)
    };
    let without = hide("");
    if without.2 != Some(7) {
        skip("a program without /proc", without.1.trim());
        return;
    }
    assert_eq!(hide(&format!("LD_PRELOAD={}", stage.text("injector/injector.so"))), without);
}

#[test]
fn a_program_with_more_rights_than_its_starter_is_left_alone() {
    let stage = Stage::new();
    let Some(program) = stage.compile("cc", &[], "environment.c", "node") else { return };
    if chown(&program, Some(65_534), Some(65_534)).is_err() {
        skip("a program with more rights", "only root can make one");
        return;
    }
    fs::set_permissions(&program, fs::Permissions::from_mode(0o4755)).expect("set the bit");
    let with = outcome(&mut stage.start(&program));
    assert!(!with.0.contains("NODE_OPTIONS="), "{with:?}");
    // The program's own check fails where the dynamic linker has taken the preload away, which it may.
    assert!(matches!(with.2, Some(1 | 7)), "{with:?}");
}
