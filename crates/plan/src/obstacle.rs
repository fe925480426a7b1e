//! What stands in the way of instrumenting a container, by its manifest alone.

use epiphyte_api::Reason;

use crate::workload::{Container, Part, Pod, PreloadSource};
use crate::{Instrument, Variables};

/// Why a container cannot be instrumented in a way that could be taken off again; `None` if it can.
///
/// Planning asks this so that the verdict can say why; surgery asks again so that no caller can make it do harm.
pub fn obstacle(pod: &Pod, container: &Container, instrument: Instrument) -> Option<Reason> {
    let preload = container.preload;
    let (preloads, wanted, mounts_over) = match instrument {
        Instrument::Device(device) => (device.preloads(), Variables::TOKEN, container.mounts_over_device),
        Instrument::Injector => (true, Variables::ALL, container.mounts_over_injector),
    };
    let foreign_parts = pod.volume == Part::Foreign || pod.init_container == Part::Foreign;
    let names_our_library = (preload.ends_with_injector && !container.injected)
        || (preload.ends_with_device && container.devices.is_empty());

    if instrument == Instrument::Injector && foreign_parts {
        Some(Reason::VolumeTaken)
    } else if preloads && preload.source == PreloadSource::Reference {
        Some(Reason::PreloadReferenced)
    } else if preload.source == PreloadSource::Ambiguous || names_our_library {
        Some(Reason::PreloadAmbiguous)
    } else if mounts_over {
        Some(Reason::MountPathTaken)
    } else if !overlap(container.variables.without(container.own_variables()), wanted).is_empty() {
        Some(Reason::VariableTaken)
    } else {
        None
    }
}

fn overlap(taken: Variables, wanted: Variables) -> Variables {
    taken.without(taken.without(wanted))
}
