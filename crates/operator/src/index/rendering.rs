//! What is written into templates of a namespace.

use epiphyte_api::names::auto_trace_version;
use epiphyte_plan::TokenRef;
use epiphyte_surgery::Rendering;

use super::Index;

/// Secret and key of a namespace that is injected by label, without a Lumigo (Lumigo operator, labels
/// `lumigo.token-secret` and `lumigo.token-key`).
const DEFAULT_TOKEN: (&str, &str) = ("lumigo-credentials", "token");

impl Index {
    /// What is written into templates of a namespace, by the settings and by the Lumigo that counts there.
    pub fn rendering(&self, namespace: &str) -> Rendering {
        let lumigo = self.namespace(namespace).lumigo.as_ref();
        let token = lumigo.and_then(|lumigo| lumigo.token.clone());
        let (name, key) = DEFAULT_TOKEN;
        Rendering {
            version_label: auto_trace_version(env!("CARGO_PKG_VERSION")),
            agents_image: self.injector.image.clone(),
            traces_endpoint: self.injector.endpoint.clone(),
            logs_endpoint: self.injector.logs_endpoint.clone(),
            traces: lumigo.is_none_or(|lumigo| lumigo.traces),
            logs: lumigo.is_some_and(|lumigo| lumigo.logs),
            device_token: token.clone().filter(|_| lumigo.is_some_and(|lumigo| lumigo.active)),
            injector_token: token.unwrap_or_else(|| TokenRef { name: name.into(), key: key.into() }),
        }
    }
}
