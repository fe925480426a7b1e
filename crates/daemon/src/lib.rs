//! What the programs in the cluster all are, whatever they do: programs that run on, watch the API server, say whether
//! they are ready, and serve their health and metrics.
//!
//! Nothing here knows what is watched or counted: that is the user's. Errors of a watch are told and tried again, so that
//! none of them comes out of here.

pub mod admin;
mod backoff;
mod failure;
pub mod file;
mod metrics;
mod ready;
pub mod settings;
mod watch;

pub use backoff::Backoff;
pub use failure::chain;
pub use metrics::Registry;
pub use ready::{Awaited, Ready};
pub use watch::{Named, Object, ObjectKey, Served, Sink, Watched, watch};
