//! Workloads that could not be changed when it was last tried, and why.

use std::collections::BTreeMap;
use std::sync::Arc;

use epiphyte_api::Reason;
use parking_lot::Mutex;

use crate::failure::Failure;
use crate::index::WorkloadKey;

/// Why a workload could not be changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hindrance {
    /// The reason that people are told.
    pub reason: Reason,
    /// What the API server said.
    pub message: String,
}

/// Workloads that could not be changed. The writer notes and forgets.
#[derive(Clone, Default)]
pub(crate) struct Stuck(Arc<Mutex<BTreeMap<WorkloadKey, Hindrance>>>);

impl Stuck {
    /// The workload could not be changed.
    pub(crate) fn note(&self, key: &WorkloadKey, failure: &Failure) {
        let hindrance = Hindrance { reason: failure.reason(), message: failure.to_string() };
        self.0.lock().insert(key.clone(), hindrance);
    }

    /// The workload is as it should be, or gone.
    pub(crate) fn forget(&self, key: &WorkloadKey) {
        self.0.lock().remove(key);
    }

    /// Why a workload could not be changed; `None` where nothing hindered.
    pub(crate) fn of(&self, key: &WorkloadKey) -> Option<Hindrance> {
        self.0.lock().get(key).cloned()
    }
}
