//! The status, and an explanation of every workload that is marked or instrumented, without anything of its manifest.

use std::collections::BTreeSet;

use epiphyte_api::WorkloadKind;
use epiphyte_operator::index::WorkloadKey;
use serde::Serialize;
use serde_json::Value;

use super::archive::Pile;
use crate::cluster::{Cluster, Refusal};
use crate::engine::EngineArguments;
use crate::explain::resource;
use crate::show::{self, ContainerReport, FindingReport, Present, Report, Seen};
use crate::status;

/// What is told of a workload: what `explain` says, but for the change, which would show parts of the manifest.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Explained {
    kind: &'static str,
    namespace: String,
    name: String,
    verdict: &'static str,
    delivery: Option<&'static str>,
    containers: Vec<ContainerReport>,
    trace: Vec<FindingReport>,
    next: Vec<&'static str>,
    present: Present,
}

pub(super) async fn collect(
    cluster: &Cluster,
    engine: &EngineArguments,
    system: &str,
    pile: &mut Pile,
) -> anyhow::Result<()> {
    let (status, index) = status::everything(cluster, engine.clone(), system).await?;
    pile.add("status.json", show::json(&status)?);
    pile.add("status.txt", anstream::adapter::strip_str(&status::render(&status, false)).to_string());
    let counting: BTreeSet<WorkloadKey> = status.workloads().collect();
    for kind in WorkloadKind::ALL {
        let mut explained = Vec::new();
        let each = |object: Value| {
            let Ok(seen) = Seen::read(kind, object) else { return };
            if counting.contains(&WorkloadKey::of(&seen.workload)) {
                explained.extend(seen.report(&index).ok().map(|report| {
                    let present = Present::of(&seen.workload, &seen.plan(&index));
                    let Report { kind, namespace, name, verdict, delivery, containers, trace, next, .. } = report;
                    Explained { kind, namespace, name, verdict, delivery, containers, trace, next, present }
                }));
            }
        };
        match cluster.list(&resource(kind), None, None, each).await {
            Ok(()) => {}
            Err(Refusal::Unserved(why) | Refusal::Forbidden(why)) => pile.missing(why),
            Err(Refusal::Fatal(error)) => return Err(error),
        }
        for it in explained {
            let path = format!("explain/{}/{}-{}.json", it.namespace, it.kind.to_lowercase(), it.name);
            pile.add(path, show::json(&it)?);
        }
    }
    Ok(())
}
