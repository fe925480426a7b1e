//! Scans of made-up proc folders.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod containers;
mod folder;
mod hostile;
mod looks;
mod rules;
