//! Generated workloads, the nasty ones among them: our own names in the user's hands, half of our parts, both deliveries at
//! once, empty and missing lists, unknown fields. For property tests, here and in the crates that use this one.

mod container;
mod damage;
mod template;

use epiphyte_api::{Device, Reason, WorkloadKind, names};
use epiphyte_plan::{ContainerVerdict, Decision, Gate, GateState, Instrument, TokenRef, Verdict};
use proptest::prelude::*;
use serde_json::Value;

use crate::Rendering;

/// The member that [`Scope::Anything`] puts into maps: a field that nobody knows.
pub const UNKNOWN_FIELD: &str = "unknownField";

/// Most containers that a generated workload has.
pub const MOST_CONTAINERS: usize = 4;

/// How far a generated workload may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// An API server accepts it.
    Valid,
    /// An API server may refuse it: `null`s, unknown fields, mounts without a volume.
    Anything,
}

/// A generated workload.
#[derive(Clone, Debug)]
pub struct Sample {
    /// Its kind.
    pub kind: WorkloadKind,
    /// The object.
    pub object: Value,
}

/// Workloads of all kinds: bare ones, instrumented ones, and ones of which a part of ours is missing.
pub fn sample(scope: Scope) -> impl Strategy<Value = Sample> {
    (template::workload(scope), damage::history(scope), unknown_fields(scope)).prop_map(|(sample, history, unknown)| {
        let mut sample = damage::apply(sample, &history);
        if unknown {
            add_unknown_fields(&mut sample.object);
        }
        sample
    })
}

/// A decision for each container that a sample can have.
pub fn decisions() -> impl Strategy<Value = Vec<Decision>> {
    let device =
        proptest::sample::select(Device::ALL.to_vec()).prop_map(|device| Decision::On(Instrument::Device(device)));
    let injector = Just(Decision::On(Instrument::Injector));
    let any = prop_oneof![2 => Just(Decision::Off), 1 => Just(Decision::Keep), 3 => device.clone(), 3 => injector];
    let each = |decision: BoxedStrategy<Decision>| proptest::collection::vec(decision, MOST_CONTAINERS);
    prop_oneof![
        each(any.boxed()),
        each(prop_oneof![3 => device, 1 => Just(Decision::Off)].boxed()),
        each(prop_oneof![3 => injector, 1 => Just(Decision::Off)].boxed()),
    ]
}

/// A verdict with the given decisions about the containers of an object, in order, and the last for all that follow.
pub fn verdict(sample: &Sample, decisions: &[Decision]) -> Verdict {
    let gate = Gate { state: GateState::Unasked, finding: Reason::NotMarked.into() };
    let containers = sample.containers().enumerate().map(|(index, container)| ContainerVerdict {
        name: container.get("name").and_then(Value::as_str).unwrap_or_default().into(),
        decision: decisions.get(index).or(decisions.last()).copied().unwrap_or(Decision::Off),
        findings: Vec::new(),
    });
    Verdict {
        delivery: None,
        findings: Vec::new(),
        marked: gate.clone(),
        detected: gate.clone(),
        collectors: gate,
        containers: containers.collect(),
    }
}

/// What an operator of the given version would write.
pub fn rendering(version: &str) -> Rendering {
    let proxy = "http://epiphyte-telemetry-proxy.lumigo-system.svc.cluster.local:4318";
    let token = TokenRef { name: "lumigo-credentials".into(), key: "token".into() };
    Rendering {
        version_label: names::auto_trace_version(version),
        agents_image: format!("epiphyte/agents:{version}"),
        traces_endpoint: format!("{proxy}/v1/traces"),
        logs_endpoint: format!("{proxy}/v1/logs"),
        traces: true,
        logs: false,
        injector_token: token.clone(),
        device_token: Some(token),
    }
}

impl Sample {
    /// The pod template.
    pub fn template(&self) -> &Value {
        self.object.pointer(self.kind.template_pointer()).unwrap_or(&Value::Null)
    }

    /// The regular containers of the pod template.
    pub fn containers(&self) -> impl Iterator<Item = &Value> {
        self.template().pointer("/spec/containers").and_then(Value::as_array).into_iter().flatten()
    }

    /// The specification of the pod template, for changes.
    pub fn pod_mut(&mut self) -> Option<&mut Value> {
        self.object.pointer_mut(self.kind.template_pointer())?.get_mut("spec")
    }
}

fn unknown_fields(scope: Scope) -> BoxedStrategy<bool> {
    match scope {
        Scope::Valid => Just(false).boxed(),
        Scope::Anything => any::<bool>().boxed(),
    }
}

/// Puts an unknown member into every map of the object.
fn add_unknown_fields(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(add_unknown_fields),
        Value::Object(members) => {
            members.values_mut().for_each(add_unknown_fields);
            members.insert(UNKNOWN_FIELD.to_owned(), "survives".into());
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// A member of a map that may be missing.
fn put(map: &mut Value, name: &str, member: Option<Value>) {
    if let (Some(map), Some(member)) = (map.as_object_mut(), member) {
        map.insert(name.to_owned(), member);
    }
}

/// A list of up to a number of items: missing, empty, `null` where that may be, or filled.
fn list(item: BoxedStrategy<Value>, most: usize, scope: Scope) -> BoxedStrategy<Option<Value>> {
    let filled = proptest::collection::vec(item, 1..=most).prop_map(|items| Some(Value::Array(items)));
    prop_oneof![2 => nothing(scope), 5 => filled].boxed()
}

/// Nothing, in the ways in which a list can be nothing.
fn nothing(scope: Scope) -> BoxedStrategy<Option<Value>> {
    let mut ways = vec![None, Some(Value::Array(Vec::new()))];
    if scope == Scope::Anything {
        ways.push(Some(Value::Null));
    }
    proptest::sample::select(ways).boxed()
}

/// One of a few literal values, each equally likely.
fn one_of(values: impl IntoIterator<Item = Value>) -> BoxedStrategy<Value> {
    proptest::sample::select(values.into_iter().collect::<Vec<_>>()).boxed()
}

/// One of a few literal members, of which the first is that there is none.
fn perhaps(values: impl IntoIterator<Item = Value>) -> BoxedStrategy<Option<Value>> {
    let members = std::iter::once(None).chain(values.into_iter().map(Some));
    proptest::sample::select(members.collect::<Vec<_>>()).boxed()
}
