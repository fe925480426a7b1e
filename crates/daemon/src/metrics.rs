//! A program's own metrics, in the Prometheus format.

use std::sync::Arc;

use parking_lot::Mutex;
use prometheus_client::registry;

/// All metrics of a program.
#[derive(Clone, Debug, Default)]
pub struct Registry(Arc<Mutex<registry::Registry>>);

impl Registry {
    /// Lets a part register its metrics, whose names get a prefix and `_`.
    pub fn register<R>(&self, prefix: &str, register: impl FnOnce(&mut registry::Registry) -> R) -> R {
        register(self.0.lock().sub_registry_with_prefix(prefix))
    }

    /// All metrics in the text format.
    pub fn encode(&self) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = prometheus_client::encoding::text::encode(&mut text, &self.0.lock());
        text
    }
}
