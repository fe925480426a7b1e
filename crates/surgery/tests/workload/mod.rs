//! A workload under the knife, for tests by example.
#![allow(dead_code, reason = "no test needs all of it")]
#![allow(clippy::expect_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use epiphyte_api::{Device, Reason, WorkloadKind};
use epiphyte_plan::{Decision, Instrument};
use epiphyte_surgery::generator::{self, Sample};
use epiphyte_surgery::{Operation, Rendering, Unreadable, admit, operate, restore};
use serde_json::{Value, json};

pub const DEVICE: Decision = device(Device::Java);
pub const INJECTOR: Decision = Decision::On(Instrument::Injector);
pub const OFF: Decision = Decision::Off;

pub const fn device(device: Device) -> Decision {
    Decision::On(Instrument::Device(device))
}

/// A Deployment with one container.
pub fn deployment(container: Value) -> Value {
    json!({ "metadata": { "name": "checkout" }, "spec": { "template": { "spec": { "containers": [container] } } } })
}

/// A workload, what is written into it, and what the last operation said.
#[derive(Clone)]
pub struct Subject {
    pub kind: WorkloadKind,
    pub object: Value,
    pub rendering: Rendering,
    pub last: Operation,
}

impl Subject {
    pub fn new(object: Value) -> Self {
        let rendering = generator::rendering("1.0.0");
        Self { kind: WorkloadKind::Deployment, object, rendering, last: Operation::default() }
    }

    /// A Deployment whose container has a literal `LD_PRELOAD`, and a map of resources as the API server shows it.
    pub fn with_preload(value: &str) -> Self {
        let env = json!([{ "name": "LD_PRELOAD", "value": value }]);
        let mut object = deployment(json!({ "name": "app", "env": env, "resources": {} }));
        object["spec"]["template"]["metadata"] = json!({});
        Self::new(object)
    }

    /// Operates with one decision for all containers; returns the patch.
    pub fn operate(&mut self, decision: Decision) -> Value {
        self.operate_each(&[decision])
    }

    pub fn operate_each(&mut self, decisions: &[Decision]) -> Value {
        self.try_operate_each(decisions).expect("a readable workload")
    }

    pub fn try_operate(&mut self, decision: Decision) -> Result<Value, Unreadable> {
        self.try_operate_each(&[decision])
    }

    fn try_operate_each(&mut self, decisions: &[Decision]) -> Result<Value, Unreadable> {
        let sample = Sample { kind: self.kind, object: self.object.clone() };
        let verdict = generator::verdict(&sample, decisions);
        self.last = operate(self.kind, &mut self.object, &verdict, &self.rendering)?;
        Ok(serde_json::to_value(&self.last.patch).expect("a patch"))
    }

    /// Admits an update of this object to another, with one decision for all containers; returns the patch.
    pub fn admit(&mut self, new: Value, decision: Decision) -> Value {
        let old = std::mem::replace(&mut self.object, new);
        let sample = Sample { kind: self.kind, object: self.object.clone() };
        let verdict = generator::verdict(&sample, &[decision]);
        let operation = admit(self.kind, &mut self.object, Some(&old), &verdict, &self.rendering);
        self.last = operation.expect("readable workloads");
        serde_json::to_value(&self.last.patch).expect("a patch")
    }

    pub fn restore(&mut self) -> Value {
        let patch = restore(self.kind, &mut self.object).expect("a readable workload");
        serde_json::to_value(patch).expect("a patch")
    }

    pub fn refused(&self) -> Vec<(&str, Reason)> {
        self.last.refused.iter().map(|refusal| (&*refusal.container, refusal.reason)).collect()
    }

    pub fn pod(&self) -> &Value {
        self.object.pointer(self.kind.template_pointer()).map(|template| &template["spec"]).expect("a pod")
    }

    pub fn container(&self) -> &Value {
        &self.pod()["containers"][0]
    }

    pub fn env(&self) -> &[Value] {
        self.container()["env"].as_array().expect("variables")
    }
}
