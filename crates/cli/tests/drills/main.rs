//! Failure drills: what people do to a cluster, and what happens to it by itself, without harm to anybody's workloads.

#[path = "../support/mod.rs"]
mod support;

mod life;
mod load;
mod replicas;
mod scene;
mod start;
