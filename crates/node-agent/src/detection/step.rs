//! Pure: what is to be done about a question, with the pods of this node at hand.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::question::Question;
use crate::pods::{Container, Pod};

/// A container that runs this long without being ready is looked at all the same.
const SETTLES: SignedDuration = SignedDuration::from_secs(30);

/// A pod that is this old is answered for though some of its containers do not run.
const GIVES_UP_ON_OTHERS: SignedDuration = SignedDuration::from_mins(2);

/// A container younger than this may still be on its way to its program: what cannot be told yet is looked at again.
const UNSETTLED: SignedDuration = SignedDuration::from_mins(1);

/// What is to be done about a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// All of it is known.
    Answer,
    /// These containers of this pod are to be looked at.
    Look(Arc<Pod>, Vec<Box<str>>),
    /// Nothing before this time, or before something changes.
    Wait(Option<Timestamp>),
}

/// Works it out. Of several pods the one that runs longest is looked at.
pub(crate) fn step(question: &Question, pods: &[Arc<Pod>], now: Timestamp) -> Step {
    let open: Vec<&str> = question.open().map(|asked| asked.container_name.as_str()).collect();
    if open.is_empty() && !question.request.is_empty() {
        return Step::Answer;
    }
    let (mut best, mut wait): (Option<(Timestamp, Step)>, Option<Timestamp>) = (None, None);
    for pod in pods.iter().filter(|pod| is_asked_about(question, pod)) {
        match visit(pod, &open, now) {
            Visit::Now(since, containers) if best.as_ref().is_none_or(|(oldest, _)| since < *oldest) => {
                best = Some((since, Step::Look(Arc::clone(pod), containers)));
            }
            Visit::Now(..) => {}
            Visit::Later(at) => wait = [wait, at].into_iter().flatten().min(),
        }
    }
    best.map_or(Step::Wait(wait), |(_, step)| step)
}

/// Whether a doubt about a container may still clear up.
pub(crate) fn may_clear_up(container: &Container, now: Timestamp) -> bool {
    container.running.as_ref().is_none_or(|running| now < running.since.saturating_add(UNSETTLED).unwrap_or(now))
}

fn is_asked_about(question: &Question, pod: &Pod) -> bool {
    let of_workload = question.workload.as_ref().is_some_and(|(kind, name)| pod.workload.may_be(*kind, name));
    let runs = |asked: &epiphyte_api::ContainerRequest| {
        pod.container(&asked.container_name).is_some_and(|container| *container.image == *asked.image)
    };
    of_workload
        && pod.key.namespace == question.key.namespace
        && !pod.finished
        && !question.request.is_empty()
        && question.request.iter().all(runs)
}

enum Visit {
    /// These containers can be looked at; the youngest of them runs since then.
    Now(Timestamp, Vec<Box<str>>),
    /// Not before this time, or before the pod changes.
    Later(Option<Timestamp>),
}

fn visit(pod: &Pod, open: &[&str], now: Timestamp) -> Visit {
    let after = |start: Timestamp, wait| start.saturating_add(wait).unwrap_or(start);
    let (mut since, mut settled, mut later, mut missing) = (None, Vec::new(), None, false);
    for container in open.iter().filter_map(|name| pod.container(name)) {
        let Some(running) = &container.running else {
            missing = true;
            continue;
        };
        let settles = if running.ready { running.since } else { after(running.since, SETTLES) };
        if settles <= now || running.ready {
            since = since.max(Some(running.since));
            settled.push(container.name.clone());
        } else {
            later = later.max(Some(settles));
        }
    }
    if later.is_some() {
        return Visit::Later(later);
    }
    let Some(since) = since else { return Visit::Later(None) };
    let gives_up = pod.started.map(|started| after(started, GIVES_UP_ON_OTHERS));
    match gives_up.filter(|_| missing) {
        Some(at) if at > now => Visit::Later(Some(at)),
        _ => Visit::Now(since, settled),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use epiphyte_api::{ContainerRequest, WorkloadKind};
    use epiphyte_daemon::ObjectKey;
    use jiff::{SignedDuration, Timestamp};
    use serde_json::json;

    use super::{Step, may_clear_up, step};
    use crate::detection::question::Question;
    use crate::pods::{Container, Pod, Running, Workload};

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_000_000 + seconds).unwrap()
    }

    fn key(name: &str) -> ObjectKey {
        ObjectKey { namespace: "market".into(), name: name.into() }
    }

    fn question(containers: &[&str]) -> Question {
        let asked = |name: &&str| ContainerRequest { container_name: (*name).into(), image: format!("{name}:1") };
        Question {
            key: key("deployment-shop"),
            version: "1".into(),
            pending: true,
            workload: Some((WorkloadKind::Deployment, "shop".into())),
            request: containers.iter().map(asked).collect(),
            languages: Vec::new(),
        }
    }

    fn container(name: &str, running: Option<(i64, bool)>) -> Container {
        Container {
            name: name.into(),
            image: format!("{name}:1").into(),
            image_id: None,
            device: None,
            running: running.map(|(since, ready)| Running { id: name.into(), since: at(since), ready }),
        }
    }

    fn pod(name: &str, containers: Vec<Container>) -> Arc<Pod> {
        Arc::new(Pod {
            key: key(name),
            uid: "u".into(),
            workload: Workload::of("ReplicaSet", "shop-abc", Some("abc")),
            started: Some(at(0)),
            finished: false,
            containers: containers.into(),
        })
    }

    fn looks_at(step: &Step) -> Option<(&str, Vec<&str>)> {
        match step {
            Step::Look(pod, containers) => Some((&pod.key.name, containers.iter().map(|it| &**it).collect())),
            _ => None,
        }
    }

    #[test]
    fn of_several_pods_the_one_that_runs_longest_is_looked_at() {
        let pods = [
            pod("young", vec![container("app", Some((9, true)))]),
            pod("old", vec![container("app", Some((3, true)))]),
            pod("waits", vec![container("app", None)]),
        ];
        assert_eq!(looks_at(&step(&question(&["app"]), &pods, at(10))), Some(("old", vec!["app"])));
    }

    #[test]
    fn a_pod_of_another_image_workload_or_namespace_is_not_asked_about() {
        let ready = || vec![container("app", Some((1, true)))];
        let mut image = (*pod("image", ready())).clone();
        image.containers[0].image = "app:2".into();
        let mut workload = (*pod("workload", ready())).clone();
        workload.workload = Workload::of("ReplicaSet", "cart-abc", Some("abc"));
        let mut namespace = (*pod("namespace", ready())).clone();
        namespace.key.namespace = "other".into();
        let mut finished = (*pod("finished", ready())).clone();
        finished.finished = true;
        let pods = [image, workload, namespace, finished].map(Arc::new);
        assert_eq!(step(&question(&["app"]), &pods, at(10)), Step::Wait(None));
        assert_eq!(step(&question(&[]), &[pod("a", ready())], at(10)), Step::Wait(None));
    }

    #[test]
    fn a_container_that_is_not_ready_is_given_half_a_minute() {
        let pods = [pod("a", vec![container("app", Some((5, false)))])];
        assert_eq!(step(&question(&["app"]), &pods, at(10)), Step::Wait(Some(at(35))));
        assert_eq!(looks_at(&step(&question(&["app"]), &pods, at(35))), Some(("a", vec!["app"])));
    }

    #[test]
    fn a_container_that_never_runs_holds_the_others_up_for_two_minutes() {
        let pods = [pod("a", vec![container("app", Some((5, true))), container("broken", None)])];
        let question = question(&["app", "broken"]);
        assert_eq!(step(&question, &pods, at(10)), Step::Wait(Some(at(120))));
        assert_eq!(looks_at(&step(&question, &pods, at(120))), Some(("a", vec!["app"])));
    }

    #[test]
    fn what_is_known_is_not_looked_at_again() {
        let mut question = question(&["app", "side"]);
        question.languages = vec![json!({ "containerName": "app", "language": "java", "image": "app:1" })];
        let pods = [pod("a", vec![container("app", None), container("side", Some((5, true)))])];
        assert_eq!(looks_at(&step(&question, &pods, at(10))), Some(("a", vec!["side"])));
        question.languages.push(json!({ "containerName": "side", "language": "go" }));
        assert_eq!(step(&question, &[], at(10)), Step::Answer);
    }

    #[test]
    fn a_doubt_about_a_young_container_may_clear_up() {
        let container = container("app", Some((0, true)));
        assert!(may_clear_up(&container, at(59)));
        assert!(!may_clear_up(&container, at(60)));
        assert_eq!(at(0).saturating_add(SignedDuration::from_secs(1)).unwrap(), at(1));
    }
}
