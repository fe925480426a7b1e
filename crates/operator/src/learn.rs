//! Puts single objects into an index, for those who have no watch: `preview` reads them from files, `explain` asks for them.

use epiphyte_api::WorkloadKind;
use epiphyte_daemon::Watched;
use epiphyte_plan::Manifest;
use jiff::Timestamp;
use serde::Deserialize as _;
use serde_json::Value;

use crate::index::{
    CollectorsGroupFact, DetailsFact, Fact, Index, LumigoRecord, NamespaceRecord, NodeFact, SourceRecord, WorkloadKey,
};

/// What an object was to the index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Learned {
    /// A workload, which is planned.
    Workload(WorkloadKey),
    /// A workload that a controller owns, which is not.
    Controlled(WorkloadKey),
    /// A fact that planning looks at.
    Fact,
    /// Nothing.
    Nothing,
}

/// Puts what an object says into the index. `now` is taken for the first sighting of unready collectors.
///
/// # Errors
/// The object is of a kind that planning reads, and cannot be read as one.
pub fn learn(index: &mut Index, object: &Value, now: Timestamp) -> Result<Learned, serde_json::Error> {
    let text = |key: &str| object.get(key).and_then(Value::as_str).unwrap_or_default();
    let (group, _) = text("apiVersion").rsplit_once('/').unwrap_or_default();
    let kind = text("kind");
    let workload = WorkloadKind::ALL.into_iter().find(|known| known.as_str() == kind && known.group() == group);
    if let Some(workload) = workload {
        let workload = Manifest::deserialize(object)?.into_workload(workload);
        let key = WorkloadKey::of(&workload);
        let controlled = workload.controlled;
        index.apply_workload(workload);
        return Ok(if controlled { Learned::Controlled(key) } else { Learned::Workload(key) });
    }
    match (group, kind) {
        ("", "Namespace") => apply::<NamespaceRecord>(index, object, now)?,
        ("", "Node") => apply::<NodeFact>(index, object, now)?,
        ("odigos.io", "Source") => apply::<SourceRecord>(index, object, now)?,
        ("odigos.io", "InstrumentedApplication") => apply::<DetailsFact>(index, object, now)?,
        ("odigos.io", "CollectorsGroup") => apply::<CollectorsGroupFact>(index, object, now)?,
        ("operator.lumigo.io", "Lumigo") => apply::<LumigoRecord>(index, object, now)?,
        _ => return Ok(Learned::Nothing),
    }
    Ok(Learned::Fact)
}

/// Says that all there is to learn has been learned: from here on what is missing is missing.
pub fn complete(index: &mut Index, now: Timestamp) {
    CollectorsGroupFact::listed(index, now);
}

fn apply<T: Watched + Fact>(index: &mut Index, object: &Value, now: Timestamp) -> Result<(), serde_json::Error> {
    T::read(T::Manifest::deserialize(object)?).apply(index, now);
    Ok(())
}
