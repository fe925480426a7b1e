//! Pure: who a container is, as resource attributes, and as the text that the injector reads.

use epiphyte_api::WorkloadKind;
use epiphyte_injector_core::IDENTITY_LIMIT;

use crate::pods::Pod;

/// Attributes of a container, in the order in which they are written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Attributes(Vec<(&'static str, String)>);

impl Attributes {
    /// All that is known of a container of a pod. `service` is the name that a `Source` gives to the workload.
    pub(crate) fn of(pod: &Pod, container: &str, node: &str, service: Option<&str>) -> Self {
        let workload = &pod.workload;
        let service = service.unwrap_or(&workload.name);
        let service = if pod.instrumented() > 1 { format!("{service}-{container}") } else { service.to_owned() };
        let mut attributes = vec![
            ("service.name", service),
            ("k8s.namespace.name", pod.key.namespace.to_string()),
            ("k8s.pod.name", pod.key.name.to_string()),
            ("k8s.pod.uid", pod.uid.to_string()),
            ("k8s.container.name", container.to_owned()),
            ("k8s.node.name", node.to_owned()),
        ];
        if let Some(kind) = workload.kind {
            attributes.push((attribute_of(kind), workload.name.to_string()));
        }
        if let (Some(kind), Some(name)) = (workload.kind, &workload.through) {
            let through = if kind == WorkloadKind::CronJob { WorkloadKind::Job } else { WorkloadKind::ReplicaSet };
            attributes.push((attribute_of(through), name.to_string()));
        }
        Self(attributes)
    }

    /// What is known of a container of a pod that nobody has told of yet. The pod's name is left out, for the injector
    /// makes more of the host's where nobody names the pod.
    pub(crate) fn of_unknown_pod(namespace: &str, container: &str, node: &str) -> Self {
        let known = [("k8s.namespace.name", namespace), ("k8s.container.name", container), ("k8s.node.name", node)];
        Self(known.map(|(key, value)| (key, value.to_owned())).into())
    }

    /// What all of them say alike.
    pub(crate) fn common(mut all: impl Iterator<Item = Self>) -> Self {
        let Some(mut common) = all.next() else { return Self::default() };
        for other in all {
            common.0.retain(|attribute| other.0.contains(attribute));
        }
        common
    }

    /// The text of the identity file: as many lines as are read.
    pub(crate) fn to_text(&self) -> String {
        let mut text = String::new();
        let can_be_said = |(_, value): &&(&str, String)| !value.is_empty() && !value.contains(char::is_control);
        for (key, value) in self.0.iter().filter(can_be_said) {
            if text.len() + key.len() + value.len() + 2 < IDENTITY_LIMIT {
                text.extend([key, "=", value, "\n"]);
            }
        }
        text
    }
}

const fn attribute_of(kind: WorkloadKind) -> &'static str {
    match kind {
        WorkloadKind::Deployment => "k8s.deployment.name",
        WorkloadKind::DaemonSet => "k8s.daemonset.name",
        WorkloadKind::StatefulSet => "k8s.statefulset.name",
        WorkloadKind::ReplicaSet => "k8s.replicaset.name",
        WorkloadKind::CronJob => "k8s.cronjob.name",
        WorkloadKind::Job => "k8s.job.name",
    }
}

#[cfg(test)]
mod tests {
    use epiphyte_daemon::Watched as _;
    use epiphyte_injector_core::Identity;
    use serde_json::json;

    use super::Attributes;
    use crate::pods::Pod;

    fn pod(name: &str, owner: (&str, &str), containers: &[(&str, bool)]) -> Pod {
        let containers: Vec<_> = containers
            .iter()
            .map(|(name, asks)| {
                let device = "instrumentation.odigos.io/java-native-community";
                let limits = if *asks { json!({ device: "1" }) } else { json!({}) };
                json!({ "name": name, "resources": { "limits": limits } })
            })
            .collect();
        let manifest = json!({
            "metadata": {
                "name": name, "namespace": "market", "uid": format!("uid-{name}"), "resourceVersion": "1",
                "labels": { "pod-template-hash": "5d9c7bfd4" },
                "ownerReferences": [{ "kind": owner.0, "name": owner.1, "uid": "u", "controller": true }],
            },
            "spec": { "containers": containers },
        });
        Pod::read(serde_json::from_value(manifest).unwrap())
    }

    fn value<'a>(attributes: &'a Attributes, key: &str) -> Option<&'a str> {
        attributes.0.iter().find(|(found, _)| *found == key).map(|(_, value)| value.as_str())
    }

    fn deployment(name: &str) -> Pod {
        pod(name, ("ReplicaSet", "shop-5d9c7bfd4"), &[("app", true), ("proxy", false)])
    }

    #[test]
    fn a_container_is_introduced_as_the_injector_reads_it() {
        let text = Attributes::of(&deployment("shop-5d9c7bfd4-x2x4z"), "app", "node-1", None).to_text();
        let expected = "service.name=shop\nk8s.namespace.name=market\nk8s.pod.name=shop-5d9c7bfd4-x2x4z\n\
            k8s.pod.uid=uid-shop-5d9c7bfd4-x2x4z\nk8s.container.name=app\nk8s.node.name=node-1\n\
            k8s.deployment.name=shop\nk8s.replicaset.name=shop-5d9c7bfd4\n";
        assert_eq!(text, expected);
        let identity = Identity(text.as_bytes());
        assert!(identity.is_complete());
        assert_eq!(identity.get("service.name"), Some(&b"shop"[..]));
    }

    #[test]
    fn a_source_names_the_service_and_several_containers_are_told_apart() {
        let attributes = Attributes::of(&deployment("a"), "app", "node-1", Some("storefront"));
        assert_eq!(value(&attributes, "service.name"), Some("storefront"));
        let several = pod("a", ("DaemonSet", "agent"), &[("app", true), ("side", true)]);
        let attributes = Attributes::of(&several, "side", "node-1", None);
        assert_eq!(value(&attributes, "service.name"), Some("agent-side"));
        assert_eq!(value(&attributes, "k8s.daemonset.name"), Some("agent"));
    }

    #[test]
    fn a_cron_jobs_pod_names_its_job_too() {
        let attributes = Attributes::of(&pod("a", ("Job", "backup-28471230"), &[("app", true)]), "app", "n", None);
        assert_eq!(value(&attributes, "k8s.cronjob.name"), Some("backup"));
        assert_eq!(value(&attributes, "k8s.job.name"), Some("backup-28471230"));
        assert_eq!(value(&attributes, "service.name"), Some("backup"));
    }

    #[test]
    fn of_several_who_it_may_be_what_they_have_in_common_is_known() {
        let of = |name| Attributes::of(&deployment(name), "app", "node-1", None);
        let common = Attributes::common([of("a"), of("b")].into_iter());
        assert_eq!(value(&common, "service.name"), Some("shop"));
        assert_eq!(value(&common, "k8s.pod.name"), None);
        assert_eq!(Attributes::common(std::iter::empty()).to_text(), "");
    }

    #[test]
    fn a_value_that_would_break_the_file_is_left_out() {
        let text = Attributes::of(&deployment("a"), "app", "node-1", Some("two\nlines")).to_text();
        assert!(!text.contains("lines"));
        let text = Attributes::of(&deployment("a"), "app", "node-1", Some(&"x".repeat(3000))).to_text();
        assert!(text.len() < epiphyte_injector_core::IDENTITY_LIMIT && text.starts_with("k8s.namespace.name="));
    }
}
