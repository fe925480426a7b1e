//! Placeholder.
use crate::{Facts, Verdict};
/// Decides.
pub fn decide(_facts: &Facts<'_>) -> Verdict { todo!() }
