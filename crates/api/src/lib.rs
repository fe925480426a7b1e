//! The vocabulary of Epiphyte: custom resources, well-known names and reason codes. No I/O.
//!
//! Everything that another program can see of Epiphyte by its spelling stands here and nowhere else.
#![expect(clippy::duplicated_attributes, reason = "printer columns of one type are no duplicates")]

mod catalog;
mod collectors_group;
mod crds;
mod device;
mod diagnosis;
mod instrumented_application;
mod kind;
mod language;
mod lumigo;
pub mod names;
mod reason;
mod source;
mod token;

pub use catalog::{Agent, Catalog, Version, Versions};
pub use collectors_group::{
    CollectorsGroup, CollectorsGroupRole, CollectorsGroupSpec, CollectorsGroupStatus, condition as collectors_condition,
};
pub use crds::{custom_resource_definitions, to_yaml};
pub use device::Device;
pub use diagnosis::{Diagnosis, Health};
pub use instrumented_application::{
    ContainerRequest, ContainerRuntime, ContainerStatus, InstrumentedApplication, InstrumentedApplicationSpec,
    InstrumentedApplicationStatus, condition, instrumented_application_name,
};
pub use kind::WorkloadKind;
pub use language::Language;
pub use lumigo::{
    Infrastructure, Injection, InstrumentedResource, KubeEvents, Logging, Lumigo, LumigoSpec, LumigoStatus,
    LumigoToken, SecretKeyRef, Tracing, condition as lumigo_condition,
};
pub use reason::{Reason, Severity};
pub use source::{Source, SourceSpec, SourceWorkload};
pub use token::Token;
