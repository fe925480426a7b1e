//! Answers what the operator asks about workloads that have a pod on this node.

mod answer;
mod question;
mod step;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use epiphyte_api::ContainerRuntime;
use epiphyte_daemon::{Backoff, ObjectKey, chain};
use epiphyte_detect::{Sighting, Wanted};
use jiff::Timestamp;
use kube::{Api, Client};
use tokio::time::Instant;
use tracing::{debug, info, warn};

use answer::Outcome;
pub(crate) use question::Question;
use step::Step;

use crate::metrics::Metrics;
use crate::pods::{Pod, Pods};
use crate::scans::Scans;
use crate::watch::Shared;

/// Changes that come within this time are taken together.
const TOGETHER: Duration = Duration::from_millis(100);

/// Answers questions.
pub(crate) struct Detection {
    pub(crate) client: Client,
    pub(crate) pods: Pods,
    pub(crate) questions: Shared<Question>,
    pub(crate) scans: Scans,
    pub(crate) metrics: Metrics,
}

/// When a question that could not be answered is taken up again.
struct Retry {
    backoff: Backoff,
    at: Instant,
}

/// Questions that are tried again. Written by the rounds.
type Retries = HashMap<ObjectKey, Retry>;

/// A question whose pod is looked at.
struct Look {
    question: Arc<Question>,
    pod: Arc<Pod>,
    containers: Vec<Box<str>>,
}

impl Detection {
    /// Answers for as long as it is polled.
    pub(crate) async fn run(self) {
        let (mut pods, mut asked) = (self.pods.changes(), self.questions.changes());
        let mut retries = Retries::new();
        loop {
            pods.mark_unchanged();
            asked.mark_unchanged();
            let next = self.round(&mut retries).await;
            let later = async {
                match next {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            // The senders live in `self`, so waiting for them cannot fail.
            tokio::select! {
                _ = pods.changed() => {}
                _ = asked.changed() => {}
                () = later => {}
            }
            tokio::time::sleep(TOGETHER).await;
        }
    }

    /// Does all that can be done now; tells when there is more, should nothing change before.
    async fn round(&self, retries: &mut Retries) -> Option<Instant> {
        let questions = self.questions.all();
        retries.retain(|key, _| self.questions.get(key).is_some());
        if questions.is_empty() {
            return None;
        }
        let (pods, now) = (self.pods.all(), Timestamp::now());
        let (mut looks, mut next) = (Vec::new(), None);
        for question in questions.into_iter().filter(|question| question.pending) {
            if let Some(retry) = retries.get(&question.key).filter(|retry| retry.at > Instant::now()) {
                next = [next, Some(retry.at)].into_iter().flatten().min();
                continue;
            }
            match step::step(&question, &pods, now) {
                Step::Answer => self.answer(&question, &BTreeMap::new(), retries).await,
                Step::Look(pod, containers) => looks.push(Look { question, pod, containers }),
                Step::Wait(at) => {
                    let wait = at.map(|at| Duration::try_from(at.duration_since(now)).unwrap_or_default());
                    next = [next, wait.map(|wait| Instant::now() + wait)].into_iter().flatten().min();
                }
            }
        }
        self.look(looks, retries).await;
        let now = Instant::now();
        retries.values().map(|retry| retry.at).filter(|at| *at > now).chain(next).min()
    }

    /// Looks at all of them in one scan.
    async fn look(&self, looks: Vec<Look>, retries: &mut Retries) {
        if looks.is_empty() {
            return;
        }
        let ids = looks.iter().flat_map(Look::ids);
        let wanted = ids.fold(Wanted::default(), |wanted, id| wanted.container(id));
        let sightings = match self.scans.scan(wanted).await {
            Ok(sightings) => sightings,
            Err(error) => {
                warn!(error = %chain(&error), "cannot look into containers; trying again");
                looks.iter().for_each(|look| retry(retries, &look.question.key));
                return;
            }
        };
        let now = Timestamp::now();
        for look in looks {
            match look.found(&sightings, now) {
                Some(found) => self.answer(&look.question, &found, retries).await,
                None => retry(retries, &look.question.key),
            }
        }
    }

    async fn answer(&self, question: &Question, found: &BTreeMap<Box<str>, ContainerRuntime>, retries: &mut Retries) {
        let ObjectKey { namespace, name } = &question.key;
        let api = Api::namespaced(self.client.clone(), namespace);
        let outcome = answer::write(&api, question, &answer::patch(question, found)).await;
        self.metrics.answered(match &outcome {
            Outcome::Answered => "answered",
            Outcome::Conflict(_) => "conflict",
            Outcome::Gone => "gone",
            Outcome::Failed(_) => "failed",
        });
        match outcome {
            Outcome::Answered => {
                let languages: Vec<String> = found.values().map(|it| it.language.to_string()).collect();
                info!(namespace, name, languages = languages.join(","), "answered");
                self.questions.delete(&question.key);
            }
            Outcome::Gone => self.questions.delete(&question.key),
            // What was read is looked at afresh at once.
            Outcome::Conflict(now) => self.questions.apply(question.key.clone(), *now),
            Outcome::Failed(error) => {
                warn!(namespace, name, error = %chain(&error), "cannot answer; trying again");
                retry(retries, &question.key);
            }
        }
    }
}

fn retry(retries: &mut Retries, key: &ObjectKey) {
    let entry = retries.entry(key.clone());
    let retry = entry.or_insert_with(|| Retry { backoff: Backoff::new(1_000, 30_000), at: Instant::now() });
    retry.at = Instant::now() + retry.backoff.wait();
}

impl Look {
    fn ids(&self) -> impl Iterator<Item = &str> {
        let containers = self.containers.iter().filter_map(|name| self.pod.container(name));
        containers.filter_map(|container| container.running.as_ref().map(|running| &*running.id))
    }

    /// What was seen of the containers; `None` where something is to be looked at again.
    fn found(&self, sightings: &[Sighting], now: Timestamp) -> Option<BTreeMap<Box<str>, ContainerRuntime>> {
        let mut found = BTreeMap::new();
        for name in &self.containers {
            let container = self.pod.container(name)?;
            let running = container.running.as_ref()?;
            let sighting = sightings.iter().find(|sighting| *sighting.container_id == *running.id)?;
            if let Err(doubt) = &sighting.runtime.language {
                let (namespace, pod) = (&*self.pod.key.namespace, &*self.pod.key.name);
                if step::may_clear_up(container, now) {
                    debug!(namespace, pod, container = &**name, %doubt, "cannot tell the language yet");
                    return None;
                }
                info!(namespace, pod, container = &**name, %doubt, "cannot tell the language");
            }
            found.insert(name.clone(), answer::entry(&self.pod, container, sighting.runtime.clone()));
        }
        Some(found)
    }
}
