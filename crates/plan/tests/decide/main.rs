//! What planning decides, told as scenarios.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod bad_input;
mod conditions;
mod injector;
mod kinds;
mod lumigo;
mod marks;
mod never;
mod offers;
mod scenario;
mod totality;
