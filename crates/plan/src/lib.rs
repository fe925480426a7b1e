//! From facts to a verdict. Pure: no I/O, no clock, no randomness; total over its input.
//!
//! [`Workload`] is what planning reads of a workload, [`Facts`] is everything it may look at, [`decide`] is the decision and
//! [`Verdict`] its outcome with the trace of how it came about. The operator, its webhook, `explain`, `preview` and the
//! uninstaller all decide here and nowhere else.

mod collectors;
mod companions;
mod decide;
mod details;
mod device;
mod difference;
mod facts;
mod finding;
mod injector;
mod job;
mod lumigo;
mod marks;
mod node;
mod obstacle;
mod offer;
mod placement;
mod precedence;
mod scheduling;
mod token;
mod verdict;
mod workload;

pub use collectors::Collectors;
pub use companions::Companions;
pub use decide::decide;
pub use details::{ContainerDetails, Details};
pub use facts::{Facts, LumigoFact, NamespaceFact, Settings, SourceFact};
pub use finding::Finding;
pub use marks::{Annotation, AutoTraceLabel, DeliveryMark};
pub use node::{DeviceSet, Node, Taint, TaintEffect};
pub use obstacle::obstacle;
pub use scheduling::{Operator, Requirement, Scheduling, Term, Toleration};
pub use token::TokenRef;
pub use verdict::{ContainerVerdict, Decision, Delivery, Gate, GateState, Instrument, Verdict};
pub use workload::{Container, Manifest, Part, Pod, Preload, PreloadSource, Replacement, Variables, Workload};
