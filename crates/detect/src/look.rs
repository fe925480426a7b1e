//! One process: first what it is, as cheaply as can be; then, of the one that speaks for its container, everything.

use epiphyte_api::Language;

use crate::agent::{OtherAgent, by_arguments, by_environment, by_files, by_path};
use crate::auxv::{SecureExecution, Width, secure_execution};
use crate::command::variables;
use crate::elf::Elf;
use crate::family::Member;
use crate::maps::mapped_files;
use crate::native::VersionText;
use crate::ours::{foreign_preloads, is_ours};
use crate::proc::{Opened, ProcFile};
use crate::read::piece;
use crate::resolve::{Candidate, Evidence};
use crate::runtime::{base, by_library, by_program, python_minor};
use crate::scan::{Found, Scanner};
use crate::sighting::{Doubt, Libc, Process, Runtime};
use crate::version::{java_release, version};
use crate::wrapper::is_wrapper;

/// Most bytes that are read of a file `release` or `/etc/ld.so.preload`.
const MAX_TEXT: usize = 16 * 1024;

/// How many folders above a Java runtime's program or library its file `release` may be.
const RELEASE_ABOVE: usize = 5;

/// What the mapped files of a process tell.
#[derive(Debug, Default)]
struct Mapped {
    /// The runtime and the path of its library; the first by address.
    runtime: Option<(Language, String)>,
    other_agent: Option<OtherAgent>,
    cplusplus: bool,
}

impl Scanner {
    /// Tells what a process is: by the exact name of its program, then by what the Go linker left in it, then by the runtime
    /// that it has mapped, then by what other compilers left. `None` for one that has ended.
    pub(crate) fn identify(&mut self, member: Member) -> Option<Found> {
        let program = self.proc.program_path(member.pid)?;
        let named = by_program(base(&program));
        let interprets = matches!(named, Some(Language::Python | Language::JavaScript));
        self.buffer.clear();
        if interprets {
            self.proc.read(member.pid, ProcFile::CommandLine, &mut self.buffer)?;
        }
        if is_wrapper(base(&program), named.as_ref(), &self.buffer) {
            return Some(Found::Wrapper(program));
        }
        let evidence = match named {
            Some(language) => Some(Evidence { language, version: None }),
            None => self.evidence(member.pid),
        };
        Some(Found::Candidate(Candidate { member, program, evidence }))
    }

    /// The language of a program without a telling name.
    fn evidence(&mut self, pid: u32) -> Option<Evidence> {
        let native = self.proc.program(pid).and_then(|opened| self.programs.native(&opened));
        let native = native.map(|native| Evidence { language: native.language, version: native.version });
        if native.as_ref().is_some_and(|native| matches!(native.language, Language::Go | Language::DotNet)) {
            return native;
        }
        let mapped = self.mapped(pid);
        let hosted = mapped.runtime.map(|(language, _)| Evidence { language, version: None });
        let cplusplus = || mapped.cplusplus.then_some(Evidence { language: Language::CPlusPlus, version: None });
        hosted.or(native).or_else(cplusplus)
    }

    /// Everything about the process that speaks for its container. `None` if it ended meanwhile, even if its id lives on.
    pub(crate) fn describe(
        &mut self,
        Member { pid, stat }: Member,
        program: String,
        evidence: Result<Evidence, Doubt>,
    ) -> Option<Runtime> {
        let opened = self.proc.program(pid);
        let elf = opened.as_ref().and_then(|opened| self.programs.elf(opened));
        let libc = elf.as_deref().and_then(libc);
        let mapped = self.mapped(pid);
        let version = evidence.as_ref().ok().and_then(|evidence| {
            let library = mapped.runtime.filter(|(language, _)| *language == evidence.language).map(|(_, path)| path);
            let beside = || self.version(pid, &evidence.language, &program, opened.as_ref(), library.as_deref());
            evidence.version.clone().or_else(beside)
        });
        // musl's dynamic linker knows of no such file.
        let preload_file = (libc == Some(Libc::Glibc))
            .then(|| self.text_inside(pid, "/etc/ld.so.preload"))
            .flatten()
            .and_then(|list| foreign_preloads(&list));
        let (preload, environment_agent) = self.environment(pid);
        let process = Process {
            pid,
            program,
            libc,
            secure_execution: self.secure_execution(pid, elf.as_deref()),
            other_agent: self
                .argument_agent(pid)
                .or(environment_agent)
                .or_else(|| by_files(preload_file.as_deref()?))
                .or(mapped.other_agent),
            preload,
            preload_file,
        };
        if self.proc.stat(pid, &mut self.buffer)?.started != stat.started {
            return None;
        }
        Some(Runtime { language: evidence.map(|evidence| evidence.language), version, process: Some(process) })
    }

    /// The version of a runtime, from its program or library itself or from what stands beside it.
    fn version(
        &mut self,
        pid: u32,
        language: &Language,
        program: &str,
        opened: Option<&Opened>,
        library: Option<&str>,
    ) -> Option<String> {
        let text = match language {
            Language::Java => return self.java_version(pid, library.unwrap_or(program)),
            // <dotnet>/shared/Microsoft.NETCore.App/<version>/libcoreclr.so
            Language::DotNet => return library?.rsplit('/').nth(1).and_then(|folder| version(folder.as_bytes())),
            Language::JavaScript => VersionText::Node,
            Language::Php => VersionText::Php,
            Language::Ruby => VersionText::Ruby,
            Language::Python => {
                let minor = library.and_then(|library| python_minor(base(library)));
                VersionText::Python(minor.or_else(|| python_minor(base(program)))?.into())
            }
            _ => return None,
        };
        let library = library.and_then(|library| self.proc.inside(pid, library));
        let in_library = library.and_then(|library| self.programs.version(&library, text.clone()));
        in_library.or_else(|| self.programs.version(opened?, text.clone())).or(match text {
            VersionText::Python(minor) => Some(minor.into()),
            _ => None,
        })
    }

    /// `JAVA_VERSION` of the file `release` in a folder above.
    fn java_version(&self, pid: u32, path: &str) -> Option<String> {
        let folders = std::iter::successors(path.rsplit_once('/'), |(folder, _)| folder.rsplit_once('/'));
        folders
            .take(RELEASE_ABOVE)
            .find_map(|(folder, _)| java_release(&self.text_inside(pid, &format!("{folder}/release"))?))
    }

    fn text_inside(&self, pid: u32, path: &str) -> Option<Vec<u8>> {
        piece(&self.proc.inside(pid, path)?.file, 0, MAX_TEXT)
    }

    fn mapped(&mut self, pid: u32) -> Mapped {
        let mut mapped = Mapped::default();
        if self.proc.read(pid, ProcFile::Maps, &mut self.buffer).is_none() {
            return mapped;
        }
        for path in mapped_files(&self.buffer).filter(|path| !is_ours(path)) {
            let name = base(path);
            if mapped.runtime.is_none() {
                mapped.runtime = by_library(name).map(|language| (language, path.to_owned()));
            }
            mapped.cplusplus |= name.starts_with("libstdc++.so") || name.starts_with("libc++.so");
            mapped.other_agent = mapped.other_agent.or_else(|| by_path(path));
        }
        mapped
    }

    /// The preload that is not ours, and another agent.
    fn environment(&mut self, pid: u32) -> (Option<String>, Option<OtherAgent>) {
        if self.proc.read(pid, ProcFile::Environment, &mut self.buffer).is_none() {
            return (None, None);
        }
        let preload = variables(&self.buffer).find(|(name, _)| *name == epiphyte_api::names::LD_PRELOAD);
        (preload.and_then(|(_, list)| foreign_preloads(list)), by_environment(&self.buffer))
    }

    fn argument_agent(&mut self, pid: u32) -> Option<OtherAgent> {
        self.proc.read(pid, ProcFile::CommandLine, &mut self.buffer)?;
        by_arguments(&self.buffer)
    }

    fn secure_execution(&mut self, pid: u32, elf: Option<&Elf>) -> SecureExecution {
        let width = elf.map_or(Width::Wide, |elf| elf.width);
        match self.proc.read(pid, ProcFile::Auxv, &mut self.buffer) {
            Some(()) => secure_execution(&self.buffer, width),
            None => SecureExecution::Unknown,
        }
    }
}

/// The C library by the name of the dynamic linker.
fn libc(elf: &Elf) -> Option<Libc> {
    let Some(linker) = &elf.interpreter else {
        return Some(Libc::None);
    };
    let linker = String::from_utf8_lossy(linker);
    match base(&linker) {
        name if name.starts_with("ld-musl-") => Some(Libc::Musl),
        name if name.starts_with("ld-linux") || name.starts_with("ld64.so") || name == "ld.so.1" => Some(Libc::Glibc),
        _ => None,
    }
}
