//! What the telemetry proxy makes of telemetry on its way: who it is from, by what Kubernetes knows, under whose token.

use epiphyte_api::WorkloadKind;
use epiphyte_testbed::otlp::{Item, Request, Signal, Span};

use crate::installed::{Installed, NODE, test};
use crate::support::{annotated, lumigo_object, token_secret};
use crate::workloads::{container, of_kind, service, with_command};

/// Calls nobody once a second, for as long as it takes Kubernetes to tell where the pod is.
const CALLS: &str = "
const call = () => require('http').get('http://127.0.0.1:9/').on('error', () => {});
setInterval(call, 1000);
setTimeout(() => process.exit(0), 60000);
";

/// A span that came of a container of an application, once the proxy knows its owner.
fn enriched(installed: &Installed, namespace: &str, app: &str, owner: &str) -> Span {
    let is = |span: &Span, key: &str, value: &str| span.resource.get(key).is_some_and(|it| it == value);
    let uid = owner.replace(".name", ".uid");
    installed.spans(&format!("span of {namespace}/{app} with {uid}"), |spans| {
        let mut of = spans.iter().filter(|span| is(span, "k8s.namespace.name", namespace) && is(span, owner, app));
        of.find(|span| span.resource.contains_key(&uid)).cloned()
    })
}

/// The uid of an object.
async fn uid(installed: &Installed, api_version: &str, plural: &str, namespace: &str, name: &str) -> String {
    let object = installed.cluster.get(api_version, plural, namespace, name).await;
    let uid = object.as_ref().and_then(|object| object["metadata"]["uid"].as_str());
    uid.expect("a uid").to_owned()
}

/// That a span says where it is from, as Kubernetes knows it; `owners` are those above the pod, by kind and name.
async fn says_where_it_is_from(installed: &Installed, namespace: &str, span: &Span, owners: &[(&str, &str, &str)]) {
    let attribute = |key: &str| span.resource.get(key).map_or("", String::as_str);
    let mut expected = vec![
        ("k8s.namespace.name".to_owned(), namespace.to_owned()),
        ("k8s.node.name".to_owned(), NODE.to_owned()),
        ("k8s.container.name".to_owned(), "app".to_owned()),
        ("k8s.cluster.name".to_owned(), "testbed".to_owned()),
        ("k8s.cluster.uid".to_owned(), uid(installed, "v1", "namespaces", "", "kube-system").await),
        ("k8s.pod.uid".to_owned(), uid(installed, "v1", "pods", namespace, attribute("k8s.pod.name")).await),
    ];
    for (kind, api_version, name) in owners {
        let uid = uid(installed, api_version, &format!("{kind}s"), namespace, name).await;
        expected.extend([(format!("k8s.{kind}.name"), (*name).to_owned()), (format!("k8s.{kind}.uid"), uid)]);
    }
    for (key, value) in expected {
        assert_eq!(attribute(&key), value, "{key} of {span:?}");
    }
}

/// The Events that came under a token: their namespaces and names.
fn events(requests: &[Request], authorization: &str) -> Vec<(String, String)> {
    let under = requests.iter().filter(|it| it.signal == Signal::Logs && it.authorization == authorization);
    let event = |item: &Item| {
        let name = item.attributes.get("event.name")?.clone();
        Some((item.resource.get("k8s.namespace.name").cloned().unwrap_or_default(), name))
    };
    under.flat_map(|request| request.items.iter().filter_map(event)).collect()
}

#[test]
fn spans_say_where_they_are_from_and_events_come_beside_them_under_the_token_of_their_namespace() {
    test("proxied", async |installed, namespace| {
        let token = "t_fedcba9876543210fedcb";
        let cluster = &installed.cluster;
        cluster.namespace(namespace, None).await;
        cluster.apply(&token_secret(namespace, token)).await;
        cluster.apply(&lumigo_object(namespace, "lumigo")).await;
        let by_device = |name: &str, image: &str| annotated(service(name, image), "true");
        let call = with_command(container("app", "sample-node"), &["node", "-e", CALLS]);
        installed.apply(
            namespace,
            &[
                service("injected", "sample-python"),
                by_device("java", "sample-java"),
                by_device("go", "sample-go"),
                of_kind(WorkloadKind::CronJob, "nightly", &[call]),
            ],
        );
        cluster.kubectl(&["create", "job", "-n", namespace, "nightly-29000000", "--from=cronjob/nightly"]);

        let authorization = format!("LumigoToken {token}");
        for name in ["injected", "java", "go"] {
            let span = enriched(installed, namespace, name, "k8s.deployment.name");
            let set = span.resource.get("k8s.replicaset.name").map_or("", String::as_str);
            let owners = [("deployment", "apps/v1", name), ("replicaset", "apps/v1", set)];
            says_where_it_is_from(installed, namespace, &span, &owners).await;
            assert_eq!(span.service(), name, "{span:?}");
            assert_eq!(span.authorization, authorization, "{span:?}");
        }
        let span = enriched(installed, namespace, "nightly", "k8s.cronjob.name");
        let owners = [("cronjob", "batch/v1", "nightly"), ("job", "batch/v1", "nightly-29000000")];
        says_where_it_is_from(installed, namespace, &span, &owners).await;
        assert_eq!(span.authorization, authorization, "{span:?}");

        installed.requests("an Event of each workload", |requests| {
            let came = events(requests, &authorization);
            let has_of = |name| came.iter().any(|(_, event)| event.starts_with(name));
            ["injected", "java", "go", "nightly"].into_iter().all(has_of).then_some(())
        });
        let strangers = installed.requests("all Events", |requests| {
            let came = events(requests, &authorization);
            Some(came.into_iter().filter(|(of, _)| of != namespace).collect::<Vec<_>>())
        });
        assert_eq!(strangers, [], "Events of another namespace under this one's token");
    });
}

#[test]
fn telemetry_without_a_token_goes_by_its_own_listener_and_says_as_much() {
    test("tokenless", async |installed, namespace| {
        installed.cluster.namespace(namespace, None).await;
        installed.apply(namespace, &[service("python", "sample-python"), service("go", "sample-go")]);
        installed.mark(namespace, &["python", "go"]).await;
        for name in ["python", "go"] {
            let span = enriched(installed, namespace, name, "k8s.deployment.name");
            says_where_it_is_from(installed, namespace, &span, &[("deployment", "apps/v1", name)]).await;
            assert_eq!((span.service(), &*span.authorization), (name, ""), "{span:?}");
        }
    });
}
