//! What an updater asks of the API server: with these rights it does its work, and each of them is used.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::charts::Chart;
use super::scene::{CRON_JOB, Garden, SCENE, said};

/// Rights as the manual has them: group, resource, verbs. Those of Helm on what the chart consists of, and its own.
const RIGHTS: [(&str, &str, &[&str]); 7] = [
    // Helm's record of the release, and the chart's own Secrets.
    ("", "secrets", &["get", "list", "create", "update", "patch", "delete"]),
    // What the chart consists of.
    ("", "configmaps", &["get", "create", "patch", "delete"]),
    ("apps", "deployments", &["get", "create", "patch", "delete"]),
    // Whether it is ready.
    ("apps", "replicasets", &["list"]),
    // Why it is not.
    ("", "pods", &["list"]),
    // Where the outcome is told.
    ("batch", "cronjobs", &["get", "patch"]),
    ("", "events", &["create"]),
];

/// A user that has those rights in a namespace and no other.
const USER: &str = "test-updater-of-rights";

fn deployment(name: &str, replicas: u8) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {name}}}\nspec:\n  replicas: {replicas}\n  \
         selector: {{matchLabels: {{app: {name}}}}}\n  template: {{metadata: {{labels: {{app: {name}}}}}, \
         spec: {{containers: [{{name: main, image: example.com/none}}]}}}}\n"
    )
}

#[test]
fn an_updater_has_the_rights_of_the_manual_and_uses_all_of_them() {
    let garden = Garden::new("rights");
    let of_role = |(group, resource, verbs): &(&str, &str, &[&str])| -> Value {
        json!({ "apiGroups": [group], "resources": [resource], "verbs": verbs })
    };
    let rules: Vec<Value> = RIGHTS.iter().map(of_role).collect();
    let metadata = json!({ "name": "updater", "namespace": garden.namespace });
    let role = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": metadata, "rules": rules,
    });
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": metadata,
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "updater" },
        "subjects": [{ "apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": USER }],
    });
    SCENE.cluster.kubectl_with(&["apply", "-f", "-"], &role);
    SCENE.cluster.kubectl_with(&["apply", "-f", "-"], &binding);
    let kubeconfig = SCENE.cluster.plane.user(USER, &[]).expect("a user");
    let mark = SCENE.cluster.plane.audit().mark().expect("a mark");
    let update = || {
        let mut command = garden.command(&["--timeout", "3s"]);
        command.env("KUBECONFIG", &kubeconfig);
        said(command)
    };
    let extra = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: extra}\n---\napiVersion: v1\nkind: Secret\nmetadata: {name: extra}\n";
    let good = Chart::new("0.2.0").template("extra.yaml", extra).template("app.yaml", deployment("app", 0));
    garden.offer(&[good]);
    update().is("Updated");
    garden.offer(&[Chart::new("0.3.0")
        .template("app.yaml", deployment("app", 1))
        .template("b.yaml", deployment("b", 0))]);
    update().is("RolledBack");

    let entries = SCENE.cluster.plane.audit().since(mark).expect("the audit log");
    let asked: BTreeSet<(String, String, String)> = entries
        .iter()
        .filter(|entry| entry.user.username == USER)
        .filter_map(|entry| {
            let object = entry.object_ref.as_ref()?;
            assert!(entry.response_status.code != 403, "{entry:?}");
            assert!(object.resource != "cronjobs" || object.name == CRON_JOB, "{entry:?}");
            Some((object.api_group.clone(), object.resource.clone(), entry.verb.clone()))
        })
        .collect();
    let granted = RIGHTS.iter().flat_map(|(group, resource, verbs)| {
        verbs.iter().map(|verb| ((*group).to_owned(), (*resource).to_owned(), (*verb).to_owned()))
    });
    assert_eq!(asked, granted.collect());
}
