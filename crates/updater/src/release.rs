//! What Helm knows of the release: its revisions, whether somebody is at it, and which of them were ours.

use std::time::Duration;

use epiphyte_api::names::UPDATE_LABEL;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use kube::api::ListParams;
use kube::core::PartialObjectMeta;
use kube::{Api, Client};
use semver::Version;
use serde::Deserialize;

use crate::helm::{Helm, HelmError};
use crate::options::Digest;

/// How many digits of a digest a label has room for.
const DIGITS: usize = 32;

/// How Helm's own words for a rollback begin.
const ROLLBACK: &str = "Rollback to ";

/// How Helm says that an upgrade was broken off from outside.
const BROKEN_OFF: &str = "context canceled";

/// A revision of a release.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Revision {
    pub(crate) revision: u32,
    pub(crate) updated: Timestamp,
    pub(crate) status: Status,
    /// Why it has this status, in Helm's words.
    #[serde(default)]
    pub(crate) description: String,
}

/// How a revision ended, if it did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Status {
    Deployed,
    Superseded,
    Failed,
    PendingInstall,
    PendingUpgrade,
    PendingRollback,
    Uninstalling,
    Uninstalled,
    #[serde(other)]
    Unknown,
}

/// What is installed.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Installed {
    pub(crate) revision: u32,
    pub(crate) chart: String,
    pub(crate) version: Version,
}

/// How the release stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Nobody is at it; the revision that is deployed.
    Free(u32),
    /// Somebody is at it, for so long.
    Busy { revision: u32, since: Duration },
    /// Whoever was at it is gone and left it pending; the revision to go back to, if there is one.
    Stale { revision: u32, since: Duration, back_to: Option<u32> },
    /// The last change failed; the revision to go back to, if there is one.
    Failed { revision: u32, why: String, back_to: Option<u32> },
    /// It is being uninstalled, or is in a state that Helm has no way on from.
    Gone { revision: u32 },
}

/// An upgrade that an updater tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Attempt {
    /// The revision that it made.
    pub(crate) revision: u32,
    /// The beginning of the digest of the chart's archive.
    pub(crate) digest: String,
    /// Which run of an updater it was.
    pub(crate) run: String,
}

impl Attempt {
    pub(crate) fn new(revision: u32, digest: &Digest, run: &str) -> Self {
        let digest = digest.hex().chars().take(DIGITS).collect();
        Self { revision, digest, run: run.to_owned() }
    }

    /// The value of [`UPDATE_LABEL`].
    pub(crate) fn label(&self) -> String {
        format!("{}-{}-{}", self.revision, self.digest, self.run)
    }

    fn read(label: &str) -> Option<Self> {
        let mut parts = label.split('-');
        let (revision, digest, run) = (parts.next()?.parse().ok()?, parts.next()?, parts.next()?);
        Some(Self { revision, digest: digest.to_owned(), run: run.to_owned() })
    }

    pub(crate) fn is_of(&self, digest: &Digest) -> bool {
        digest.hex().starts_with(&self.digest)
    }
}

/// The revisions of a release, the oldest first; `None` if there is no such release.
pub(crate) async fn history(helm: &Helm, release: &str) -> Result<Option<Vec<Revision>>, HelmError> {
    match helm.ask(&["history", release]).await {
        Ok(history) => Ok(Some(history)),
        Err(HelmError::Failed { said, .. }) if said == "release: not found" => Ok(None),
        Err(error) => Err(error),
    }
}

/// The chart of a revision.
pub(crate) async fn installed(helm: &Helm, release: &str, revision: u32) -> Result<Installed, HelmError> {
    helm.ask(&["get", "metadata", release, "--revision", &revision.to_string()]).await
}

/// The upgrades that updaters tried, of which Helm still has a record.
pub(crate) async fn attempts(client: &Client, namespace: &str, release: &str) -> kube::Result<Vec<Attempt>> {
    let secrets: Api<Secret> = Api::namespaced(client.clone(), namespace);
    let of_release = ListParams::default().labels(&format!("owner=helm,name={release},{UPDATE_LABEL}"));
    // Without what is in them.
    let found = secrets.list_metadata(&of_release).await?;
    Ok(found.items.iter().filter_map(attempt).collect())
}

fn attempt(secret: &PartialObjectMeta<Secret>) -> Option<Attempt> {
    let labels = secret.metadata.labels.as_ref()?;
    let attempt = Attempt::read(labels.get(UPDATE_LABEL)?)?;
    (labels.get("version")?.parse() == Ok(attempt.revision)).then_some(attempt)
}

/// How a release stands; one that is pending for longer than `patience` has been left by whoever was at it.
pub(crate) fn standing(history: &[Revision], now: Timestamp, patience: Duration) -> Standing {
    let Some(last) = history.last() else {
        return Standing::Gone { revision: 0 };
    };
    let revision = last.revision;
    let back_to = history.iter().rev().find(|it| it.status == Status::Deployed).map(|it| it.revision);
    match last.status {
        Status::Deployed => Standing::Free(revision),
        Status::Failed => Standing::Failed { revision, why: last.description.clone(), back_to },
        Status::PendingInstall | Status::PendingUpgrade | Status::PendingRollback => {
            let since = Duration::try_from(now.duration_since(last.updated)).unwrap_or_default();
            if since > patience {
                Standing::Stale { revision, since, back_to }
            } else {
                Standing::Busy { revision, since }
            }
        }
        Status::Superseded | Status::Uninstalling | Status::Uninstalled | Status::Unknown => {
            Standing::Gone { revision }
        }
    }
}

/// The last try of a chart, if it failed by itself and the release has not been changed since but for being rolled back: whoever
/// changes a release may have done something about it.
pub(crate) fn failed_before<'a>(
    history: &'a [Revision],
    attempts: &[Attempt],
    digest: &Digest,
) -> Option<&'a Revision> {
    let since =
        history.iter().rev().take_while(|it| it.status == Status::Failed || it.description.starts_with(ROLLBACK));
    since
        .filter(|it| it.status == Status::Failed && !it.description.contains(BROKEN_OFF))
        .find(|failed| attempts.iter().any(|attempt| attempt.revision == failed.revision && attempt.is_of(digest)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    fn revisions(of: &[(u32, Status, &str)]) -> Vec<Revision> {
        let revision = |(revision, status, description): &(u32, Status, &str)| Revision {
            revision: *revision,
            updated: Timestamp::UNIX_EPOCH,
            status: *status,
            description: (*description).to_owned(),
        };
        of.iter().map(revision).collect()
    }

    fn after(minutes: u64) -> Timestamp {
        Timestamp::UNIX_EPOCH + Duration::from_secs(minutes * 60)
    }

    #[test]
    fn a_release_is_free_when_its_last_revision_is_deployed() {
        let history = revisions(&[(1, Status::Superseded, ""), (2, Status::Deployed, "")]);
        assert_eq!(standing(&history, after(0), MINUTE), Standing::Free(2));
    }

    #[test]
    fn a_pending_release_is_stale_once_it_is_older_than_an_operation_can_take() {
        let history = revisions(&[(1, Status::Deployed, ""), (2, Status::PendingUpgrade, "")]);
        assert!(matches!(standing(&history, after(1), MINUTE), Standing::Busy { revision: 2, .. }));
        let stale = standing(&history, after(2), MINUTE);
        assert!(matches!(stale, Standing::Stale { revision: 2, back_to: Some(1), .. }), "{stale:?}");
        let first = revisions(&[(1, Status::PendingInstall, "")]);
        assert!(matches!(standing(&first, after(2), MINUTE), Standing::Stale { back_to: None, .. }));
    }

    #[test]
    fn a_clock_that_is_behind_makes_a_pending_release_busy_and_not_stale() {
        let history = revisions(&[(1, Status::PendingUpgrade, "")]);
        let now = Timestamp::UNIX_EPOCH - MINUTE;
        assert!(matches!(standing(&history, now, MINUTE), Standing::Busy { .. }));
    }

    #[test]
    fn a_status_that_this_build_does_not_know_is_read() {
        let text = r#"[{"revision":3,"updated":"2026-01-02T03:04:05.123456789+01:00","status":"new-one","chart":"a-1","app_version":"","description":"d"}]"#;
        let history: Vec<Revision> = serde_json::from_str(text).unwrap();
        assert_eq!(standing(&history, after(0), MINUTE), Standing::Gone { revision: 3 });
    }

    #[test]
    fn a_version_that_failed_is_remembered_until_the_release_is_changed() {
        let digest = Digest::of(b"2");
        let attempts = [Attempt::new(2, &digest, "a")];
        let mut history = revisions(&[
            (1, Status::Superseded, ""),
            (2, Status::Failed, "no"),
            (3, Status::Deployed, "Rollback to 1"),
        ]);
        assert_eq!(failed_before(&history, &attempts, &digest).map(|it| it.revision), Some(2));
        assert!(failed_before(&history, &attempts, &Digest::of(b"another")).is_none());
        assert!(failed_before(&history, &[], &digest).is_none(), "somebody else tried it");

        history.extend(revisions(&[(4, Status::Deployed, "Upgrade complete")]));
        assert!(failed_before(&history, &attempts, &digest).is_none());
    }

    #[test]
    fn an_upgrade_that_was_broken_off_says_nothing_of_the_version() {
        let digest = Digest::of(b"2");
        let history = revisions(&[(1, Status::Deployed, ""), (2, Status::Failed, "failed: context canceled")]);
        assert!(failed_before(&history, &[Attempt::new(2, &digest, "a")], &digest).is_none());
    }

    #[test]
    fn a_label_says_which_revision_it_was_written_for_and_fits() {
        let attempt = Attempt::new(4_000_000_000, &Digest::of(b"2"), "0123456789abcdef");
        assert!(attempt.label().len() <= 63, "{}", attempt.label());
        assert_eq!(Attempt::read(&attempt.label()), Some(attempt));
        assert_eq!(Attempt::read("null"), None);
    }
}
