//! What is written into the template of a workload.

use epiphyte_api::names::auto_trace_version;
use epiphyte_plan::{Companions, Workload};
use epiphyte_surgery::Rendering;

use super::Index;

impl Index {
    /// What is written into the template of a workload, by the settings and by the Lumigo that counts in its namespace, or
    /// by the workload's own labels where there is none.
    pub fn rendering(&self, workload: &Workload) -> Rendering {
        let lumigo = self.namespace(&workload.namespace).lumigo.as_ref();
        let token = lumigo.and_then(|lumigo| lumigo.token.clone());
        let Companions { traces, logs, token: default_token, .. } = match &workload.companions {
            Some(companions) if lumigo.is_none() => (**companions).clone(),
            _ => Companions::default(),
        };
        Rendering {
            version_label: auto_trace_version(env!("CARGO_PKG_VERSION")),
            agents_image: self.injector.image.clone(),
            traces_endpoint: self.injector.endpoint.clone(),
            logs_endpoint: self.injector.logs_endpoint.clone(),
            traces: lumigo.map_or(traces, |lumigo| lumigo.traces),
            logs: lumigo.map_or(logs, |lumigo| lumigo.logs),
            device_token: token.clone().filter(|_| lumigo.is_some_and(|lumigo| lumigo.active)),
            injector_token: token.unwrap_or(default_token),
        }
    }
}

#[cfg(test)]
mod tests {
    use epiphyte_plan::Manifest;
    use jiff::Timestamp;
    use serde_json::json;

    use super::*;
    use crate::learn;
    use crate::settings::Settings;

    #[test]
    fn labels_beside_the_mark_count_only_where_the_namespace_has_no_lumigo() {
        let labels = json!({
            "lumigo.auto-trace": "true", "lumigo.enable-traces": "FALSE", "lumigo.enable-logs": "true",
            "lumigo.token-secret": "mine", "lumigo.token-key": "key",
        });
        let manifest: Manifest =
            serde_json::from_value(json!({ "metadata": { "namespace": "shop", "labels": labels } })).expect("valid");
        let workload = manifest.into_workload(epiphyte_api::WorkloadKind::Deployment);
        let mut index = Index::new(&Settings::default(), "odigos-system");
        let said = |index: &Index| {
            let Rendering { traces, logs, injector_token, device_token, .. } = index.rendering(&workload);
            (traces, logs, injector_token.name, injector_token.key, device_token)
        };
        assert_eq!(said(&index), (false, true, "mine".into(), "key".into(), None));
        let lumigo = json!({
            "apiVersion": "operator.lumigo.io/v1", "kind": "Lumigo",
            "metadata": { "name": "lumigo", "namespace": "shop" }, "spec": {},
        });
        learn(&mut index, &lumigo, Timestamp::UNIX_EPOCH).expect("valid");
        assert_eq!(said(&index), (true, false, "lumigo-credentials".into(), "token".into(), None));
    }
}
