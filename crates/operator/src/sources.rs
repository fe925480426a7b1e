//! Tells Events on Sources that count for less than they say. Active on the leader only.

use std::collections::HashSet;
use std::time::Duration;

use tokio::sync::watch;

use crate::SharedIndex;
use crate::write::{Events, Report, Subject};

/// How often Sources are looked at. A Source is often applied a moment before what it names, so that there is no hurry.
const INTERVAL: Duration = Duration::from_secs(5);

/// Looks at all Sources again and again. A finding is told once it was there twice in a row.
pub(crate) async fn run(index: SharedIndex, events: Events, leader: watch::Receiver<bool>) {
    let mut seen = HashSet::new();
    let mut ticks = tokio::time::interval(INTERVAL);
    loop {
        ticks.tick().await;
        if !*leader.borrow() {
            continue;
        }
        let found: Vec<_> = index.read().source_findings().map(|(source, finding)| (source.clone(), finding)).collect();
        let mut now = HashSet::new();
        for (source, finding) in found {
            let mark = (source.uid.clone(), finding.reason);
            if seen.contains(&mark) {
                let subject = Subject {
                    api_version: "odigos.io/v1alpha1".to_owned(),
                    kind: "Source".to_owned(),
                    namespace: source.key.namespace.to_string(),
                    name: source.key.name.to_string(),
                    uid: source.uid.to_string(),
                };
                let message = format!("{finding} {}", finding.reason.next_step());
                let told_once_per = finding.about.clone().unwrap_or_default();
                let report = Report::warning(finding.reason.code(), message, told_once_per);
                events.tell(&subject, &report);
            }
            now.insert(mark);
        }
        seen = now;
    }
}
