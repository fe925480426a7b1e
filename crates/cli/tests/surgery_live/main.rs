//! Generated workloads on a real API server: instrumented there and restored there, and compared in between.
#![expect(clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

#[path = "../support/mod.rs"]
mod support;

use epiphyte_api::{Device, WorkloadKind};
use epiphyte_plan::{Decision, Instrument};
use epiphyte_surgery::generator::{self, Sample, Scope};
use epiphyte_surgery::{normal_form, operate, restore};
use json_patch::Patch;
use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use support::*;

const NAMESPACE: &str = "default";

/// How many samples the API server is to accept.
const SAMPLES: usize = 60;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_instrumented_on_an_api_server_is_restored_there() {
    let cluster = Cluster::bare().await;
    let mut runner = TestRunner::deterministic();
    let mut tally = Tally::default();
    let samples = generator::sample(Scope::Valid);
    for number in 0.. {
        if tally.accepted >= SAMPLES {
            break;
        }
        assert!(number < 10 * SAMPLES, "the API server accepts hardly anything: {tally:?}");
        let mut sample = samples.new_tree(&mut runner).expect("a sample").current();
        let name = format!("sample-{number:03}");
        sample.object["metadata"]["name"] = json!(name);
        sample.object["metadata"]["namespace"] = json!(NAMESPACE);
        // A Job that exists cannot be edited.
        if sample.kind == WorkloadKind::Job || !Live::create(&cluster, sample, name).await.turn(&mut tally).await {
            tally.refused += 1;
        }
    }
    assert!(tally.device >= SAMPLES / 4 && tally.injector >= SAMPLES / 4, "too little was done: {tally:?}");
}

/// What was done.
#[derive(Debug, Default)]
struct Tally {
    accepted: usize,
    refused: usize,
    device: usize,
    injector: usize,
}

/// A sample on the API server.
struct Live<'a> {
    cluster: &'a Cluster,
    kind: WorkloadKind,
    name: String,
    /// As the API server first had it; `None` if it refused it.
    created: Option<Value>,
}

impl<'a> Live<'a> {
    async fn create(cluster: &'a Cluster, sample: Sample, name: String) -> Self {
        let Sample { kind, object } = sample;
        let uri = format!("/apis/{}/namespaces/{NAMESPACE}/{}", kind.api_version(), kind.plural());
        let created = match cluster.send("POST", &uri, "application/json", &object).await {
            Ok(created) => Some(created),
            Err(kube::Error::Api(status)) if matches!(status.code, 400 | 422) => None,
            Err(error) => panic!("{error}: {object:#}"),
        };
        Self { cluster, kind, name, created }
    }

    /// Instruments it by either delivery, from bare and in turn, and restores it; false if the API server refused it.
    async fn turn(self, tally: &mut Tally) -> bool {
        let Some(created) = &self.created else { return false };
        tally.accepted += 1;
        let mut bare = created.clone();
        restore(self.kind, &mut bare).expect("it can be read");
        let device = Decision::On(Instrument::Device(Device::Java));
        for (decisions, done) in [
            (&[device][..], &mut tally.device),
            (&[Decision::On(Instrument::Injector)], &mut tally.injector),
            (&[device, Decision::On(Instrument::Injector)], &mut 0),
        ] {
            for decision in decisions {
                *done += usize::from(self.instrument(*decision).await);
            }
            self.restore().await;
            self.assert_same(&self.now().await, &bare, &format!("restored from {decisions:?}"));
        }
        true
    }

    /// True if something was to be done.
    async fn instrument(&self, decision: Decision) -> bool {
        let mut object = self.now().await;
        let sample = Sample { kind: self.kind, object: object.clone() };
        let verdict = generator::verdict(&sample, &[decision]);
        let operation =
            operate(self.kind, &mut object, &verdict, &generator::rendering("1.0.0")).expect("it can be read");
        self.patch(&operation.patch).await;
        let mut patched = self.now().await;
        let again = operate(self.kind, &mut patched, &verdict, &generator::rendering("2.0.0")).expect("it can be read");
        assert!(again.patch.0.is_empty(), "instrumented again: {}", again.patch);
        !operation.patch.0.is_empty()
    }

    async fn restore(&self) {
        let mut object = self.now().await;
        let patch = restore(self.kind, &mut object).expect("it can be read");
        self.patch(&patch).await;
    }

    async fn patch(&self, patch: &Patch) {
        let uri =
            format!("/apis/{}/namespaces/{NAMESPACE}/{}/{}", self.kind.api_version(), self.kind.plural(), self.name);
        let sent = self.cluster.send("PATCH", &uri, "application/json-patch+json", &json!(patch)).await;
        sent.unwrap_or_else(|error| panic!("{error}: {patch} on {:#?}", self.created));
    }

    fn assert_same(&self, found: &Value, expected: &Value, what: &str) {
        let difference = json_patch::diff(&self.normal(expected), &self.normal(found));
        assert!(
            difference.0.is_empty(),
            "{what}\nis off by {difference}\nfor {:#}",
            self.created.as_ref().expect("it is there")
        );
    }

    async fn now(&self) -> Value {
        self.cluster.workload(self.kind, NAMESPACE, &self.name).await
    }

    /// The normal form, without what the API server and its controllers keep about the object.
    fn normal(&self, object: &Value) -> Value {
        let mut object = object.clone();
        normal_form(self.kind, &mut object);
        object.as_object_mut().expect("an object").remove("status");
        let metadata = object["metadata"].as_object_mut().expect("metadata");
        for kept in ["resourceVersion", "generation", "managedFields"] {
            metadata.remove(kept);
        }
        if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
            annotations.retain(|name, _| !name.contains(".kubernetes.io/") && !name.starts_with("deprecated."));
        }
        if metadata.get("annotations").is_some_and(|annotations| annotations == &json!({})) {
            metadata.remove("annotations");
        }
        object
    }
}
