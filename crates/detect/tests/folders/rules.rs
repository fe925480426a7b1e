//! Several processes in one container.

use epiphyte_api::Language;
use epiphyte_detect::{Doubt, Runtime, Scanner};

use crate::folder::Folder;

fn look(folder: &Folder, pids: &[u32]) -> Runtime {
    Scanner::new(folder.path()).look(pids)
}

#[test]
fn a_shell_in_front_is_passed_over() {
    let folder = Folder::new();
    folder.process(10, 1, "/usr/bin/tini");
    folder.process(11, 10, "/bin/busybox");
    folder.process(12, 11, "/usr/local/bin/python3.11");
    let runtime = look(&folder, &[10, 11, 12]);
    assert_eq!((runtime.language, runtime.version.as_deref()), (Ok(Language::Python), Some("3.11")));
    assert_eq!(runtime.process.unwrap().pid, 12);
}

#[test]
fn a_supervisor_and_a_package_manager_are_passed_over() {
    let folder = Folder::new();
    folder.process(10, 1, "/usr/bin/python3.11").arguments(&["/usr/bin/python3", "/usr/bin/supervisord"]);
    folder.process(11, 10, "/usr/local/bin/node").arguments(&["npm start"]);
    folder.process(12, 11, "/usr/lib/jvm/bin/java").arguments(&["java", "-jar", "a.jar"]);
    assert_eq!(look(&folder, &[10, 11, 12]).language, Ok(Language::Java));
}

#[test]
fn only_shells_are_a_doubt_that_names_them() {
    let folder = Folder::new();
    folder.process(10, 1, "/bin/bash");
    folder.process(11, 10, "/usr/bin/sleep");
    let runtime = look(&folder, &[10, 11]);
    assert_eq!(runtime.language, Err(Doubt::OnlyWrappers(vec!["bash".into(), "sleep".into()])));
    assert_eq!(runtime.into_entry("app").language, Language::Unknown);
}

#[test]
fn two_languages_are_a_tie() {
    let folder = Folder::new();
    folder.process(10, 1, "/bin/sh");
    folder.process(11, 10, "/usr/bin/java").variables(&["LD_PRELOAD=/lib/a.so"]);
    folder.process(12, 10, "/usr/bin/node").arguments(&["node", "server.js"]);
    let runtime = look(&folder, &[12, 11, 10]);
    let tie = vec![(Language::Java, "java".into()), (Language::JavaScript, "node".into())];
    assert_eq!(runtime.language, Err(Doubt::Tie(tie)));
    assert_eq!(runtime.version, None);
    assert_eq!(runtime.process.unwrap().preload.as_deref(), Some("/lib/a.so"), "the oldest is described");
}

#[test]
fn workers_agree_and_the_oldest_speaks() {
    let folder = Folder::new();
    folder.process(10, 1, "/usr/bin/python3.11").arguments(&["gunicorn: master"]);
    folder.process(11, 10, "/usr/bin/python3.11").arguments(&["gunicorn: worker"]);
    folder.process(12, 10, "/usr/bin/helper");
    let runtime = look(&folder, &[10, 11, 12]);
    assert_eq!((runtime.language, runtime.process.unwrap().pid), (Ok(Language::Python), 10));
}

#[test]
fn a_probe_from_outside_does_not_make_a_tie() {
    let folder = Folder::new();
    folder.process(20, 1, "/usr/bin/java");
    folder.process(30, 1, "/usr/bin/python3.11").arguments(&["python3", "probe.py"]);
    assert_eq!(look(&folder, &[20, 30]).language, Ok(Language::Java));
}

#[test]
fn processes_that_vanish_are_no_error() {
    let folder = Folder::new();
    folder.process(10, 1, "/usr/bin/java");
    let gone = folder.process(11, 10, "/usr/bin/node");
    std::fs::remove_file(gone.path.join("exe")).unwrap();
    assert_eq!(look(&folder, &[10, 11, 12]).language, Ok(Language::Java));
    assert_eq!(look(&folder, &[12]).language, Err(Doubt::NoProcess));
    assert_eq!(look(&folder, &[11]).language, Err(Doubt::NoProcess));
    assert_eq!(look(&folder, &[]).language, Err(Doubt::NoProcess));
}
