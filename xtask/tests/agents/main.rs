//! The agents, as they are delivered, in real programs: what nobody changed sends traces, and what cannot be served is left
//! as it was.
#![expect(clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

mod files;
mod go;
mod java;
mod node;
mod python;
mod stage;
