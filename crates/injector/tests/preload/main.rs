//! The library in front of real programs: those that it serves see what their agents need, all others see nothing of it.
#![expect(clippy::expect_used, clippy::print_stderr, reason = "a test fails by panicking, and says what it skips")]

mod library;
mod others;
mod runtimes;
mod served;
mod stage;
