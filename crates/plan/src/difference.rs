//! Whether a workload is as its verdict says.

use crate::{Decision, Instrument, Part, Replacement, Verdict, Workload};

impl Verdict {
    /// Whether the template of a stored workload is to be changed. What is on and by which delivery counts, never its
    /// bytes: another image of the agents changes nothing.
    pub fn differs_from(&self, workload: &Workload) -> bool {
        if workload.replacement == Replacement::Immutable {
            return false;
        }
        let pod = &workload.pod;
        let decided = || pod.containers.iter().map(|container| (container, self.decision(&container.name)));
        let is_injected_or_kept =
            decided().any(|(_, decision)| matches!(decision, Decision::Keep | Decision::On(Instrument::Injector)));
        let has_shared_parts = pod.volume == Part::Ours || pod.init_container == Part::Ours;
        let differs = decided().any(|(container, decision)| match decision {
            Decision::On(instrument) => pod.instrument(container) != Some(instrument),
            Decision::Off => container.is_ours(),
            Decision::Keep => false,
        });
        differs || (has_shared_parts && !is_injected_or_kept)
    }
}
