//! What runs in a container, from `/proc` alone.
//!
//! [`Scanner::scan`] groups the processes of a node by container and looks into those that somebody asks about;
//! [`Scanner::look`] looks at given processes. Exact names and evidence inside ELF files are believed, and nothing is guessed:
//! what cannot be told is unknown, with a [`Doubt`] that says why. Whatever Epiphyte itself put into a process is taken out
//! first. What is read comes from strangers: every file is read in bounds, links of a container are followed within the
//! container, and a process that ends meanwhile is no error.

mod agent;
mod auxv;
mod cgroup;
mod command;
mod elf;
mod family;
mod go;
mod look;
mod maps;
mod native;
mod ours;
mod proc;
mod programs;
mod read;
mod resolve;
mod runtime;
mod scan;
mod search;
mod sighting;
mod stat;
mod version;
mod wanted;
mod wrapper;

pub use agent::OtherAgent;
pub use auxv::SecureExecution;
pub use scan::{ScanError, Scanner};
pub use sighting::{Doubt, Libc, Process, Runtime, Sighting};
pub use wanted::Wanted;

/// The parsers by themselves, for fuzzing and measuring: bytes in, no panic out.
pub mod parse {
    pub use crate::agent::{by_arguments, by_environment};
    pub use crate::auxv::{Width, secure_execution};
    pub use crate::cgroup::{Membership, membership};
    pub use crate::command::{arguments, variables};
    pub use crate::elf::Elf;
    pub use crate::maps::mapped_files;
    pub use crate::native::Native;
    pub use crate::read::ReadAt;
    pub use crate::stat::{Stat, stat};
    pub use crate::version::java_release;
}
