//! Which programs are instrumented.

use crate::layout::{JAVA_AGENT, NODE_AGENT, PYTHON_AGENT, split_last};

/// A runtime with an agent that is switched on by a variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Runtime {
    /// The launcher of a Java virtual machine.
    Java,
    /// Node.js.
    Node,
    /// CPython 3.9 or newer, as far as the program's name tells.
    Python,
}

impl Runtime {
    /// The runtime that a program is, by the name of its file. `None` for every other program: tools that come with a
    /// runtime, and programs that have one built in, are not ours to change.
    pub fn of(program: &[u8]) -> Option<Self> {
        match base_name(program) {
            b"java" => Some(Self::Java),
            b"node" | b"nodejs" => Some(Self::Node),
            name => name.strip_prefix(b"python").filter(|version| is_served(version)).map(|_| Self::Python),
        }
    }

    /// The file under the root that has to be there and readable.
    pub fn agent(self) -> &'static str {
        match self {
            Self::Java => JAVA_AGENT,
            Self::Node => NODE_AGENT,
            Self::Python => PYTHON_AGENT,
        }
    }

    /// The name for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Java => "Java",
            Self::Node => "Node.js",
            Self::Python => "Python",
        }
    }
}

/// Whether the arguments of a Node.js process, each ended by a zero byte, are those of a package manager: it only starts
/// the application, which is a process of its own.
pub fn is_package_manager(arguments: &[u8]) -> bool {
    const NAMES: [&[u8]; 10] = [
        b"npm",
        b"npm-cli.js",
        b"npx",
        b"npx-cli.js",
        b"yarn",
        b"yarn.js",
        b"pnpm",
        b"pnpm.cjs",
        b"corepack",
        b"corepack.js",
    ];
    let script = arguments.split(|byte| *byte == 0).skip(1).find(|argument| !argument.starts_with(b"-"));
    script.is_some_and(|script| NAMES.contains(&base_name(script)))
}

fn base_name(path: &[u8]) -> &[u8] {
    split_last(path, b'/').map_or(path, |(_, name)| name)
}

/// Whether what follows `python` in a program's name may be a version with an agent: nothing, `3`, or `3.9` and up, with
/// the letters of debug and free-threaded builds.
fn is_served(version: &[u8]) -> bool {
    let minor = match version {
        [] | b"3" => return true,
        [b'3', b'.', minor @ ..] => minor,
        _ => return false,
    };
    let minor = minor.strip_suffix(b"d").unwrap_or(minor);
    let minor = minor.strip_suffix(b"t").unwrap_or(minor);
    match minor {
        [digit] => *digit == b'9',
        [first @ b'1'..=b'9', second] => first.is_ascii_digit() && second.is_ascii_digit(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::{Runtime, is_package_manager};

    #[test]
    fn programs_are_told_by_the_name_of_their_file() {
        for (path, runtime) in [
            ("/usr/lib/jvm/java-17-openjdk-amd64/bin/java", Runtime::Java),
            ("/usr/local/bin/node", Runtime::Node),
            ("/usr/bin/nodejs", Runtime::Node),
            ("/usr/bin/python", Runtime::Python),
            ("/usr/bin/python3", Runtime::Python),
            ("/usr/bin/python3.9", Runtime::Python),
            ("/usr/local/bin/python3.13", Runtime::Python),
            ("/usr/local/bin/python3.13t", Runtime::Python),
            ("/usr/bin/python3.14d", Runtime::Python),
            ("java", Runtime::Java),
        ] {
            assert_eq!(Runtime::of(path.as_bytes()), Some(runtime), "{path}");
        }
    }

    #[test]
    fn every_other_program_is_left_alone() {
        for path in [
            "",
            "/",
            "/bin/sh",
            "/usr/bin/javac",
            "/usr/bin/keytool",
            "/opt/javascript",
            "/bin/node-exporter",
            "/bin/nodes",
            "/usr/bin/python2",
            "/usr/bin/python2.7",
            "/usr/bin/python3.8",
            "/usr/bin/python3.7m",
            "/usr/bin/python3.",
            "/usr/bin/python3.09",
            "/usr/bin/python3.11-config",
            "/usr/bin/pypy3",
            "/usr/bin/python4",
            "/bin/node (deleted)",
        ] {
            assert_eq!(Runtime::of(path.as_bytes()), None, "{path}");
        }
    }

    #[test]
    fn a_package_manager_is_told_by_its_script() {
        assert!(is_package_manager(b"node\0/usr/local/bin/npm\0start\0"));
        assert!(is_package_manager(b"node\0--no-warnings\0/usr/lib/node_modules/npm/bin/npx-cli.js\0serve\0"));
        assert!(!is_package_manager(b"node\0server.js\0npm\0"));
        assert!(!is_package_manager(b"npm\0"));
        assert!(!is_package_manager(b""));
    }
}
