//! The language that a program was compiled from, by what its compiler left in it.

use epiphyte_api::Language;
use memchr::memmem;

use crate::elf::Elf;
use crate::go::GoProgram;
use crate::read::{ReadAt, piece};
use crate::search::{find, until};
use crate::version::{numbers, version};

/// Most bytes of `.comment` and `.dynstr` that are looked at.
const MAX_COMMENT: usize = 8 * 1024;
const MAX_EXPORTS: usize = 1024 * 1024;

/// Most bytes of constants that are searched for Rust's paths.
const MAX_CONSTANTS: u64 = 8 * 1024 * 1024;

/// A compiled program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Native {
    /// Go, .NET, Rust, or C and C++.
    pub language: Language,
    /// Version of Go or of the Rust compiler.
    pub version: Option<String>,
}

impl Native {
    /// Looks at a program. `None` where it tells nothing.
    pub fn read(source: &(impl ReadAt + ?Sized), elf: &Elf) -> Option<Self> {
        if let Some(go) = GoProgram::read(source, elf) {
            return Some(Self { language: Language::Go, version: go.version });
        }
        if exports_dotnet(source, elf) {
            return Some(Self { language: Language::DotNet, version: None });
        }
        let comment = elf.comment.as_ref().and_then(|at| piece(source, at.start, length(at, MAX_COMMENT)));
        let comment = comment.unwrap_or_default();
        if let Some(at) = memmem::find(&comment, b"rustc version ") {
            let version = comment.get(at + 14..).and_then(|rest| version(until(rest, b" \0")?));
            return Some(Self { language: Language::Rust, version });
        }
        if [b"GCC: ".as_slice(), b"clang version "].iter().any(|compiler| memmem::find(&comment, compiler).is_some()) {
            return Some(Self { language: Language::CPlusPlus, version: None });
        }
        // The compilers' names are gone, but the standard library says where in its sources it would panic.
        names_rust_sources(source, elf).then_some(Self { language: Language::Rust, version: None })
    }
}

/// Whether it is a .NET application in a single file, compiled ahead of time or not.
fn exports_dotnet(source: &(impl ReadAt + ?Sized), elf: &Elf) -> bool {
    let exports = elf.exports.as_ref().and_then(|at| piece(source, at.start, length(at, MAX_EXPORTS)));
    exports.is_some_and(|names| {
        [b"\0DotNetRuntimeInfo\0".as_slice(), b"\0DotNetRuntimeDebugHeader\0"]
            .iter()
            .any(|name| memmem::find(&names, name).is_some())
    })
}

fn names_rust_sources(source: &(impl ReadAt + ?Sized), elf: &Elf) -> bool {
    elf.constants.as_ref().is_some_and(|at| {
        let end = at.end.min(at.start.saturating_add(MAX_CONSTANTS));
        let commit = |_, after: &[u8]| {
            let commit = until(after, b"/")?;
            (commit.len() == 40 && commit.iter().all(u8::is_ascii_hexdigit)).then_some(())
        };
        find(source, at.start..end, b"/rustc/", commit).is_some()
    })
}

fn length(range: &std::ops::Range<u64>, limit: usize) -> usize {
    usize::try_from(range.end - range.start).map_or(limit, |length| length.min(limit))
}

/// A text that a runtime carries in its constants, with its version in it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum VersionText {
    /// The address that Node.js downloads headers from.
    Node,
    /// `PY_VERSION` of this minor version.
    Python(Box<str>),
    /// The header `X-Powered-By`.
    Php,
    /// The text of `ruby --version`.
    Ruby,
}

/// Most bytes of constants that are searched for a version: those of Node.js are about 50 MB.
const MAX_RUNTIME_CONSTANTS: u64 = 128 * 1024 * 1024;

impl VersionText {
    /// Searches a runtime's program or library for its version.
    pub(crate) fn find(&self, source: &(impl ReadAt + ?Sized), elf: &Elf) -> Option<String> {
        let at = elf.constants.as_ref()?;
        let range = at.start..at.end.min(at.start.saturating_add(MAX_RUNTIME_CONSTANTS));
        match self {
            Self::Node => find(source, range, b"/download/release/v", |_, after| version(until(after, b"/")?)),
            Self::Php => find(source, range, b"X-Powered-By: PHP/", |_, after| version(until(after, b"\0")?)),
            Self::Ruby => find(source, range, b"ruby ", |_, after| numbers(until(after, b" ")?)),
            Self::Python(minor) => find(source, range, format!("{minor}.").as_bytes(), |before, after| {
                let micro = until(after, b"\0")?;
                let whole = micro.first().is_some_and(u8::is_ascii_digit)
                    && micro.len() <= 8
                    && micro.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'+')
                    && before.is_none_or(|byte| !byte.is_ascii_alphanumeric() && byte != b'.');
                let micro = micro.strip_suffix(b"+").unwrap_or(micro);
                whole.then(|| version([minor.as_bytes(), b".", micro].concat().as_slice()))?
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use epiphyte_api::Language;

    use super::{Native, VersionText};
    use crate::auxv::Width;
    use crate::elf::Elf;

    fn constants(text: &str) -> Elf {
        Elf { constants: Some(0..text.len() as u64), ..Elf::empty(Width::Wide) }
    }

    #[test]
    fn compilers_leave_their_names() {
        let native = |text: &str| {
            let elf = Elf { comment: Some(0..text.len() as u64), ..Elf::empty(Width::Wide) };
            Native::read(text.as_bytes(), &elf).map(|found| (found.language, found.version))
        };
        assert_eq!(native("GCC: (Debian 12.2.0)\0"), Some((Language::CPlusPlus, None)));
        assert_eq!(
            native("GCC: (GNU)\0rustc version 1.93.1 (01f6ddf75)\0"),
            Some((Language::Rust, Some("1.93.1".into())))
        );
        assert_eq!(native("something else\0"), None);
    }

    #[test]
    fn rust_and_dotnet_are_known_without_a_compilers_name() {
        let text = "x/rustc/0123456789abcdef0123456789abcdef01234567/library/core/src/a.rs";
        assert_eq!(Native::read(text.as_bytes(), &constants(text)).unwrap().language, Language::Rust);
        let names = b"\0malloc\0DotNetRuntimeInfo\0";
        let elf = Elf { exports: Some(0..names.len() as u64), ..Elf::empty(Width::Wide) };
        assert_eq!(Native::read(names.as_slice(), &elf).unwrap().language, Language::DotNet);
    }

    #[test]
    fn runtimes_carry_their_versions() {
        let of = |kind: VersionText, text: &str| kind.find(text.as_bytes(), &constants(text));
        let python = || VersionText::Python("3.11".into());
        assert_eq!(of(python(), "/3.11.7/lib\x003.11\0x13.11.9\0 3.11.7\0").as_deref(), Some("3.11.7"));
        assert_eq!(of(python(), " 3.11.2+\0").as_deref(), Some("3.11.2"));
        assert_eq!(of(python(), "python3.11.so\0"), None);
        assert_eq!(
            of(VersionText::Node, "https://nodejs.org/download/release/v22.1.0/node-v22.1.0.tar.gz\0").as_deref(),
            Some("22.1.0")
        );
        assert_eq!(of(VersionText::Php, "X-Powered-By: PHP/8.2.10\0").as_deref(), Some("8.2.10"));
        assert_eq!(of(VersionText::Ruby, "ruby - x\0ruby 3.2.2 (2023-03-30)\0").as_deref(), Some("3.2.2"));
    }
}
