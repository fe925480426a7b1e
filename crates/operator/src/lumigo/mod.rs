//! The life of a Lumigo: its token, its finalizer, its status, and the files that name its namespace to the telemetry proxy.
//!
//! `tokens` reads the Secrets and `files` writes the files, on every replica; `due` says what a Lumigo needs and `steward`
//! carries that out, on the leader only.

mod due;
mod files;
mod standing;
mod status;
mod steward;
mod token;
mod tokens;

pub(crate) use due::LumigoDue;
pub(crate) use files::Files;
pub(crate) use steward::Steward;
pub(crate) use tokens::{Reader, Tokens};
