//! Removes what the installation consists of, in an order in which nothing is missed while it is still needed.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::time::Duration;

use epiphyte_api::names::{LEASE, UNINSTALLING_CONFIG_MAP, WEBHOOK_SECRET};
use serde_json::Value;
use tokio::time::sleep;

use super::progress::Progress;
use super::work::Done;
use crate::audit::{
    BESIDE, DEFINITIONS, DETAILS, Definitions, GROUPS, LEASES, NAMESPACES, RIGHTS, RUNNING, SECRETS, WEBHOOKS,
    has_our_webhook, is_controlled, is_helms, is_labelled, selector, strangers, text,
};
use crate::cluster::{Cluster, Dependents, Named, Refusal, Resource};

/// How often it is looked whether what was deleted is gone.
const LOOK: Duration = Duration::from_millis(500);

/// Removes what the installation consists of.
pub(super) struct Removal<'a> {
    pub(super) cluster: &'a Cluster,
    /// The system namespace.
    pub(super) namespace: &'a str,
    pub(super) definitions: Definitions,
    pub(super) progress: &'a Progress,
    pub(super) done: &'a RefCell<Done>,
    /// What cannot be removed, and was told: UIDs of objects, names of resources.
    pub(super) given_up: RefCell<BTreeSet<String>>,
}

/// Objects that are removed.
#[derive(Clone, Copy, Debug)]
enum Objects {
    /// Those of a kind that carry the label.
    Labelled(Resource),
    /// All of a kind.
    All(Resource),
    /// Webhook configurations with our webhook.
    Webhooks,
    /// One in the system namespace.
    Own(Resource, &'static str),
    /// The definitions that carry the label.
    Definitions,
    /// Namespaces that carry the label, if nothing of others is in them.
    Namespaces,
}

impl Removal<'_> {
    /// Removes everything, one rank after the other: each is gone before the next.
    pub(super) async fn run(&self) -> anyhow::Result<()> {
        let labelled = |resources: &[Resource]| resources.iter().copied().map(Objects::Labelled).collect::<Vec<_>>();
        let beside = [Objects::Own(SECRETS, WEBHOOK_SECRET), Objects::Own(LEASES, LEASE)];
        let ranks = [
            vec![Objects::Webhooks],
            // Before the last of those who could answer them, or make new ones.
            vec![Objects::All(DETAILS), Objects::Labelled(GROUPS)],
            labelled(&RUNNING),
            [labelled(&BESIDE), beside.to_vec()].concat(),
            if self.definitions == Definitions::Go { vec![Objects::Definitions] } else { Vec::new() },
            vec![Objects::Namespaces],
            // The rights by which all of this is done may be among them.
            labelled(&RIGHTS),
        ];
        for rank in ranks {
            self.remove(&rank).await?;
        }
        Ok(())
    }

    async fn remove(&self, rank: &[Objects]) -> anyhow::Result<()> {
        loop {
            let mut left = 0;
            for objects in rank {
                match self.remove_once(*objects).await {
                    Ok(count) => left += count,
                    Err(Refusal::Unserved(_)) => {}
                    Err(Refusal::Forbidden(why)) => self.give_up(&why, &why),
                    Err(Refusal::Fatal(error)) => {
                        self.progress.say(format!("{error:#}; trying again"));
                        left += 1;
                    }
                }
            }
            if left == 0 {
                return Ok(());
            }
            sleep(LOOK).await;
        }
    }

    /// Deletes what is there; tells how much still is.
    async fn remove_once(&self, objects: Objects) -> Result<usize, Refusal> {
        let (resource, found) = self.find(objects).await?;
        let mut left = 0;
        for object in found {
            let (uid, name) = (text(&object, "/metadata/uid"), text(&object, "/metadata/name"));
            let is_mark = name == UNINSTALLING_CONFIG_MAP;
            if is_mark || is_helms(&object) || is_controlled(&object) || self.given_up.borrow().contains(uid) {
                continue;
            }
            if object.pointer("/metadata/deletionTimestamp").is_some() {
                left += 1;
                continue;
            }
            if matches!(objects, Objects::Namespaces) && !self.may_go(name, uid).await? {
                continue;
            }
            let namespace = Some(text(&object, "/metadata/namespace")).filter(|namespace| !namespace.is_empty());
            // What is made of what runs is to be gone with it: pods first of all.
            let runs = RUNNING.iter().any(|it| it.plural == resource.plural);
            let dependents = if runs { Dependents::First } else { Dependents::Later };
            let shown = match namespace {
                Some(namespace) => format!("{} {namespace}/{name}", resource.kind),
                None => format!("{} {name}", resource.kind),
            };
            match self.cluster.delete(Named { resource: &resource, namespace, name }, uid, dependents).await {
                Ok(()) => {
                    self.progress.say(format!("removing {shown}"));
                    self.done.borrow_mut().removed.push(shown);
                    left += 1;
                }
                Err(Refusal::Forbidden(why)) => self.give_up(uid, &format!("{shown} stays: {why}")),
                // One that cannot be deleted hinders no other.
                Err(refusal) => {
                    self.progress.say(format!("{shown}: {:#}; trying again", anyhow::Error::from(refusal)));
                    left += 1;
                }
            }
        }
        Ok(left)
    }

    async fn find(&self, objects: Objects) -> Result<(Resource, Vec<Value>), Refusal> {
        let mut found: Vec<Value> = Vec::new();
        let resource = match objects {
            Objects::Labelled(resource) => {
                self.cluster.list_labelled(&resource, &selector(), |it| found.push(it)).await?;
                resource
            }
            Objects::Namespaces => {
                self.cluster.list_labelled(&NAMESPACES, &selector(), |it| found.push(it)).await?;
                NAMESPACES
            }
            Objects::All(resource) => {
                self.cluster.list(&resource, None, None, |it| found.push(it)).await?;
                resource
            }
            Objects::Webhooks => {
                self.cluster.list(&WEBHOOKS, None, None, |it| found.push(it)).await?;
                found.retain(has_our_webhook);
                WEBHOOKS
            }
            Objects::Own(resource, name) => {
                found.extend(self.cluster.get(&resource, Some(self.namespace), name).await?);
                resource
            }
            Objects::Definitions => {
                for crd in epiphyte_api::custom_resource_definitions() {
                    let name = crd.metadata.name.unwrap_or_default();
                    found.extend(self.cluster.get(&DEFINITIONS, None, &name).await?);
                }
                found.retain(is_labelled);
                DEFINITIONS
            }
        };
        Ok((resource, found))
    }

    /// Whether nothing of others is in a namespace.
    async fn may_go(&self, name: &str, uid: &str) -> Result<bool, Refusal> {
        match strangers(self.cluster, name).await {
            Ok(others) if others.is_empty() => Ok(true),
            Ok(others) => {
                self.give_up(uid, &format!("Namespace {name} stays: {} is not ours", others.join(", ")));
                Ok(false)
            }
            Err(error) => {
                self.give_up(uid, &format!("Namespace {name} stays: {error:#}"));
                Ok(false)
            }
        }
    }

    fn give_up(&self, key: &str, why: &str) {
        if self.given_up.borrow_mut().insert(key.to_owned()) {
            self.progress.say(why);
        }
    }
}
