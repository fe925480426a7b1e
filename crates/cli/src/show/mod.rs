//! What `preview`, `explain` and `status` show: the data, the same for both formats, and its rendering for people.

mod change;
mod collectors;
mod finding;
mod lumigo;
mod output;
mod present;
mod renewal;
mod rollout;
mod style;
pub(crate) mod text;
mod workload;

pub(crate) use collectors::CollectorsReport;
pub(crate) use finding::{FindingReport, SourceReport, sources};
pub(crate) use lumigo::{LumigoReport, counting_lumigo, lumigoes};
pub(crate) use output::{Format, json, print};
pub(crate) use present::{Present, PresentContainer};
pub(crate) use rollout::{Rollout, stuck};
pub(crate) use style::{BOLD, DIM, colour_of};
pub(crate) use workload::{ContainerReport, Report, Seen};
