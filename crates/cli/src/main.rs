//! The `epiphyte` program.
fn main() {}
