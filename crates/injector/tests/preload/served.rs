//! Programs that have the names of runtimes, and print what they see.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use crate::stage::{ATTRIBUTES, Stage, errors, said};

/// The lines that a program says.
fn lines(text: &str) -> BTreeSet<String> {
    text.lines().map(str::to_owned).collect()
}

/// What is in the environment with the library and not without, and the other way round.
fn difference(stage: &Stage, program: &str, prepare: impl Fn(&mut Command)) -> (Vec<String>, Vec<String>) {
    let program = stage.path("bin").join(program);
    let mut without = stage.start_without(&program);
    prepare(&mut without);
    let mut with = stage.start(&program);
    prepare(&mut with);
    let (before, mut after) = (lines(&said(&mut without, 7)), lines(&said(&mut with, 7)));
    assert!(after.remove(&format!("LD_PRELOAD={}", stage.text("injector/injector.so"))));
    let added = after.difference(&before).cloned().collect();
    let lost = before.difference(&after).cloned().collect();
    (added, lost)
}

/// A stage with a program that prints its environment; `None` where there is no compiler.
fn stage(program: &str) -> Option<Stage> {
    let stage = Stage::new();
    stage.compile("cc", &[], "environment.c", program).map(|_| stage)
}

fn what_every_runtime_gets() -> Vec<String> {
    vec![
        "OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf".to_owned(),
        "OTEL_METRICS_EXPORTER=none".to_owned(),
        format!("OTEL_RESOURCE_ATTRIBUTES={ATTRIBUTES}"),
        "OTEL_SERVICE_NAME=till".to_owned(),
    ]
}

#[test]
fn however_a_program_is_linked_it_sees_the_new_environment() {
    const WAYS: [&[&str]; 7] = [
        &[],
        &["-no-pie"],
        &["-rdynamic"],
        &["-Wl,--hash-style=sysv"],
        &["-Wl,--hash-style=gnu", "-Wl,-z,now"],
        &["-no-pie", "-Wl,--hash-style=sysv"],
        &["-fPIC", "-fno-plt", "-lpthread", "-ldl"],
    ];
    for compiler in ["cc", "musl-gcc"] {
        for flags in WAYS {
            let stage = Stage::new();
            if stage.compile(compiler, flags, "environment.c", "node").is_none() {
                break;
            }
            let (added, lost) = difference(&stage, "node", |_| {});
            let mut expected = what_every_runtime_gets();
            expected.insert(0, format!("NODE_OPTIONS=--require {}", stage.text("node/register.js")));
            assert_eq!((added, lost), (expected, Vec::new()), "{compiler} {flags:?}");
        }
    }
}

#[test]
fn values_of_the_users_are_kept_beside_ours() {
    let Some(stage) = stage("java") else { return };
    let (added, lost) = difference(&stage, "java", |command| {
        command
            .env("JAVA_TOOL_OPTIONS", "-Xmx1g")
            .env("OTEL_SERVICE_NAME", "mine")
            .env("OTEL_METRICS_EXPORTER", "otlp");
        command.env("OTEL_RESOURCE_ATTRIBUTES", "k8s.pod.name=mine");
        command.env("LUMIGO_TRACER_TOKEN", "t_1").env("LUMIGO_ENDPOINT", "http://proxy:4318/v1/traces");
    });
    let agent = stage.text("java/agent.jar");
    assert_eq!(lost, ["JAVA_TOOL_OPTIONS=-Xmx1g", "OTEL_RESOURCE_ATTRIBUTES=k8s.pod.name=mine"]);
    let expected = [
        &format!("JAVA_TOOL_OPTIONS=-Xmx1g -javaagent:{agent}"),
        "OTEL_EXPORTER_OTLP_ENDPOINT=http://proxy:4318",
        "OTEL_EXPORTER_OTLP_HEADERS=Authorization=LumigoToken%20t_1",
        "OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf",
        "OTEL_RESOURCE_ATTRIBUTES=k8s.pod.name=mine,k8s.namespace.name=shop",
    ];
    assert_eq!(added, expected);
}

#[test]
fn without_its_agent_a_program_is_left_alone() {
    let Some(stage) = stage("python3.11") else { return };
    fs::remove_file(stage.path("python/sitecustomize.py")).expect("remove the agent");
    assert_eq!(difference(&stage, "python3.11", |_| {}), (Vec::new(), Vec::new()));
}

#[test]
fn a_library_outside_of_its_folder_does_nothing() {
    let Some(stage) = stage("node") else { return };
    fs::copy(stage.path("injector/injector.so"), stage.path("injector.so")).expect("copy the library");
    let mut command = stage.start_without(stage.path("bin/node"));
    let before = lines(&said(&mut command, 7));
    let after = lines(&said(command.env("LD_PRELOAD", stage.path("injector.so")), 7));
    assert_eq!(after.difference(&before).count(), 1, "{after:?}");
}

#[test]
fn one_variable_switches_it_off_and_another_makes_it_talk() {
    let Some(stage) = stage("node") else { return };
    let switch = |command: &mut Command| {
        command.env("EPIPHYTE_INJECTOR", "off");
    };
    assert_eq!(difference(&stage, "node", switch), (Vec::new(), Vec::new()));

    let talk = |command: &mut Command| errors(&command.env("EPIPHYTE_INJECTOR_LOG", "1").output().expect("start"));
    assert_eq!(talk(&mut stage.start(stage.path("bin/node"))), "epiphyte-injector: Node.js: instrumented\n");
    let mut command = stage.start(stage.path("bin/node"));
    let off = talk(command.env("EPIPHYTE_INJECTOR", "off"));
    assert_eq!(off, "epiphyte-injector: Node.js: left alone, switched off\n");
    let mut command = stage.start(stage.path("bin/node"));
    let manager = talk(command.arg("/usr/local/bin/npm"));
    assert!(manager.contains("a package manager"), "{manager}");
}

#[test]
fn a_large_environment_is_kept_and_one_beyond_the_limit_left_alone() {
    let Some(stage) = stage("node") else { return };
    let fill = |count: usize| {
        move |command: &mut Command| {
            command.envs((0..count).map(|index| (format!("SERVICE_{index}_PORT"), "tcp://10.0.0.1:8080".repeat(5))));
        }
    };
    let (added, lost) = difference(&stage, "node", fill(5_000));
    assert_eq!((added.len(), lost.len()), (5, 0));
    assert_eq!(difference(&stage, "node", fill(10_000)), (Vec::new(), Vec::new()));
}

#[test]
fn an_identity_file_that_makes_no_sense_is_passed_over() {
    let Some(stage) = stage("node") else { return };
    let identity = format!("{}\nservice.name=much too long\n", "x".repeat(5_000));
    stage.write("identity", &identity);
    let (added, lost) = difference(&stage, "node", |_| {});
    assert!(lost.is_empty());
    assert!(!added.iter().any(|entry| entry.contains("much too long")), "{added:?}");
}

#[test]
fn an_agent_that_cannot_be_read_counts_as_missing() {
    let Some(stage) = stage("node") else { return };
    fs::set_permissions(stage.path("node/register.js"), fs::Permissions::from_mode(0o000)).expect("close the agent");
    let readable = fs::File::open(stage.path("node/register.js")).is_ok();
    if readable {
        crate::stage::skip("an agent that cannot be read", "this user can read every file");
        return;
    }
    assert_eq!(difference(&stage, "node", |_| {}), (Vec::new(), Vec::new()));
}
