//! Scans of made-up proc folders.

mod containers;
mod folder;
mod hostile;
mod looks;
mod rules;
