//! What may have happened to a generated workload before: it was instrumented, and a part of ours was lost since.

use epiphyte_api::names;
use epiphyte_plan::Decision;
use proptest::prelude::*;
use serde_json::Value;

use super::{Sample, Scope, decisions, rendering, verdict};
use crate::operate;

/// What has happened.
#[derive(Clone, Debug)]
pub(super) struct History {
    instrumented: Option<Vec<Decision>>,
    lost: Vec<Loss>,
}

/// A part of ours that was lost.
#[derive(Clone, Copy, Debug)]
enum Loss {
    Mount,
    Variable(usize),
    Preload,
    Limits,
    InitContainer,
    Labels,
    /// No API server would take away a volume that is mounted.
    Volume,
}

pub(super) fn history(scope: Scope) -> impl Strategy<Value = History> {
    let mut losses = vec![Loss::Mount, Loss::Preload, Loss::Limits, Loss::InitContainer, Loss::Labels];
    losses.extend((0..names::INJECTOR_VARIABLES.len()).map(Loss::Variable));
    if scope == Scope::Anything {
        losses.push(Loss::Volume);
    }
    let instrumented = prop_oneof![Just(None), decisions().prop_map(Some)];
    let lost = prop_oneof![
        3 => Just(Vec::new()),
        1 => proptest::collection::vec(proptest::sample::select(losses), 1..3)
    ];
    (instrumented, lost).prop_map(|(instrumented, lost)| History { instrumented, lost })
}

pub(super) fn apply(mut sample: Sample, history: &History) -> Sample {
    let Some(decisions) = &history.instrumented else {
        return sample;
    };
    let verdict = verdict(&sample, decisions);
    let operated = operate(sample.kind, &mut sample.object, &verdict, &rendering("0.9.0"));
    if operated.is_ok() {
        history.lost.iter().for_each(|loss| lose(&mut sample, *loss));
    }
    sample
}

fn lose(sample: &mut Sample, loss: Loss) {
    let Some(pod) = sample.pod_mut() else { return };
    match loss {
        Loss::Volume => drop_named(Some(pod), "volumes", names::INJECTOR_NAME),
        Loss::InitContainer => drop_named(Some(pod), "initContainers", names::INJECTOR_NAME),
        Loss::Mount => drop_named(pod.pointer_mut("/containers/0"), "volumeMounts", names::INJECTOR_NAME),
        Loss::Preload => drop_named(pod.pointer_mut("/containers/0"), "env", names::LD_PRELOAD),
        Loss::Variable(index) => {
            let name = names::INJECTOR_VARIABLES.get(index).copied().unwrap_or_default();
            drop_named(pod.pointer_mut("/containers/0"), "env", name);
        }
        Loss::Limits => {
            if let Some(resources) = pod.pointer_mut("/containers/0/resources").and_then(Value::as_object_mut) {
                resources.remove("limits");
                resources.remove("requests");
            }
        }
        Loss::Labels => {
            let labels = sample.object.pointer_mut("/metadata/labels").and_then(Value::as_object_mut);
            labels.into_iter().for_each(|labels| drop(labels.remove(names::AUTO_TRACE_LABEL)));
        }
    }
}

fn drop_named(parent: Option<&mut Value>, list: &str, name: &str) {
    if let Some(items) = parent.and_then(|parent| parent.get_mut(list)).and_then(Value::as_array_mut) {
        items.retain(|item| item.get("name").is_none_or(|there| there != name));
    }
}
