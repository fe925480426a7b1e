//! One walk over the proc folder: processes grouped by container, and each wanted container looked at.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

use crate::cgroup::membership;
use crate::family::{Member, own};
use crate::proc::{Proc, ProcFile};
use crate::programs::Programs;
use crate::resolve::{Candidate, names, resolve};
use crate::sighting::{Doubt, Runtime, Sighting};
use crate::wanted::Wanted;

/// Most processes of one container whose ages and parents are read: those with the lowest ids.
const MAX_PROCESSES: usize = 512;

/// Most of a container's own processes whose programs are looked at: the oldest.
const MAX_PROGRAMS: usize = 64;

/// Looks into containers through a proc folder. Remembers what it read of programs, so that it is worth keeping.
#[derive(Debug)]
pub struct Scanner {
    pub(crate) proc: Proc,
    pub(crate) programs: Programs,
    /// Used for every file that is read, one after the other.
    pub(crate) buffer: Vec<u8>,
}

/// The proc folder could not be listed.
#[derive(Debug, thiserror::Error)]
#[error("cannot list the processes in {}: {source}", folder.display())]
pub struct ScanError {
    /// The proc folder.
    pub folder: PathBuf,
    /// What the system said.
    pub source: io::Error,
}

/// A process as it was found.
pub(crate) enum Found {
    /// A shell or the like: path of its program.
    Wrapper(String),
    /// What may speak for the container.
    Candidate(Candidate),
}

impl Scanner {
    /// A scanner of this proc folder, `/proc` of the host.
    pub fn new(proc_root: impl Into<PathBuf>) -> Self {
        Self { proc: Proc::new(proc_root.into()), programs: Programs::default(), buffer: Vec::new() }
    }

    /// Looks into the wanted containers; sorted by container id. One without processes is not among them.
    ///
    /// A process tells less while it starts, before its libraries are mapped: ask about containers that are ready.
    ///
    /// # Errors
    /// When the proc folder cannot be listed. A process that ends meanwhile is no error.
    pub fn scan(&mut self, wanted: &Wanted) -> Result<Vec<Sighting>, ScanError> {
        let failed = |source| ScanError { folder: self.proc.root().to_owned(), source };
        let mut containers: BTreeMap<String, (Option<String>, Vec<u32>)> = BTreeMap::new();
        for pid in self.proc.processes().map_err(failed)? {
            if self.proc.read(pid, ProcFile::Cgroup, &mut self.buffer).is_none() {
                continue;
            }
            if let Some(found) = membership(&self.buffer).filter(|found| wanted.has(found)) {
                let (_, pids) = match containers.get_mut(found.container_id) {
                    Some(container) => container,
                    None => containers.entry(found.container_id.to_owned()).or_insert((found.pod_uid, Vec::new())),
                };
                pids.push(pid);
            }
        }
        let look = |(container_id, (pod_uid, pids)): (String, (Option<String>, Vec<u32>))| {
            let runtime = self.look(&pids);
            Sighting { pod_uid, container_id, runtime }
        };
        Ok(containers.into_iter().map(look).collect())
    }

    /// Looks at these processes as those of one container.
    pub fn look(&mut self, pids: &[u32]) -> Runtime {
        let mut pids = pids.to_vec();
        pids.sort_unstable();
        pids.truncate(MAX_PROCESSES);
        let member = |pid| Some(Member { pid, stat: self.proc.stat(pid, &mut self.buffer)? });
        let members: Vec<Member> = pids.into_iter().filter_map(member).collect();
        let (mut wrappers, mut candidates) = (Vec::new(), Vec::new());
        for member in own(&members).into_iter().take(MAX_PROGRAMS) {
            match self.identify(member) {
                Some(Found::Wrapper(program)) => wrappers.push(program),
                Some(Found::Candidate(candidate)) => candidates.push(candidate),
                None => {}
            }
        }
        while !candidates.is_empty() {
            // Of a container in doubt the oldest process is described, so that people see where to look.
            let (index, evidence) = match resolve(&candidates) {
                Ok((index, evidence)) => (index, Ok(evidence)),
                Err(doubt) => (0, Err(doubt)),
            };
            let Candidate { member, program, .. } = candidates.remove(index);
            if let Some(runtime) = self.describe(member, program, evidence) {
                return runtime;
            }
        }
        if wrappers.is_empty() {
            return Runtime::unknown(Doubt::NoProcess);
        }
        Runtime::unknown(Doubt::OnlyWrappers(names(wrappers.iter().map(String::as_str))))
    }
}
