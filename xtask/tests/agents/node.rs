//! Node.js.

use std::fs;
use std::os::unix::process::ExitStatusExt as _;

use crate::stage::{Stage, errors, programs};

#[test]
fn node_sends_one_trace_of_server_and_client() {
    let Some(stage) = Stage::new() else { return };
    stage.traces("nodejs", stage.command("node").arg(programs().join("sample.js")));
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
