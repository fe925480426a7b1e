//! What happens while the operator is away, or a definition is, or everything is to go: on control planes of their own.

use std::process::{Command, Stdio};

use epiphyte_testbed::FakeNode;
use serde_json::{Value, json};

use crate::scene::*;
use crate::subject::*;
use crate::support::*;

/// The user that the second operator is.
const OTHER: &str = "epiphyte-operator-2";

#[tokio::test(flavor = "multi_thread")]
async fn while_the_operator_is_away_nobody_is_held_up_and_it_catches_up() {
    let cluster = Cluster::ready().await;
    let operator = cluster.operator(&OperatorOptions::default()).await;
    let ns = "shop";
    cluster.namespace(ns, None).await;
    let cart = Subject::create(&cluster, &deployment(ns, "cart")).await;
    let before = cart.template().await;
    admit(&cluster, ns, &json!({})).await;
    cart.until_injected().await;
    operator.kill();

    // Its webhook is still registered: workloads and Lumigoes are written all the same.
    let early = Subject::create(&cluster, &deployment(ns, "early")).await;
    assert!(is_bare(&early.template().await));
    change(&cluster, ns, &json!({ "logging": { "enabled": true } })).await;
    // What another webhook would add to our init container, beside us.
    let mut template = cart.template().await;
    template["spec"]["initContainers"][0]["env"]
        .as_array_mut()
        .expect("variables")
        .push(json!({ "name": "PROXY", "value": "http://proxy:3128" }));
    cart.merge(&json!({ "spec": { "template": template } })).await;
    cluster.delete(&lumigo(ns, "lumigo")).await;
    assert!(
        cluster.get("operator.lumigo.io/v1", "lumigoes", ns, "lumigo").await.is_some(),
        "it waits for the operator"
    );

    let operator = cluster.operator(&OperatorOptions::default()).await;
    until_gone(&cluster, ns, "lumigo").await;
    assert_eq!(cart.template().await, before);
    assert!(is_bare(&early.template().await));

    // One that was made while the operator was away is seen to when it comes back.
    operator.kill();
    cluster.apply(&lumigo_object(ns, "lumigo")).await;
    let operator = cluster.operator(&OperatorOptions::default()).await;
    until_active(&cluster, ns, "lumigo").await;
    for subject in [&cart, &early] {
        subject.until_injected().await;
    }
    until("the namespace is in the file", || async { monitored(&operator, ns).is_some() }).await;
    assert_eq!(given_away(&operator.log()), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_definition_that_is_deleted_takes_its_lumigoes_along_and_stops_nothing_else() {
    let cluster = Cluster::ready().await;
    let operator = cluster.operator(&OperatorOptions::default()).await;
    let ns = "shop";
    cluster.namespace(ns, None).await;
    let cart = Subject::create(&cluster, &deployment(ns, "cart")).await;
    let before = cart.template().await;
    admit(&cluster, ns, &json!({})).await;
    cart.until_injected().await;

    let name = "lumigoes.operator.lumigo.io";
    let api_version = "apiextensions.k8s.io/v1";
    cluster.delete(&Object { api_version, plural: "customresourcedefinitions", namespace: "", name }).await;
    until("the definition is gone", || async {
        cluster.get(api_version, "customresourcedefinitions", "", name).await.is_none()
    })
    .await;
    cart.until_bare().await;
    assert_eq!(cart.template().await, before);
    until("the namespace is off the file", || async { monitored(&operator, ns).is_none() }).await;
    // Devices, and labels, are none of its business.
    witness(&cluster, "definition-gone").await;
    let labelled = Subject::create(&cluster, &labelled(deployment(ns, "labelled"), "true")).await;
    labelled.until_injected().await;

    cluster.define();
    admit(&cluster, ns, &json!({})).await;
    cart.until_injected().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_replica_writes_the_files_and_whoever_leads_next_goes_on() {
    let settings = "leaderElection: {leaseDuration: 5s}\n".to_owned();
    let options = |user: &str| OperatorOptions {
        settings: settings.clone(),
        user: user.to_owned(),
        ..OperatorOptions::default()
    };
    let cluster = Cluster::ready().await;
    let first = cluster.operator(&options(OPERATOR)).await;
    let second = Operator::start(&cluster.plane, &options(OTHER));
    until("the second operator is ready", || async { second.is_ready() }).await;

    let ns = "shop";
    tenant(&cluster, ns, &json!({})).await;
    let cart = Subject::create(&cluster, &deployment(ns, "cart")).await;
    cart.until_event("LumigoAddedInstrumentation").await;
    let added = || async { events(&cluster, ns, "cart", "LumigoAddedInstrumentation").await.len() };
    for operator in [&first, &second] {
        until("each has the namespace in its file", || async {
            monitored(operator, ns).is_some() && admits(operator, TOKEN)
        })
        .await;
    }
    let mark = cluster.plane.audit().mark().expect("the audit log is read");
    first.kill();
    until("the second leads", || async { second.leads() }).await;
    let next = "stock";
    cluster.namespace(next, None).await;
    let mail = Subject::create(&cluster, &deployment(next, "mail")).await;
    admit(&cluster, next, &json!({})).await;
    mail.until_injected().await;
    delete_lumigo(&cluster, ns).await;
    assert!(is_bare(&cart.template().await));
    assert_eq!(added().await, 1, "the next leader tells nothing again");
    let of_lumigo: Vec<Value> = cluster
        .writes_of(OTHER, mark)
        .into_iter()
        .filter(|entry| entry.is_about("lumigoes") && entry.object_ref.as_ref().is_some_and(|it| it.namespace == ns))
        .filter_map(|entry| entry.request_object)
        .collect();
    assert!(
        of_lumigo.iter().all(|patch| !patch.to_string().contains("\"Active\",\"status\":\"True\"")),
        "{of_lumigo:?}"
    );
    assert_eq!(given_away(&second.log()), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_uninstallation_takes_off_what_a_lumigo_would_leave_and_goes_on_past_what_vanishes_or_is_refused() {
    let cluster = Cluster::ready().await;
    let operator = cluster.operator(&OperatorOptions::default()).await;
    let mut before = Vec::new();
    let mut subjects = Vec::new();
    for ns in ["leaving", "vanishing", "refused"] {
        cluster.namespace(ns, None).await;
        let cart = Subject::create(&cluster, &idle(deployment(ns, "cart"))).await;
        before.push(cart.template().await);
        let stay = json!({ "tracing": { "injection": { "removeLumigoFromResourcesOnDeletion": false } } });
        admit(&cluster, ns, &stay).await;
        cart.until_injected().await;
        subjects.push(cart);
    }
    for object in no_deletion("refused") {
        cluster.kubectl_with(&["apply", "-f", "-"], &object);
    }
    let uri = "/apis/operator.lumigo.io/v1/namespaces/refused/lumigoes/lumigo?dryRun=All";
    until("the policy is in force", || async {
        cluster.send("DELETE", uri, "application/json", &json!({})).await.is_err()
    })
    .await;
    cluster.plane.update_node(&FakeNode::new("node-1")).await.expect("the devices are withdrawn");

    let mut uninstaller = Command::new(env!("CARGO_BIN_EXE_epiphyte"))
        .args(["operator", "--uninstall", "--namespace", SYSTEM, "--timeout", "90s"])
        .env("KUBECONFIG", cluster.plane.kubeconfig())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the uninstaller starts");
    // Somebody else deletes one at the same time.
    cluster.kubectl(&["delete", "lumigo", "lumigo", "-n", "vanishing", "--ignore-not-found"]);
    for subject in &subjects {
        subject.until_bare().await;
    }
    assert!(uninstaller.try_wait().expect("it can be waited for").is_none(), "it goes on while one is refused");
    cluster.kubectl(&["delete", "validatingadmissionpolicybinding,validatingadmissionpolicy", "no-deletion"]);
    let status = eventually("the uninstaller ends", || {
        let status = uninstaller.try_wait().expect("it can be waited for");
        async move { status }
    })
    .await;
    assert!(status.success(), "{status}");
    for (subject, before) in subjects.iter().zip(before) {
        assert_eq!(subject.template().await, before, "{subject}");
    }
    operator.kill();
}

/// A policy that refuses the deletion of Lumigoes in a namespace, and its binding.
fn no_deletion(namespace: &str) -> [Value; 2] {
    let api_version = "admissionregistration.k8s.io/v1";
    let rules = json!([{
        "apiGroups": ["operator.lumigo.io"], "apiVersions": ["*"], "operations": ["DELETE"], "resources": ["lumigoes"],
    }]);
    let policy = json!({
        "apiVersion": api_version, "kind": "ValidatingAdmissionPolicy", "metadata": { "name": "no-deletion" },
        "spec": {
            "matchConstraints": {
                "resourceRules": rules,
                "namespaceSelector": { "matchLabels": { "kubernetes.io/metadata.name": namespace } },
            },
            "validations": [{ "expression": "false", "message": "not now" }],
        },
    });
    let binding = json!({
        "apiVersion": api_version, "kind": "ValidatingAdmissionPolicyBinding", "metadata": { "name": "no-deletion" },
        "spec": { "policyName": "no-deletion", "validationActions": ["Deny"] },
    });
    [policy, binding]
}
