//! With a workload that nobody may change; interrupted; called off.

use epiphyte_api::WorkloadKind::Deployment;
use serde_json::json;

use crate::scene::*;
use crate::support::*;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_stuck_is_named_and_goes_once_it_is_free() {
    let cluster = Cluster::ready().await;
    let operator = cluster.operator(&short_lease()).await;
    let originals = furnish(&cluster).await;

    refuse_updates_of_cart(&cluster).await;
    named_while_the_operator_works(&cluster).await;
    called_off(&cluster).await;
    interrupted(&cluster).await;
    operator.kill();
    named_while_this_program_works(&cluster).await;

    cluster.kubectl(&["delete", "validatingadmissionpolicybinding,validatingadmissionpolicy", "frozen"]);
    withdraw_devices(&cluster).await;
    uninstalled(&cluster, &[]).await.assert_uninstalled();
    originals.assert_restored(&cluster).await;
    assert!(!is_marked(&cluster).await);
}

async fn refuse_updates_of_cart(cluster: &Cluster) {
    let api_version = "admissionregistration.k8s.io/v1";
    let name = json!({ "name": "frozen" });
    let rule = json!({
        "apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["UPDATE"], "resources": ["deployments"],
    });
    let policy = json!({
        "apiVersion": api_version, "kind": "ValidatingAdmissionPolicy", "metadata": name,
        "spec": {
            "failurePolicy": "Fail", "matchConstraints": { "resourceRules": [rule] },
            "validations": [{ "expression": "object.metadata.name != 'cart'", "message": "cart is frozen" }],
        },
    });
    let binding = json!({
        "apiVersion": api_version, "kind": "ValidatingAdmissionPolicyBinding", "metadata": name,
        "spec": { "policyName": "frozen", "validationActions": ["Deny"] },
    });
    for object in [policy, binding] {
        cluster.kubectl_with(&["apply", "-f", "-"], &object);
    }
    until("the policy is at work", || async {
        let touch = ["annotate", "deployment", "cart", "-n", "shop", "touched=yes", "--overwrite", "--dry-run=server"];
        cluster.try_kubectl(&touch, "").is_err_and(|error| error.contains("cart is frozen"))
    })
    .await;
}

fn assert_stuck(said: &Said) {
    assert_eq!((said.code, &said.report["outcome"]), (Some(1), &"timedOut".into()), "{said:#?}");
    let stuck = said.report["stuck"].as_array().expect("a list");
    assert_eq!(stuck.len(), 1, "{said:#?}");
    assert_eq!((&stuck[0]["kind"], &stuck[0]["name"]), (&"Deployment".into(), &"cart".into()), "{said:#?}");
    let why = stuck[0]["why"].as_str().expect("a text");
    assert!(why.contains("UpdateRejected") && why.contains("cart is frozen"), "{why}");
    assert!(said.progress.contains("stuck: Deployment shop/cart: "), "{said:#?}");
    assert!(said.leftovers().contains(&"Deployment shop/cart".to_owned()), "{said:#?}");
    assert!(said.report["next"].as_str().expect("a text").contains("--cancel"), "{said:#?}");
}

/// Everything but the one that is stuck is restored.
async fn others_are_restored(cluster: &Cluster) {
    let devices = cluster.devices(epiphyte_api::WorkloadKind::CronJob, "shop", "nightly").await;
    assert!(devices.is_empty());
    for (namespace, name) in [("shop", "mail"), ("traced", "till")] {
        assert!(!is_injected(&cluster.workload(Deployment, namespace, name).await), "{namespace}/{name}");
    }
    assert_eq!(cluster.devices(Deployment, "shop", "cart").await.len(), 1);
    assert!(is_marked(cluster).await, "the operator goes on");
}

async fn named_while_the_operator_works(cluster: &Cluster) {
    let said = uninstalled(cluster, &["--timeout", "15s"]).await;
    assert_stuck(&said);
    assert_eq!((&said.report["workloads"], &said.report["restored"]), (&4.into(), &3.into()), "{said:#?}");
    others_are_restored(cluster).await;
}

async fn called_off(cluster: &Cluster) {
    let cancel = || {
        let arguments = ["operator", "--uninstall", "--cancel", "--namespace", SYSTEM];
        let output = command(cluster).args(arguments).output().expect("it runs");
        assert!(output.status.success());
        String::from_utf8(output.stdout).expect("UTF-8")
    };
    assert!(cancel().starts_with("Called off."));
    assert!(!is_marked(cluster).await);
    assert!(cancel().starts_with("Epiphyte is not being uninstalled"));
    // Marks count again; the Lumigo has gone.
    cluster.answer(epiphyte_api::WorkloadKind::CronJob, "shop", "nightly", &[("app", "java")]).await;
    cluster.until_devices(epiphyte_api::WorkloadKind::CronJob, "shop", "nightly", &[("app", JAVA)]).await;
    cluster.lumigo("traced").await;
    until("they are injected again", || async {
        is_injected(&cluster.workload(Deployment, "shop", "mail").await)
            && is_injected(&cluster.workload(Deployment, "traced", "till").await)
    })
    .await;
}

async fn interrupted(cluster: &Cluster) {
    let uninstaller = uninstall(cluster, &[]);
    uninstaller.until_said("3 of 4 workloads restored").await;
    uninstaller.signal("INT");
    let said = uninstaller.ends().await;
    assert_eq!((said.code, &said.report["outcome"]), (Some(1), &"interrupted".into()), "{said:#?}");
    assert!(said.report["next"].as_str().expect("a text").contains("resume"), "{said:#?}");
    others_are_restored(cluster).await;
}

async fn named_while_this_program_works(cluster: &Cluster) {
    let said = uninstalled(cluster, &["--timeout", "25s"]).await;
    assert_stuck(&said);
    assert!(said.progress.contains("no operator is at work, so this program is"), "{said:#?}");
    others_are_restored(cluster).await;
}
