//! Which processes of a container are its own, and which came in from outside: probes and people's shells.

use std::collections::HashMap;

use crate::stat::Stat;

/// A process of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) pid: u32,
    pub(crate) stat: Stat,
}

/// The container's first process and all that descend from it, the oldest first.
///
/// What `kubectl exec` or a probe starts has a parent outside of the container, as the first process has, but is younger.
pub(crate) fn own(members: &[Member]) -> Vec<Member> {
    let parents: HashMap<u32, u32> = members.iter().map(|member| (member.pid, member.stat.parent)).collect();
    let age = |member: &Member| (member.stat.started, member.pid);
    let first = members.iter().filter(|member| !parents.contains_key(&member.stat.parent)).min_by_key(|it| age(it));
    // Ids are used again, so that what was read of several processes may even say that each is the other's child.
    let Some(first) = first.or_else(|| members.iter().min_by_key(|it| age(it))) else {
        return Vec::new();
    };
    let descends = |member: &&Member| {
        let ancestors = std::iter::successors(Some(member.pid), |pid| parents.get(pid).copied());
        ancestors.take(members.len() + 1).any(|pid| pid == first.pid)
    };
    let mut own: Vec<Member> = members.iter().filter(descends).copied().collect();
    own.sort_unstable_by_key(age);
    own
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Member, own};
    use crate::stat::Stat;

    fn member((pid, parent, started): (u32, u32, u64)) -> Member {
        Member { pid, stat: Stat { parent, started } }
    }

    fn pids(members: &[(u32, u32, u64)]) -> Vec<u32> {
        let members: Vec<Member> = members.iter().copied().map(member).collect();
        own(&members).iter().map(|member| member.pid).collect()
    }

    #[test]
    fn what_was_started_from_outside_is_not_the_containers_own() {
        let shim = 1;
        let (first, child, grandchild) = ((20, shim, 100), (30, 20, 110), (25, 30, 120));
        let (probe, of_the_probe) = ((10, shim, 500), (11, 10, 501));
        assert_eq!(pids(&[probe, of_the_probe, first, grandchild, child]), [20, 30, 25]);
        assert_eq!(pids(&[]), [0; 0]);
    }

    #[test]
    fn two_that_are_each_others_children_end_in_an_answer() {
        assert_eq!(pids(&[(1, 2, 9), (2, 1, 5)]), [2, 1]);
    }

    proptest! {
        #[test]
        fn of_some_processes_at_least_one_is_own(members in proptest::collection::vec((0u32..9, 0u32..9, 0u64..9), 1..9)) {
            prop_assert!(!pids(&members).is_empty());
        }
    }
}
