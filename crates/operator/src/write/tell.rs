//! What people are told of a workload's instrumentation that came, changed, went, or could not. Reasons and triggers are the
//! Lumigo operator's.

use epiphyte_api::Reason;
use epiphyte_api::names::auto_trace_version;
use epiphyte_plan::{Container, Instrument, Verdict, Workload};

use super::events::{COMPONENT, Report};
use crate::failure::Failure;

/// Whose hands changed a workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    /// The writer's.
    Controller,
    /// Somebody's whose write went through the webhook.
    Webhook,
}

/// What became of a workload's instrumentation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It was as it should be already.
    Nothing,
    /// Instrumentation was added where there was none.
    Added,
    /// Instrumentation was changed.
    Updated,
    /// Instrumentation was taken off.
    Removed,
}

impl Outcome {
    /// From what is on before and after a change that was made.
    pub(crate) fn between(before: Option<&Workload>, after: &Workload) -> Self {
        match (before.is_some_and(is_on), is_on(after)) {
            (false, true) => Self::Added,
            (true, false) => Self::Removed,
            (true, true) => Self::Updated,
            (false, false) => Self::Nothing,
        }
    }

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Nothing => "unchanged",
            Self::Added => "added",
            Self::Updated => "updated",
            Self::Removed => "removed",
        }
    }
}

/// The Event on a workload whose instrumentation has changed; `None` if nothing has. `verdict` is why.
pub(crate) fn changed(by: By, outcome: Outcome, after: &Workload, verdict: &Verdict) -> Option<Report> {
    let (reason, doing) = match outcome {
        Outcome::Nothing => return None,
        Outcome::Added => ("LumigoAddedInstrumentation", "Adding"),
        Outcome::Updated => ("LumigoUpdatedInstrumentation", "Updating"),
        Outcome::Removed => ("LumigoRemovedInstrumentation", "Removing"),
    };
    let trigger = Trigger::of(by, verdict, &after.namespace);
    let on = describe(after);
    let on = if on.is_empty() { on } else { format!(": {on}") };
    Some(Report {
        warning: false,
        reason,
        message: format!("{doing} {}instrumentation (trigger: {}){on}", trigger.of_lumigo(), trigger.text),
        told_once_per: after.generation.to_string(),
        component: trigger.component(by),
    })
}

/// The Event on a workload that could not be changed.
pub(crate) fn failed(workload: &Workload, verdict: &Verdict, failure: &Failure) -> Report {
    let why = failure.reason();
    cannot(workload, verdict, why, &format!("{} {failure}", why.sentence()))
}

/// The Event on a Job that was there before it could be instrumented.
pub(crate) fn immutable(workload: &Workload, verdict: &Verdict) -> Report {
    let why = Reason::JobImmutable;
    cannot(workload, verdict, why, &format!("{} {}", why.sentence(), why.next_step()))
}

fn cannot(workload: &Workload, verdict: &Verdict, why: Reason, text: &str) -> Report {
    let (reason, doing) = match (is_on(workload), verdict.delivery.is_some()) {
        (false, _) => ("LumigoCannotAddInstrumentation", "add"),
        (true, true) => ("LumigoCannotUpdateInstrumentation", "update"),
        (true, false) => ("LumigoCannotRemoveInstrumentation", "remove"),
    };
    let trigger = Trigger::of(By::Controller, verdict, &workload.namespace);
    let Trigger { text: because, .. } = &trigger;
    Report {
        warning: true,
        reason,
        message: format!(
            "Cannot {doing} {}instrumentation (trigger: {because}): {}: {text}",
            trigger.of_lumigo(),
            why.code()
        ),
        told_once_per: why.code().to_owned(),
        component: trigger.component(By::Controller),
    }
}

/// What made somebody change a workload.
struct Trigger {
    is_lumigo: bool,
    text: String,
}

impl Trigger {
    fn of(by: By, verdict: &Verdict, namespace: &str) -> Self {
        let who = match by {
            By::Controller => "controller",
            By::Webhook => "injector webhook",
        };
        let why = &verdict.marked.finding;
        let name = why.about.as_deref().unwrap_or_default();
        match why.reason {
            Reason::MarkedByLumigo | Reason::LumigoBeingDeleted => Self {
                is_lumigo: true,
                text: format!("{who}, acting on behalf of the '{namespace}/{name}' Lumigo resource"),
            },
            other => Self { is_lumigo: false, text: format!("{who}, {other}") },
        }
    }

    const fn of_lumigo(&self) -> &'static str {
        if self.is_lumigo { "Lumigo " } else { "" }
    }

    fn component(&self, by: By) -> String {
        let operator = || auto_trace_version(env!("CARGO_PKG_VERSION"));
        match (self.is_lumigo, by) {
            (false, _) => COMPONENT.to_owned(),
            (true, By::Controller) => format!("{}/controller", operator()),
            (true, By::Webhook) => format!("{}/injector-webhook", operator()),
        }
    }
}

fn is_on(workload: &Workload) -> bool {
    workload.pod.containers.iter().any(Container::is_ours)
}

/// What is on, container by container.
fn describe(workload: &Workload) -> String {
    let on = workload.pod.containers.iter().filter_map(|container| {
        let by = match workload.pod.instrument(container)? {
            Instrument::Device(device) => device.resource(),
            Instrument::Injector => "the injector",
        };
        Some(format!("container {} by {by}", container.name))
    });
    on.collect::<Vec<_>>().join(", ")
}
