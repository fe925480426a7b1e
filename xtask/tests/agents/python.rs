//! Python, each version that is there.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::stage::{Stage, agents, errors, programs, skip};

/// The file that a program is, wherever a wrapper of that name leads to.
fn interpreter(name: &str) -> Option<PathBuf> {
    let asked = Command::new(name).args(["-c", "import sys; print(sys.executable)"]).output();
    match asked {
        Ok(output) if output.status.success() => Some(String::from_utf8_lossy(&output.stdout).trim().into()),
        _ => {
            skip(name, "it is not on the PATH, or does not start");
            None
        }
    }
}

fn served() -> impl Iterator<Item = PathBuf> {
    let names = ["python3.9", "python3.10", "python3.11", "python3.12", "python3.13", "python3.14"];
    names.into_iter().filter_map(interpreter)
}

/// What the sample application brings, installed once.
fn application() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("python-application");
        let mut install = Command::new("python3");
        install.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--upgrade"]);
        install.args([
            "--require-hashes",
            "--only-binary=:all:",
            "--platform=any",
            "--implementation=py",
            "--abi=none",
        ]);
        install.args(["--python-version=3.9", "--requirement"]).arg(programs().join("requirements.txt"));
        let done = install.arg("--target").arg(&folder).output().expect("run pip");
        assert!(done.status.success(), "{}", errors(&done));
        folder
    })
}

#[test]
fn python_sends_one_trace_of_server_and_client_beside_old_libraries_of_the_application() {
    if agents().is_none() {
        return;
    }
    for python in served() {
        let Some(stage) = Stage::new() else { return };
        let mut command = stage.command(&python);
        command.env("PYTHONPATH", application()).env("PYTHONDONTWRITEBYTECODE", "1");
        stage.traces("python", command.arg(programs().join("sample.py")));
    }
}

#[test]
fn the_users_own_sitecustomize_runs_once_and_may_fail_as_ever() {
    let Some(stage) = Stage::new() else { return };
    for python in served() {
        for (written, errors_say) in [("print('theirs')", ""), ("print('theirs'); import nowhere", "nowhere")] {
            fs::write(stage.path("sitecustomize.py"), written).expect("write a module");
            let mut command = stage.command(&python);
            command.env("PYTHONPATH", stage.path("")).env("PYTHONDONTWRITEBYTECODE", "1");
            let program = "import sitecustomize, opentelemetry.sdk; print(sitecustomize.__file__)";
            let output = command.args(["-c", program]).output().expect("start Python");
            let said = format!("theirs\n{}\n", stage.path("sitecustomize.py").display());
            if errors_say.is_empty() {
                assert_eq!(String::from_utf8_lossy(&output.stdout), said, "{}", errors(&output));
            } else {
                assert!(String::from_utf8_lossy(&output.stdout).starts_with("theirs\n"), "{}", errors(&output));
                assert!(errors(&output).contains(errors_say), "{}", errors(&output));
            }
        }
    }
}

#[test]
fn an_application_with_an_opentelemetry_of_its_own_is_left_alone() {
    let Some(stage) = Stage::new() else { return };
    fs::create_dir_all(stage.path("app/opentelemetry")).expect("make a folder");
    fs::write(stage.path("app/opentelemetry/__init__.py"), "").expect("write a module");
    fs::write(stage.path("app/program.py"), "import opentelemetry; print(opentelemetry.__file__)").expect("write it");
    for python in served() {
        let mut command = stage.command(&python);
        command.arg("-u").arg(stage.path("app/program.py")).env("PYTHONDONTWRITEBYTECODE", "1");
        let output = command.output().expect("start Python");
        let own = format!("{}\n", stage.path("app/opentelemetry/__init__.py").display());
        assert_eq!(String::from_utf8_lossy(&output.stdout), own);
        assert!(errors(&output).contains("has an OpenTelemetry of its own"), "{}", errors(&output));
    }
}

#[test]
fn a_python_that_is_not_served_runs_as_without() {
    let Some(agents) = agents() else { return };
    for python in ["python3.8", "python3.7", "python3.6", "python2.7"].into_iter().filter_map(interpreter) {
        let mut command = Command::new(&python);
        command.env("PYTHONPATH", agents.join("python")).env("PYTHONDONTWRITEBYTECODE", "1");
        let output =
            command.args(["-c", "import sys; print('sitecustomize' in sys.modules)"]).output().expect("start it");
        assert!(output.status.success() && output.stderr.is_empty(), "{}: {}", python.display(), errors(&output));
    }
}

#[test]
fn without_a_receiver_python_says_nothing_and_keeps_its_own_logging() {
    let Some(stage) = Stage::new() else { return };
    for python in served() {
        let mut command = stage.command(&python);
        command.env_remove("EPIPHYTE_INJECTOR_LOG").env("EPIPHYTE_ENDPOINT", "http://127.0.0.1:9");
        command.env("OTEL_EXPORTER_OTLP_TIMEOUT", "1").env("PYTHONDONTWRITEBYTECODE", "1");
        let program = "import logging, opentelemetry.trace as t\n\
            with t.get_tracer('a').start_as_current_span('b'): logging.warning('one')\n\
            logging.basicConfig(format='%(message)s', force=True)\n\
            logging.warning('two')";
        let output = command.args(["-c", program]).output().expect("start Python");
        assert_eq!(errors(&output), "WARNING:root:one\ntwo\n", "{}", python.display());
    }
}
