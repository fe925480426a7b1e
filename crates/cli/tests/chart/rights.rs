//! The rights that the chart gives suffice: those of uninstalling, and those of the updater.

use std::process::{Command, Stdio};

use epiphyte_api::WorkloadKind::Deployment;
use serde_json::{Value, json};

use crate::bench::*;
use crate::support::{self, Cluster, TOKEN, free_address, until};

const GROUPS: [&str; 2] = ["system:serviceaccounts", "system:serviceaccounts:epiphyte-system"];

fn account(name: &str) -> String {
    format!("system:serviceaccount:{SYSTEM}:{name}")
}

/// Our program with the rights of an account of the release.
fn program_as(cluster: &Cluster, name: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_epiphyte"));
    command.env("KUBECONFIG", cluster.plane.user(&account(name), &GROUPS).expect("a kubeconfig"));
    command
}

/// Applies what a release's hook consists of, but for what would run, and gives the arguments of that.
async fn hook(cluster: &Cluster, release: &str, name: &str) -> Vec<String> {
    let hooks = on(cluster, &["get", "hooks", release, "--namespace", SYSTEM]).expect("hooks");
    let (jobs, rights): (Vec<Value>, Vec<Value>) =
        objects(&hooks).into_iter().filter(|it| it["metadata"]["name"] == name).partition(|it| it["kind"] == "Job");
    for object in rights {
        cluster.apply(&object).await;
    }
    let container = &jobs.first().expect("a Job")["spec"]["template"]["spec"]["containers"][0];
    container["args"].as_array().expect("arguments").iter().map(|it| it.as_str().expect("a text").to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn uninstalling_by_the_hook_leaves_nothing_also_where_the_operator_is_scaled_to_zero() {
    let cluster = cluster().await;
    on(&cluster, &["install", "first", &chart(), "--namespace", SYSTEM]).expect("it is installed");
    cluster.namespace("shop", None).await;
    cluster.apply(&support::token_secret("shop", TOKEN)).await;
    cluster.apply(&support::idle(support::deployment("shop", "cart"))).await;
    let before = cluster.workload(Deployment, "shop", "cart").await["spec"]["template"].clone();

    let mut operator = program_as(&cluster, "epiphyte-operator");
    operator.args(["operator", "--namespace", SYSTEM, "--service-account", "epiphyte-operator"]);
    operator.args(["--admin-listen", &free_address(), "--webhook-listen", &free_address()]);
    operator.arg("--namespaces-file").arg(cluster.plane.folder().join("namespaces_to_monitor.json"));
    let mut operator = operator.stderr(Stdio::null()).spawn().expect("the operator starts");
    cluster.apply(&support::lumigo_object("shop", "lumigo")).await;
    until("the workload is injected", || async {
        cluster.workload(Deployment, "shop", "cart").await["spec"]["template"] != before
    })
    .await;
    operator.kill().expect("it is ended");
    operator.wait().expect("it has ended");

    let arguments = hook(&cluster, "first", "epiphyte-uninstall").await;
    let mark = cluster.plane.audit().mark().expect("a mark");
    let output = program_as(&cluster, "epiphyte-uninstall")
        .args(arguments)
        .args(["--namespace", SYSTEM, "-o", "json"])
        .output()
        .expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {said}"));
    assert_eq!(report["outcome"], "uninstalled", "{report:#}\n{said}");
    assert_eq!(report["audit"]["notLookedAt"], json!([]), "{report:#}");
    assert!(output.status.success(), "{said}");
    assert_eq!(cluster.workload(Deployment, "shop", "cart").await["spec"]["template"], before);
    // What is in a namespace that Helm removes is of no interest, and so not to be listed.
    let entries = cluster.plane.audit().since(mark).expect("the audit log");
    let forbidden: Vec<_> = entries
        .iter()
        .filter(|entry| entry.user.username == account("epiphyte-uninstall") && entry.response_status.code == 403)
        .map(|entry| format!("{} {}", entry.verb, entry.request_uri))
        .collect();
    assert!(forbidden.iter().all(|it| it.contains("/namespaces/epiphyte-node/")), "{forbidden:#?}");

    // The hook has done its work; there is no node here for its Job.
    let rights = ["clusterrole,clusterrolebinding,role,rolebinding,serviceaccount", "epiphyte-uninstall"];
    cluster.kubectl(&[&["delete", "--ignore-not-found", "-n", SYSTEM], &rights[..]].concat());
    on(&cluster, &["uninstall", "first", "--namespace", SYSTEM, "--no-hooks"]).expect("Helm has removed it");
    until("nothing is left", || async { audit(&cluster).0 == Some(0) }).await;
    let (_, found) = audit(&cluster);
    assert!(leftovers(&found).is_empty(), "{found:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn monitored_namespaces_are_given_a_lumigo_and_its_token_and_nothing_of_others_is_changed() {
    let cluster = cluster().await;
    for namespace in ["shop", "web", "own"] {
        cluster.namespace(namespace, None).await;
    }
    // A node that runs nothing runs no hook either.
    let install = ["install", "first", &chart(), "--namespace", SYSTEM, "--no-hooks", "--values", &values(LUMIGO)];
    on(&cluster, &install).expect("it is installed");
    cluster.kubectl(&["wait", "--for=condition=Established", "crd", "--all", "--timeout=60s"]);
    cluster.apply(&support::lumigo_object("own", "mine")).await;
    let arguments = hook(&cluster, "first", "epiphyte-install").await;
    let start = |arguments: &[String], token: &str| {
        let mut command = program_as(&cluster, "epiphyte-install");
        command.args(arguments).args(["--namespace", SYSTEM]).env("LUMIGO_TOKEN", token);
        said(command)
    };
    start(&arguments, TOKEN).expect("it is done");
    let spec = async |namespace: &str| {
        let lumigo = cluster.get("operator.lumigo.io/v1", "lumigoes", namespace, "lumigo").await;
        lumigo.map(|it| (it["spec"]["tracing"]["enabled"].clone(), it["spec"]["logging"]["enabled"].clone()))
    };
    assert_eq!(
        (spec("shop").await, spec("web").await),
        (Some((json!(true), json!(true))), Some((json!(true), json!(true))))
    );

    // A person's change of what was not said stays; another token takes the place of the first, where it is ours.
    cluster.kubectl(&[
        "patch",
        "lumigo",
        "lumigo",
        "-n",
        "web",
        "--type=merge",
        "-p",
        r#"{"spec":{"logging":{"enabled":false}}}"#,
    ]);
    cluster.kubectl(&["delete", "secret", "-n", "shop", "lumigo-credentials"]);
    cluster.apply(&support::token_secret("shop", "t_aaaaaaaaaaaaaaaaaaaaa")).await;
    let other = "t_bbbbbbbbbbbbbbbbbbbbb";
    start(&arguments, other).expect("it is done again");
    assert_eq!(spec("web").await, Some((json!(true), json!(false))));
    let token = |namespace| {
        let encoded = [
            "get",
            "secret",
            "-n",
            namespace,
            "lumigo-credentials",
            "-o",
            "go-template={{.data.token | base64decode}}",
        ];
        cluster.kubectl(&encoded)
    };
    assert_eq!((token("shop").as_str(), token("web").as_str()), ("t_aaaaaaaaaaaaaaaaaaaaa", other));

    let all = ["operator".to_owned(), "--quickstart=all".to_owned()];
    let refused = start(&all, other).expect_err("namespaces that were named need not be listed");
    assert!(refused.contains("namespaces"), "{refused}");
    let upgrade = ["upgrade", "first", &chart(), "--namespace", SYSTEM, "--no-hooks", "--values", &values(LUMIGO)];
    on(&cluster, &[&upgrade[..], &["--set", "monitoredNamespaces=all"]].concat()).expect("it is upgraded");
    assert_eq!(hook(&cluster, "first", "epiphyte-install").await, all);
    let page = start(&all, other).expect("it is done for all");
    assert!(page.contains("own: has a Lumigo of its own"), "{page}");
    assert_eq!(spec("own").await, None);
    for namespace in [SYSTEM, NODE, "kube-system"] {
        assert_eq!(spec(namespace).await, None, "{namespace} is never instrumented");
    }
    assert!(start(&all, "hunter2").expect_err("it is no token").contains("there is no token"));
    let missing = ["operator".to_owned(), r#"--quickstart=[{"namespace":"nowhere"},{"namespace":"shop"}]"#.to_owned()];
    let refused = start(&missing, other).expect_err("one of them is not there");
    assert!(refused.contains("nowhere: ") && refused.contains("shop: has its Lumigo"), "{refused}");

    // The token goes with the Lumigo that it was for.
    cluster.kubectl(&["delete", "lumigo", "-n", "web", "lumigo"]);
    until("the token is gone", || async { cluster.get("v1", "secrets", "web", "lumigo-credentials").await.is_none() })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_updaters_rights_suffice_to_upgrade_everything_and_to_roll_back() {
    let cluster = cluster().await;
    let on_it = "updater.enabled=true,updater.chart=oci://registry.example/epiphyte";
    on(&cluster, &["install", "first", &chart(), "--namespace", SYSTEM, "--set", on_it]).expect("it is installed");
    let updater = cluster.plane.user(&account("epiphyte-updater"), &GROUPS).expect("a kubeconfig");
    let mark = cluster.plane.audit().mark().expect("a mark");
    let fixed = ["upgrade", "first", &chart(), "--namespace", SYSTEM, "--reset-then-reuse-values"];
    on_as(&updater, &[&fixed[..], &["--values", &values(ALL)]].concat()).expect("it is upgraded");
    // Objects go again: a rollback removes what the upgrade has brought.
    on_as(&updater, &["rollback", "first", "1", "--namespace", SYSTEM]).expect("it is rolled back");
    let entries = cluster.plane.audit().since(mark).expect("the audit log");
    let forbidden: Vec<_> = entries
        .iter()
        .filter(|entry| entry.user.username == account("epiphyte-updater") && entry.response_status.code == 403)
        .map(|entry| format!("{} {}", entry.verb, entry.request_uri))
        .collect();
    assert!(forbidden.is_empty(), "{forbidden:#?}");
    assert!(cluster.list("networking.k8s.io/v1", "networkpolicies", SYSTEM).await.is_empty());
}
