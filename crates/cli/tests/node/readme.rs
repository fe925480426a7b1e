//! The way through the README: from a cluster to the first trace, and back out.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use epiphyte_api::WorkloadKind::Deployment;
use epiphyte_testbed::otlp::Span;
use epiphyte_testbed::programs;
use serde_json::Value;

use crate::installed::{PATIENCE, lead_to_receiver, repository, test_bare};
use crate::support::{Cluster, TOKEN};

const EPIPHYTE: &str = env!("CARGO_BIN_EXE_epiphyte");

/// The services of the application.
const SERVICES: [&str; 4] = ["storefront", "recommendations", "prices", "stock"];

/// The shell blocks of the section about a cluster: the way in by Helm, from there to a trace, the way out by Helm; and in and
/// out without it.
fn ways() -> [String; 5] {
    let readme = std::fs::read_to_string(repository().join("README.md")).expect("the README");
    let (_, section) = readme.split_once("\n## In a cluster\n").expect("the section");
    let (section, _) = section.split_once("\n## ").expect("a section after it");
    let blocks = section.split("```sh\n").skip(1).filter_map(|rest| Some(rest.split_once("```")?.0.to_owned()));
    blocks.collect::<Vec<_>>().try_into().expect("ways in and out")
}

/// Runs commands as a person with the README before them does, in a checkout, with the programs on the path.
fn follow(cluster: &Cluster, commands: &str) -> String {
    let programs = tempfile::tempdir().expect("a folder");
    let (kubectl, helm) = (cluster.plane.kubectl(), programs::helm().expect("helm"));
    let all = [("kubectl", Path::new(kubectl.get_program())), ("helm", &helm), ("epiphyte", EPIPHYTE.as_ref())];
    for (name, program) in all {
        symlink(program, programs.path().join(name)).expect("a link");
    }
    let path = format!("{}:/usr/bin:/bin", programs.path().display());
    let mut shell = Command::new("bash");
    shell.args(["-euo", "pipefail", "-c", commands]).current_dir(repository()).env("PATH", path);
    let output = shell.env("KUBECONFIG", cluster.plane.kubeconfig()).env("HOME", programs.path()).output();
    let output = output.expect("bash runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{commands}\n{said}\n{complaints}");
    said
}

/// The specifications of the application's Deployments.
async fn templates(cluster: &Cluster) -> Vec<Value> {
    let mut templates = Vec::new();
    for name in SERVICES {
        templates.push(cluster.workload(Deployment, "market", name).await["spec"].clone());
    }
    templates
}

/// Goes a way in, to the first traces, and out again.
async fn lead(cluster: &Cluster, inwards: &str, onwards: &str, outwards: &str) {
    let receiver = cluster.plane.receiver().expect("a receiver");
    cluster.kubectl(&["apply", "-f", &repository().join("examples/services/services.yaml").display().to_string()]);
    let before = templates(cluster).await;
    follow(cluster, inwards);
    let status = follow(cluster, onwards);
    assert!(SERVICES.iter().all(|name| status.contains(name)), "{status}");
    // The README's reader has an upstream.
    lead_to_receiver(cluster);

    let authorization = format!("LumigoToken {TOKEN}");
    for service in ["storefront", "recommendations", "prices"] {
        let is_its = |span: &Span| span.service() == service && span.authorization == authorization;
        let seen = |spans: &[Span]| spans.iter().any(is_its).then_some(());
        receiver.wait(&format!("span of {service}"), PATIENCE, seen).expect("a span");
    }

    let page = follow(cluster, outwards);
    assert!(page.contains("nothing left"), "{page}");
    assert_eq!(templates(cluster).await, before);
}

#[test]
fn the_readme_leads_by_helm_to_the_first_trace_and_back_out() {
    test_bare(async |cluster| {
        let [inwards, onwards, outwards, ..] = ways();
        lead(cluster, &inwards, &onwards, &outwards).await;
    });
}

#[test]
fn the_readme_leads_by_the_manifests_to_the_first_trace_and_back_out() {
    test_bare(async |cluster| {
        let [_, onwards, _, inwards, outwards] = ways();
        lead(cluster, &inwards, &onwards, &outwards).await;
    });
}
