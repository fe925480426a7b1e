//! Programs that only start, watch or wait for others. They say nothing of what runs in a container.

use epiphyte_api::Language;

use crate::command::arguments;
use crate::runtime::base;

/// Shells, first processes, supervisors, launchers and idle tools.
const PROGRAMS: [&str; 56] = [
    "ash",
    "bash",
    "busybox",
    "cargo",
    "cat",
    "catatonit",
    "chamber",
    "consul-template",
    "coreutils",
    "crond",
    "csh",
    "dash",
    "docker-init",
    "dockerize",
    "doppler",
    "dumb-init",
    "env",
    "envconsul",
    "fish",
    "go",
    "gosu",
    "init",
    "ksh",
    "ksh93",
    "mksh",
    "nohup",
    "pause",
    "pebble",
    "pid1",
    "runit",
    "runsv",
    "runsvdir",
    "runuser",
    "s6-ipcserverd",
    "s6-linux-init-shutdownd",
    "s6-supervise",
    "s6-svscan",
    "setpriv",
    "sh",
    "sleep",
    "su",
    "su-exec",
    "sudo",
    "supercronic",
    "systemd",
    "tail",
    "tee",
    "timeout",
    "tini",
    "tini-static",
    "toybox",
    "uv",
    "vault-env",
    "watch",
    "watchexec",
    "zsh",
];

/// The same, written in an interpreted language.
const SCRIPTS: [&str; 20] = [
    "PM2",
    "circusd",
    "corepack",
    "honcho",
    "nodemon",
    "nodemon.js",
    "npm",
    "npm-cli.js",
    "npx",
    "npx-cli.js",
    "pipenv",
    "pm2",
    "pm2-runtime",
    "pnpm",
    "pnpm.cjs",
    "poetry",
    "supervisord",
    "uv",
    "yarn",
    "yarn.js",
];

/// Whether a process is such a program, by the name of its executable and its `cmdline`.
pub(crate) fn is_wrapper(program: &str, language: Option<&Language>, cmdline: &[u8]) -> bool {
    PROGRAMS.binary_search(&program).is_ok()
        || matches!(language, Some(Language::Python | Language::JavaScript)) && script(cmdline)
}

/// Whether an interpreter runs one of [`SCRIPTS`]; some call their process so themselves, `npm start`.
fn script(cmdline: &[u8]) -> bool {
    let mut arguments = arguments(cmdline).filter_map(|argument| std::str::from_utf8(argument).ok());
    let title = arguments.next().and_then(|title| title.split(' ').next());
    let file = arguments.find(|argument| !argument.starts_with('-'));
    title.into_iter().chain(file).any(|it| SCRIPTS.binary_search(&base(it)).is_ok())
}

#[cfg(test)]
mod tests {
    use epiphyte_api::Language;

    use super::{PROGRAMS, SCRIPTS, is_wrapper};

    #[test]
    fn the_lists_are_sorted() {
        assert!(PROGRAMS.is_sorted() && SCRIPTS.is_sorted());
    }

    #[test]
    fn a_supervisor_in_python_is_no_python_application() {
        let python = |cmdline: &[u8]| is_wrapper("python3.11", Some(&Language::Python), cmdline);
        assert!(python(b"/usr/bin/python3\0-u\0/usr/bin/supervisord\0-n\0"));
        assert!(!python(b"/usr/bin/python3\0app.py\0supervisord\0"));
        let node = |cmdline: &[u8]| is_wrapper("node", Some(&Language::JavaScript), cmdline);
        assert!(node(b"npm start\0\0\0"));
        assert!(node(b"node\0/usr/local/bin/yarn\0start\0"));
        assert!(!node(b"node\0server.js\0"));
        assert!(!is_wrapper("java", Some(&Language::Java), b"java\0npm\0"));
        assert!(is_wrapper("tini", None, b""));
    }
}
