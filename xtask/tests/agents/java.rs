//! Java.

use crate::stage::{Stage, has, programs};

#[test]
fn java_sends_one_trace_of_server_and_client() {
    let Some(stage) = Stage::new() else { return };
    if has(&["java", "javac"]) {
        let compiled = std::process::Command::new("javac")
            .arg("-d")
            .arg(stage.path(""))
            .arg(programs().join("Sample.java"))
            .status();
        assert!(compiled.expect("compile").success());
        stage.traces("java", stage.command("java").args(["-cp", ".", "Sample"]));
    }
}
