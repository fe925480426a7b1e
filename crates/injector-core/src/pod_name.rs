//! What the name of a pod tells about its workload. Only a guess, for where nobody knows better.

use crate::layout::split_last;

/// What controllers make the ends of pod names of.
const RANDOM: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
/// What the hash of a pod template is made of: decimal digits, written in ten of the characters above.
const HASH: &[u8] = b"456789bcdf";

/// A pod's name, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PodName<'n> {
    /// The workload's name; the whole name where it has no end that a controller gave it.
    pub(crate) workload: &'n [u8],
    /// The controller's kind, where the name leaves no doubt.
    pub(crate) owner: Option<Owner<'n>>,
}

/// A workload with another object between itself and its pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owner<'n> {
    /// A Deployment, with its ReplicaSet's name.
    Deployment(&'n [u8]),
    /// A CronJob, with its Job's name.
    CronJob(&'n [u8]),
}

impl<'n> PodName<'n> {
    /// Takes a name apart.
    pub(crate) fn read(name: &'n [u8]) -> Self {
        Self::with_random_end(name).or_else(|| Self::with_ordinal(name)).unwrap_or(Self { workload: name, owner: None })
    }

    /// `name-xxxxx`, where the name may itself end in what a Deployment or a CronJob adds.
    fn with_random_end(name: &'n [u8]) -> Option<Self> {
        let (middle, end) = split(name)?;
        if end.len() != 5 || !consists_of(end, RANDOM) {
            return None;
        }
        let inner = split(middle).and_then(|(workload, end)| {
            if (6..=10).contains(&end.len()) && consists_of(end, HASH) {
                Some(Self { workload, owner: Some(Owner::Deployment(middle)) })
            } else if (8..=10).contains(&end.len()) && end.iter().all(u8::is_ascii_digit) {
                Some(Self { workload, owner: Some(Owner::CronJob(middle)) })
            } else {
                None
            }
        });
        Some(inner.unwrap_or(Self { workload: middle, owner: None }))
    }

    /// `name-0`, as StatefulSets have it.
    fn with_ordinal(name: &'n [u8]) -> Option<Self> {
        let (workload, end) = split(name)?;
        (end.len() <= 5 && end.iter().all(u8::is_ascii_digit)).then_some(Self { workload, owner: None })
    }
}

/// Both sides of the last hyphen, neither of them empty.
fn split(name: &[u8]) -> Option<(&[u8], &[u8])> {
    split_last(name, b'-').filter(|(before, after)| !before.is_empty() && !after.is_empty())
}

fn consists_of(text: &[u8], alphabet: &[u8]) -> bool {
    text.iter().all(|byte| alphabet.contains(byte))
}

#[cfg(test)]
mod tests {
    use super::{Owner, PodName};

    fn workload(name: &str) -> &str {
        str::from_utf8(PodName::read(name.as_bytes()).workload).unwrap()
    }

    #[test]
    fn a_deployment_and_a_cron_job_are_told_by_what_they_add() {
        let pod = PodName::read(b"check-out-5d9c7bfd4-x2x4z");
        assert_eq!(pod, PodName { workload: b"check-out", owner: Some(Owner::Deployment(b"check-out-5d9c7bfd4")) });
        let pod = PodName::read(b"backup-28471230-x2x4z");
        assert_eq!(pod, PodName { workload: b"backup", owner: Some(Owner::CronJob(b"backup-28471230")) });
    }

    #[test]
    fn other_ends_that_controllers_give_are_cut() {
        assert_eq!(workload("agent-x2x4z"), "agent");
        assert_eq!(workload("db-primary-12"), "db-primary");
        assert_eq!(workload("web-v2-x2x4z"), "web-v2");
    }

    #[test]
    fn names_that_people_gave_stay_whole() {
        for name in ["checkout", "check-out", "my-cache", "web-12345678", "-", "a-", "-x2x4z", "", "--", "redis-mysql"]
        {
            assert_eq!(workload(name), name);
        }
    }
}
