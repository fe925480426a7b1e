//! Pure: how the instrumentation of a Go process ended, by the last that the program said.

/// How it ended, or what limits it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The process ended, and the program with it.
    ProcessEnded,
    /// The container or the agent is about to end.
    Stopped,
    /// The container has no process that could be looked at.
    NoProcess,
    /// What runs in the container is not written in Go.
    NotGo,
    /// The program cannot be started.
    CannotStart,
    /// The kernel is locked down, and trace context is not passed on to others.
    Lockdown,
    /// The kernel or the node's rules forbid eBPF.
    Forbidden,
    /// The program ran out of the memory that it may have.
    OutOfMemory,
    /// The kernel did not take the eBPF programs.
    RefusedByKernel,
    /// The Go version or its libraries are not served.
    Unsupported,
    /// Somebody killed it.
    Killed,
    /// It ended and said nothing that we understand.
    Failed,
}

impl Outcome {
    /// A word for metrics and logs.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::ProcessEnded => "process_ended",
            Self::Stopped => "stopped",
            Self::NoProcess => "no_process",
            Self::NotGo => "not_go",
            Self::CannotStart => "cannot_start",
            Self::Lockdown => "lockdown",
            Self::Forbidden => "forbidden",
            Self::OutOfMemory => "out_of_memory",
            Self::RefusedByKernel => "refused_by_kernel",
            Self::Unsupported => "unsupported",
            Self::Killed => "killed",
            Self::Failed => "failed",
        }
    }

    /// Of a program that ended by itself: by its last lines and by whether a signal ended it.
    pub(crate) fn of_end<'l>(lines: impl Iterator<Item = &'l str>, signalled: bool) -> Self {
        let lines: Vec<String> = lines.map(str::to_ascii_lowercase).collect();
        let says = |words: &[&str]| lines.iter().any(|line| words.iter().any(|word| line.contains(word)));
        if says(&["bpf_probe_write_user", "lockdown"]) {
            Self::Lockdown
        } else if says(&["out of memory", "cannot allocate memory", "enomem"]) {
            Self::OutOfMemory
        } else if says(&["operation not permitted", "permission denied", "eperm", "eacces"]) {
            Self::Forbidden
        } else if says(&["verifier", "invalid argument", "load program", "loading ebpf"]) {
            Self::RefusedByKernel
        } else if says(&["unsupported", "not supported", "offset", "no instrumentation", "not a go executable"]) {
            Self::Unsupported
        } else if signalled {
            Self::Killed
        } else {
            Self::Failed
        }
    }

    /// What a line of a program that goes on tells of its limits.
    pub(crate) fn of_limit(line: &str) -> Option<Self> {
        let line = line.to_ascii_lowercase();
        let limited = line.contains("lockdown") || line.contains("bpf_probe_write_user");
        limited.then_some(Self::Lockdown)
    }
}

#[cfg(test)]
mod tests {
    use super::Outcome;

    #[test]
    fn what_the_kernel_forbids_is_told_by_the_last_lines() {
        let of = |line: &str| Outcome::of_end(std::iter::once(line), false);
        let lockdown = "load program: invalid argument: program of this type cannot use helper bpf_probe_write_user#36";
        assert_eq!(of(lockdown), Outcome::Lockdown);
        assert_eq!(of("failed to load: map create: operation not permitted"), Outcome::Forbidden);
        assert_eq!(of("fatal error: runtime: out of memory"), Outcome::OutOfMemory);
        assert_eq!(of("field UprobeServeHTTP: program: load program: invalid argument"), Outcome::RefusedByKernel);
        assert_eq!(of("error: Unsupported Go version 1.12"), Outcome::Unsupported);
        assert_eq!(of("goodbye"), Outcome::Failed);
        assert_eq!(Outcome::of_end(std::iter::empty(), true), Outcome::Killed);
    }

    #[test]
    fn a_limit_is_told_while_the_program_goes_on() {
        assert_eq!(Outcome::of_limit("Kernel Lockdown mode: context propagation is off"), Some(Outcome::Lockdown));
        assert_eq!(Outcome::of_limit("instrumentation loaded successfully"), None);
    }
}
