//! Node.js.

use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::Command;

use crate::stage::{Stage, errors, programs, skip};

#[test]
fn node_sends_one_trace_of_server_and_client() {
    let Some(stage) = Stage::new() else { return };
    stage.traces("nodejs", stage.command("node").arg(programs().join("sample.js")));
}

#[test]
fn older_versions_send_one_trace_of_server_and_client_by_the_fallback() {
    for version in ["node-14", "node-16"] {
        let Some(stage) = Stage::new() else { return };
        let Some(node) = old_node(&stage, version) else { return };
        stage.traces("nodejs", stage.command(node).arg(programs().join("sample-14.js")));
    }
}

/// An older version of Node.js, of npm's packages of it. `None`, and said so, where there is none for this machine.
fn old_node(stage: &Stage, version: &str) -> Option<PathBuf> {
    for file in ["package.json", "package-lock.json"] {
        fs::copy(programs().join(file), stage.path(file)).expect("copy the packages' names");
    }
    let mut install = Command::new("npm");
    install.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]).current_dir(stage.path(""));
    assert!(install.status().expect("start npm").success());
    let node = stage.path("node_modules").join(version).join("bin/node");
    if !node.is_file() {
        skip(version, "npm has none for this machine");
    }
    node.is_file().then_some(node)
}

#[test]
fn an_es_module_sends_one_trace_of_server_and_client() {
    let Some(stage) = Stage::new() else { return };
    stage.traces("nodejs", stage.command("node").arg(programs().join("sample.mjs")));
}

#[test]
fn a_signal_ends_a_node_that_does_not_listen_to_it() {
    let Some(stage) = Stage::new() else { return };
    let program = "setInterval(() => {}, 1000); process.kill(process.pid, 'SIGTERM')";
    let output = stage.command("node").args(["-e", program]).output().expect("start Node.js");
    assert_eq!(output.status.signal(), Some(15), "{}", errors(&output));
    let program = "process.on('SIGTERM', () => process.exit(3)); setInterval(() => {}, 1000); process.kill(process.pid, 'SIGTERM')";
    let output = stage.command("node").args(["-e", program]).output().expect("start Node.js");
    assert_eq!(output.status.code(), Some(3), "{}", errors(&output));
}

#[test]
fn beside_another_agent_ours_stands_back() {
    let Some(stage) = Stage::new() else { return };
    fs::create_dir_all(stage.path("node_modules/dd-trace")).expect("make a folder");
    fs::write(stage.path("node_modules/dd-trace/init.js"), "console.log('theirs')").expect("write a module");
    let mut command = stage.command("node");
    let output = command.env("NODE_OPTIONS", "--require dd-trace/init").args(["-p", "'fine'"]).output();
    let output = output.expect("start Node.js");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "theirs\nfine\n");
    assert!(errors(&output).contains("another agent is loaded: dd-trace/init"), "{}", errors(&output));
}

#[test]
fn without_a_receiver_node_says_nothing_and_ends() {
    let Some(stage) = Stage::new() else { return };
    let program = "require('http').get('http://127.0.0.1:9/').on('error', () => console.log('refused'))";
    let mut command = stage.command("node");
    command.env_remove("EPIPHYTE_INJECTOR_LOG").env("EPIPHYTE_ENDPOINT", "http://127.0.0.1:9").args(["-e", program]);
    let output = command.output().expect("start Node.js");
    assert_eq!((String::from_utf8_lossy(&output.stdout).as_ref(), errors(&output).as_str()), ("refused\n", ""));
}
