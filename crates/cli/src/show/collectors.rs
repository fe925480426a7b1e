//! The third condition: whether the collectors are ready, what each group says of itself, and how long a loss is borne yet.

use epiphyte_api::Reason;
use epiphyte_operator::index::{CollectorsGroupFact, Index};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::{FindingReport, text};

/// How the collectors stand.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CollectorsReport {
    /// Whether they are ready.
    #[serde(flatten)]
    pub(crate) finding: FindingReport,
    /// When devices are taken off, unless they are ready by then.
    #[serde(skip_serializing_if = "Option::is_none")]
    grace_over_at: Option<Timestamp>,
    /// How long that is from now.
    #[serde(skip)]
    left: SignedDuration,
    /// The groups of the system namespace.
    groups: Vec<GroupReport>,
}

/// What a group says of itself.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct GroupReport {
    name: String,
    ready: bool,
    /// Since when it is, or is not, if it tells.
    since: Option<Timestamp>,
    /// Why, in the words of whoever keeps the group; empty if it does not tell.
    message: String,
}

impl CollectorsReport {
    /// The report on the collectors of an index.
    pub(crate) fn of(index: &Index, now: Timestamp) -> Self {
        let collectors = index.collectors();
        let grace_over_at = collectors.loss_counts_at();
        let left = grace_over_at.map_or(SignedDuration::ZERO, |over| over.duration_since(now));
        Self {
            finding: FindingReport::from(&collectors.state().finding()),
            grace_over_at,
            // What is shown is counted down in seconds.
            left: SignedDuration::from_secs(left.as_secs()),
            groups: collectors.groups().map(GroupReport::of).collect(),
        }
    }

    /// The code of the reason.
    pub(crate) const fn reason(&self) -> &'static str {
        self.finding.reason
    }

    /// Whether all is well.
    pub(crate) fn is_ready(&self) -> bool {
        self.finding.reason == Reason::CollectorsReady.code()
    }

    /// The reason, what the groups say, and what comes of it, line by line.
    pub(crate) fn lines(&self) -> Vec<String> {
        let ahead = self.grace_over_at.map(|over| {
            let left = self.left;
            format!("Devices are taken off in {left:#}, at {over:.0}, unless the collectors are ready by then.")
        });
        let groups = self.groups.iter().filter_map(GroupReport::line);
        std::iter::once(text::finding(&self.finding)).chain(groups).chain(ahead).collect()
    }
}

impl GroupReport {
    fn of(group: &CollectorsGroupFact) -> Self {
        Self {
            name: group.key.name.to_string(),
            ready: group.ready,
            since: group.since(),
            message: group.condition.as_ref().map(|condition| condition.message.clone()).unwrap_or_default(),
        }
    }

    /// What there is to say; nothing of one that is ready and says no more.
    fn line(&self) -> Option<String> {
        let Self { name, ready, since, message } = self;
        if *ready && message.is_empty() {
            return None;
        }
        let state = if *ready { "ready" } else { "not ready" };
        let since = since.map(|since| format!(" since {since:.0}")).unwrap_or_default();
        let message = if message.is_empty() { String::new() } else { format!(": {message}") };
        Some(format!("{name} is {state}{since}{message}"))
    }
}

#[cfg(test)]
mod tests {
    use epiphyte_operator::settings::Settings;
    use epiphyte_operator::{complete, learn};
    use serde_json::json;

    use super::*;

    /// What is said of a group that is ready, or has not been since the beginning of 2026, some seconds later.
    fn said(ready: bool, message: &str, seconds: i64) -> Vec<String> {
        let start: Timestamp = "2026-01-01T00:00:00Z".parse().expect("a time");
        let now = start + SignedDuration::from_secs(seconds);
        let mut index = Index::new(&Settings::default(), "odigos-system");
        let group = json!({
            "apiVersion": "odigos.io/v1alpha1", "kind": "CollectorsGroup",
            "metadata": { "name": "proxy", "namespace": "odigos-system" }, "spec": { "role": "CLUSTER_GATEWAY" },
            "status": { "ready": ready, "conditions": [{
                "type": "Ready", "status": if ready { "True" } else { "False" }, "reason": "Told", "message": message,
                "lastTransitionTime": start.to_string(),
            }] },
        });
        learn(&mut index, &group, now).expect("a group");
        complete(&mut index, now);
        let lines = CollectorsReport::of(&index, now).lines();
        lines.iter().map(|line| anstream::adapter::strip_str(line).to_string()).collect()
    }

    #[test]
    fn a_loss_tells_who_does_not_answer_and_how_long_devices_stay() {
        let [reason, group, ahead] =
            said(false, "0 of 1 address takes telemetry.", 48).try_into().expect("three lines");
        assert!(reason.starts_with("CollectorsGracePeriod: ") && reason.ends_with("(proxy)"), "{reason}");
        assert_eq!(group, "proxy is not ready since 2026-01-01T00:00:00Z: 0 of 1 address takes telemetry.");
        let expected =
            "Devices are taken off in 4m 12s, at 2026-01-01T00:05:00Z, unless the collectors are ready by then.";
        assert_eq!(ahead, expected);
    }

    #[test]
    fn after_the_grace_period_nothing_is_ahead() {
        let lines = said(false, "", 300);
        assert_eq!(lines.get(1..), Some(&["proxy is not ready since 2026-01-01T00:00:00Z".to_owned()][..]));
    }

    #[test]
    fn a_group_that_is_ready_is_told_of_where_it_says_something() {
        assert_eq!(said(true, "", 1).len(), 1);
        let lines = said(true, "2 of 2 addresses take telemetry.", 1);
        assert_eq!(lines[1], "proxy is ready since 2026-01-01T00:00:00Z: 2 of 2 addresses take telemetry.");
    }
}
