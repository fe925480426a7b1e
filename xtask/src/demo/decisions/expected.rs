//! What is to become of each sample workload once everything that it waits for is there.

use epiphyte_api::{Device, Reason, WorkloadKind};

use super::observe::{Has, Seen};

/// A sample workload and what its containers come to.
pub struct Expected {
    pub namespace: &'static str,
    pub kind: WorkloadKind,
    pub name: &'static str,
    pub containers: &'static [(&'static str, Comes)],
}

/// What a container comes to.
#[derive(Clone, Copy)]
pub enum Comes {
    /// It gets a device.
    Device(Device),
    /// It is injected.
    Injected,
    /// It gets nothing, and its `InstrumentedApplication` says why.
    Refused(Reason),
    /// It gets nothing; nobody asked about it, so there is no `InstrumentedApplication`.
    Unasked,
}

use Comes::{Device as Gets, Injected, Refused, Unasked};
use WorkloadKind::{CronJob, DaemonSet, Deployment, StatefulSet};

const fn workload(
    namespace: &'static str,
    kind: WorkloadKind,
    name: &'static str,
    containers: &'static [(&'static str, Comes)],
) -> Expected {
    Expected { namespace, kind, name, containers }
}

/// Every sample workload.
pub const EXPECTED: &[Expected] = &[
    workload(
        "shop",
        Deployment,
        "checkout",
        &[("checkout", Gets(Device::Java)), ("proxy", Refused(Reason::LanguageNotSupported))],
    ),
    workload("shop", Deployment, "catalog", &[("catalog", Gets(Device::Python))]),
    workload("shop", Deployment, "storefront", &[("storefront", Gets(Device::JavaScript))]),
    workload("shop", Deployment, "cart", &[("cart", Gets(Device::Go))]),
    workload("shop", StatefulSet, "orders", &[("orders", Gets(Device::Java))]),
    workload("shop", DaemonSet, "log-router", &[("router", Gets(Device::Go))]),
    workload("shop", CronJob, "nightly-report", &[("report", Gets(Device::Python))]),
    workload("shop", Deployment, "payments", &[("payments", Unasked)]),
    workload("shop", Deployment, "gift-cards", &[("gift-cards", Unasked)]),
    workload("shop", Deployment, "recommendations", &[("recommendations", Refused(Reason::PreloadReferenced))]),
    workload("shop", Deployment, "reviews", &[("reviews", Refused(Reason::LanguageNotSupported))]),
    workload("shop", Deployment, "search", &[("search", Refused(Reason::OtherAgentDetected))]),
    workload("shop", Deployment, "archive", &[("archive", Refused(Reason::WaitingForDetection))]),
    workload("warehouse", Deployment, "stock", &[("stock", Gets(Device::Java))]),
    workload("warehouse", Deployment, "picking", &[("picking", Gets(Device::JavaScript))]),
    workload("warehouse", Deployment, "forecast", &[("forecast", Unasked)]),
    workload("legacy", Deployment, "billing", &[("billing", Injected), ("metrics", Injected)]),
    workload("legacy", StatefulSet, "ledger", &[("ledger", Injected)]),
    workload("legacy", CronJob, "month-end", &[("close", Injected)]),
    workload("legacy", Deployment, "fax-gateway", &[("fax-gateway", Unasked)]),
    workload("legacy", Deployment, "statements", &[("statements", Gets(Device::Java))]),
];

impl Expected {
    /// The workload among those seen.
    pub fn find<'a>(&self, seen: &'a [Seen]) -> Result<&'a Seen, String> {
        let is_it = |it: &&Seen| it.namespace == self.namespace && it.kind == self.kind && it.name == self.name;
        seen.iter().find(is_it).ok_or_else(|| format!("{} {}/{} is not there", self.namespace, self.kind, self.name))
    }

    /// Whether node agents are asked about it.
    pub fn is_asked_about(&self) -> bool {
        self.comes(|it| matches!(it, Gets(_) | Refused(_)))
    }

    /// Whether any of its containers gets a device.
    pub fn gets_device(&self) -> bool {
        self.comes(|it| matches!(it, Gets(_)))
    }

    /// Whether it is injected.
    pub fn is_injected(&self) -> bool {
        self.comes(|it| matches!(it, Injected))
    }

    fn comes(&self, what: impl Fn(Comes) -> bool) -> bool {
        self.containers.iter().any(|(_, comes)| what(*comes))
    }

    /// Whether its template and its reasons are as expected, after this many changes of the template.
    pub fn is_met(&self, seen: &[Seen], changes: i64) -> Result<(), String> {
        let workload = self.find(seen)?;
        for (container, comes) in self.containers {
            let (wanted, reason) = match *comes {
                Gets(device) => (Has::Device(device), Some(Reason::Instrumented)),
                Injected => (Has::Injector, None),
                Refused(reason) => (Has::Nothing, Some(reason)),
                Unasked => (Has::Nothing, None),
            };
            let has = workload.containers.iter().find(|(name, _)| name == container).map(|(_, has)| *has);
            if has != Some(wanted) {
                return Err(format!("{}: container {container} has {has:?}, not {wanted:?}", workload.id()));
            }
            if workload.reason(container) != reason.map(Reason::code) {
                return Err(format!(
                    "{}: the reason is {:?}, not {reason:?}",
                    workload.id(),
                    workload.reason(container)
                ));
            }
        }
        generation(workload, 1 + changes)
    }
}

/// Whether the template changed as often as it should.
pub fn generation(workload: &Seen, expected: i64) -> Result<(), String> {
    if workload.generation == expected {
        Ok(())
    } else {
        Err(format!("{} is at generation {}, not {expected}", workload.id(), workload.generation))
    }
}
