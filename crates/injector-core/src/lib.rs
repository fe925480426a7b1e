//! What the preload library decides and writes, without a look at the world: from facts about a process to the variables
//! that it is to have, and from a process's memory, behind a trait, to where its environment hangs.
//!
//! It runs in every program of a container, before the program does, so it allocates nothing, knows no floating state,
//! and has no path that panics: whatever does not fit or does not make sense comes out as `None`, and the library stands
//! down.
#![no_std]

#[cfg(test)]
extern crate std;

mod attributes;
mod auxiliary;
mod host;
mod identity;
mod layout;
mod links;
mod merge;
mod pod_name;
mod program;
mod symbols;
mod text;
mod variables;

pub use auxiliary::Auxiliary;
pub use host::Host;
pub use identity::{IDENTITY_LIMIT, Identity};
pub use layout::{JAVA_AGENT, NODE_AGENT, PYTHON_AGENT, PYTHON_FOLDER, root_of};
pub use links::{Survey, survey};
pub use merge::{Changes, Facts, merge};
pub use program::{Runtime, is_package_manager};
pub use symbols::Memory;
pub use text::join;
pub use variables::{Variable, Variables};
