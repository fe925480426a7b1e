//! The runtimes themselves.

use std::process::Command;

use crate::stage::{ATTRIBUTES, Stage, errors, has, said};

/// The file that the first of these programs is, wherever a wrapper of that name leads to.
fn python() -> Option<String> {
    if !has("python3") {
        return None;
    }
    let output =
        Command::new("python3").args(["-c", "import sys; print(sys.executable)"]).output().expect("ask Python");
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

#[test]
fn python_loads_its_agent_and_so_does_its_child_once() {
    let Some(python) = python() else { return };
    let stage = Stage::new();
    let program = "import os, subprocess, sys\n\
        print(os.environ['PYTHONPATH'], os.environ['OTEL_RESOURCE_ATTRIBUTES'], os.environ['OTEL_SERVICE_NAME'], flush=True)\n\
        if len(sys.argv) < 2: sys.exit(subprocess.run([sys.executable, __file__, 'child']).returncode)";
    stage.write("program.py", program);
    let text = said(stage.start(&python).arg(stage.path("program.py")).env("PYTHONPATH", "/app"), 0);
    let seen = format!("agent loaded\n{}:/app {ATTRIBUTES} till\n", stage.text("python"));
    assert_eq!(text, seen.repeat(2));
}

#[test]
fn a_program_between_two_pythons_sees_what_the_first_had() {
    let Some(python) = python() else { return };
    let stage = Stage::new();
    let script = format!("{python} -uc 'import os; os.system(\"echo $PYTHONPATH\")'; echo [$PYTHONPATH]");
    let text = said(stage.start("sh").args(["-c", &script]), 0);
    assert_eq!(text, format!("agent loaded\n{}\n[]\n", stage.text("python")));
}

#[test]
fn node_loads_its_agent_beside_the_users_options() {
    if !has("node") {
        return;
    }
    let stage = Stage::new();
    let program = "const child = require('child_process');\n\
        console.log(process.env.NODE_OPTIONS, process.env.OTEL_RESOURCE_ATTRIBUTES, process.env.OTEL_SERVICE_NAME);\n\
        if (process.argv.length < 3) child.execFileSync(process.execPath, [__filename, 'child'], { stdio: 'inherit' });";
    stage.write("program.js", program);
    let text = said(stage.start("node").arg(stage.path("program.js")).env("NODE_OPTIONS", "--no-warnings"), 0);
    let seen = format!("agent loaded\n--require {} --no-warnings {ATTRIBUTES} till\n", stage.text("node/register.js"));
    assert_eq!(text, seen.repeat(2));
}

#[test]
fn java_loads_its_agent_beside_the_users_options() {
    if !["java", "javac", "jar"].into_iter().all(has) {
        return;
    }
    let stage = Stage::new();
    let make = |program: &str, arguments: &[&str]| {
        let output =
            stage.start_without(program).current_dir(stage.path("bin")).args(arguments).output().expect("make");
        assert!(output.status.success(), "{program}: {}", errors(&output));
    };
    let sources = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/preload/programs");
    make("javac", &["-d", ".", &format!("{sources}/Agent.java"), &format!("{sources}/Show.java")]);
    stage.write("bin/manifest", "Premain-Class: Agent\n");
    make("jar", &["cfm", &stage.text("java/agent.jar"), "manifest", "Agent.class"]);

    let mut command = stage.start("java");
    command.env("JAVA_TOOL_OPTIONS", "-Dmine=1").args(["-cp", &stage.text("bin"), "Show"]);
    command.args(["JAVA_TOOL_OPTIONS", "OTEL_RESOURCE_ATTRIBUTES", "OTEL_SERVICE_NAME", "NODE_OPTIONS"]);
    let output = command.output().expect("start Java");
    let options = format!("-Dmine=1 -javaagent:{}", stage.text("java/agent.jar"));
    let seen = format!(
        "agent loaded\nJAVA_TOOL_OPTIONS={options}\nOTEL_RESOURCE_ATTRIBUTES={ATTRIBUTES}\nOTEL_SERVICE_NAME=till\n\
         NODE_OPTIONS=null\n"
    );
    assert_eq!(String::from_utf8_lossy(&output.stdout), seen);
    assert_eq!(errors(&output), format!("Picked up JAVA_TOOL_OPTIONS: {options}\n"));
}
