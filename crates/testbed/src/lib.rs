//! A real Kubernetes control plane for tests and the demo: programs built from their Go modules, run on loopback,
//! gone without a trace when the test ends, however it does.
//!
//! ```no_run
//! # async fn example() -> epiphyte_testbed::Result<()> {
//! let plane = epiphyte_testbed::ControlPlane::start().await?;
//! let mark = plane.audit().mark()?;
//! let client = plane.client();
//! // ... let the program under test work with `client` or `plane.kubeconfig()` ...
//! let writes = plane.audit().writes_since(mark)?;
//! # Ok(())
//! # }
//! ```

mod audit;
pub mod cache;
mod certificates;
mod control_plane;
pub mod debian;
mod error;
pub mod image;
mod kubeconfig;
mod node;
pub mod otlp;
mod ports;
pub mod programs;
mod skip;
mod supervisor;

pub use audit::{AuditLog, Entry, Mark, ObjectRef, ResponseStatus, User};
pub use control_plane::{ADMIN, Builder, Component, ControlPlane, Guest, no_node};
pub use error::{Error, Result};
pub use node::FakeNode;
pub use ports::free_address;
pub use skip::skipped;
