//! What a Lumigo says besides marking: what becomes of injections that are there already, and of workloads that were
//! there before it.

use epiphyte_api::Reason;

use crate::precedence::{Author, Mark, Says};
use crate::{AutoTraceLabel, Facts, Finding};

/// What holds where injection is not turned on, but a Lumigo has a say in what is injected already.
pub(crate) struct Aftermath {
    /// Why injected containers stay as they are; `None` where they do not stay.
    pub(crate) keeps: Option<Finding>,
    /// Why nothing else is instrumented.
    pub(crate) withholds: Finding,
}

/// What the Lumigo of the namespace, or one that has gone, says of a workload that no other mark speaks for.
///
/// A Lumigo that is there but does not inject rules over the label that turns injection on; one that is about to go does
/// not, because the label would rule again as soon as it has gone.
pub(crate) fn aftermath(facts: &Facts<'_>, ruling: Option<&Mark<'_>>) -> Option<Aftermath> {
    let labelled = match ruling {
        None => false,
        Some(Mark { says: Says::On, author: Author::Label, .. }) => true,
        Some(_) => return None,
    };
    let Some(lumigo) = &facts.namespace.lumigo else {
        let has_gone = !labelled && facts.current.is_some_and(|current| current.label == Some(AutoTraceLabel::Version));
        return has_gone
            .then(|| Aftermath { keeps: Some(Reason::KeptAfterLumigo.into()), withholds: Reason::NotMarked.into() });
    };
    let about = |reason| Finding::about(reason, &*lumigo.name);
    let keeps_all = |reason| Some(Aftermath { keeps: Some(about(reason)), withholds: about(reason) });
    if lumigo.deleting {
        let keeps = (!lumigo.removes_on_deletion).then(|| about(Reason::KeptAfterLumigo));
        (!labelled).then(|| Aftermath { keeps, withholds: about(Reason::LumigoBeingDeleted) })
    } else if !lumigo.active {
        keeps_all(Reason::LumigoNotActive)
    } else if !lumigo.injects {
        keeps_all(Reason::LumigoInjectionDisabled)
    } else {
        None
    }
}

/// Why a workload that the Lumigo alone turns on is spared all the same: it was there before the Lumigo.
pub(crate) fn spares(facts: &Facts<'_>, ruling: &Mark<'_>) -> Option<Finding> {
    let lumigo = facts.namespace.lumigo.as_ref().filter(|lumigo| !lumigo.injects_existing)?;
    let was_there = facts.workload.created? <= lumigo.created?;
    (ruling.author == Author::Lumigo && was_there).then(|| Finding::about(Reason::ExistedBeforeLumigo, &*lumigo.name))
}
