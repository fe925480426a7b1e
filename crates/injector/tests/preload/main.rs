//! The library in front of real programs: those that it serves see what their agents need, all others see nothing of it.
#![expect(clippy::expect_used, reason = "a test fails by panicking")]

mod library;
mod others;
mod runtimes;
mod served;
mod stage;
