//! A control plane with the operator beside it, as a real process, and what tests say to both.

// Each test binary uses a part of this.
#![allow(dead_code, unused_imports, reason = "each test binary uses a part of this module")]
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test fails by panicking"
)]

mod admin;
mod cluster;
mod manifests;
mod operator;
mod proxy;
mod shared;
mod table;

pub use admin::{Admin, free_address};
pub use cluster::{Cluster, DEADLINE, Object, Ready, eventually, eventually_within, until};
pub use manifests::*;
pub use operator::{OPERATOR, Operator, OperatorOptions};
pub use proxy::{Address, Manner, PROXY, proxy_group};
pub use shared::Shared;
pub use table::Table;

/// The system namespace of all tests.
pub const SYSTEM: &str = "odigos-system";
