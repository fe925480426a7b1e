//! What users set themselves: it survives, however it comes to a container, and restarts change nothing.

use std::time::Duration;

use serde_json::{Value, json};

use crate::installed::{Installed, test};
use crate::support::eventually_within;
use crate::workloads::{container, deployment, with_command, with_env};

const PYTHON_WAITS: [&str; 3] = ["python3", "-c", "import time; time.sleep(10 ** 6)"];
const NODE_WAITS: [&str; 3] = ["node", "-e", "setInterval(() => {}, 1000)"];

/// Where the agents are in a container.
const AGENTS: &str = "/var/odigos";

/// How a variable comes to a container.
const WAYS: [&str; 3] = ["image", "manifest", "map"];

/// Deployments that get variables by their image, by the manifest, and by a ConfigMap that has the image's name.
fn by_three_ways(image: &str, command: &[&str], by_hand: &[(&str, &str)]) -> [Value; 3] {
    WAYS.map(|way| {
        let mut container = container("app", image);
        if !command.is_empty() {
            container = with_command(container, command);
        }
        match way {
            "manifest" => container = with_env(container, by_hand),
            "map" => container["envFrom"] = json!([{ "configMapRef": { "name": image } }]),
            _ => {}
        }
        deployment(&format!("{image}-{way}"), &[container])
    })
}

/// The first line that a program says in each of these.
async fn says(installed: &Installed, namespace: &str, image: &str, program: &[&str]) -> Vec<String> {
    let mut said = Vec::new();
    for way in WAYS {
        let text = installed.exec(namespace, &format!("{image}-{way}"), program).await;
        said.push(text.lines().next().unwrap_or_default().to_owned());
    }
    said
}

#[test]
fn variables_of_users_survive_by_image_by_manifest_and_by_config_map() {
    test("environment", async |installed, namespace| {
        installed.cluster.namespace(namespace, None).await;
        let map = |name: &str, data: Value| json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": name }, "data": data });
        let attributes = "OTEL_RESOURCE_ATTRIBUTES";
        let python =
            by_three_ways("sample-python", &PYTHON_WAITS, &[("PYTHONPATH", "/mine"), (attributes, "a=manifest")]);
        let node = by_three_ways("sample-node", &NODE_WAITS, &[("NODE_OPTIONS", "--no-warnings")]);
        let java = by_three_ways("sample-java", &[], &[("JAVA_TOOL_OPTIONS", "-Dby=manifest")]);
        let maps = [
            map("sample-python", json!({ "PYTHONPATH": "/mapped", attributes: "a=map" })),
            map("sample-node", json!({ "NODE_OPTIONS": "--no-deprecation" })),
            map("sample-java", json!({ "JAVA_TOOL_OPTIONS": "-Dby=map" })),
        ];
        let workloads = [python, node, java].concat();
        let names: Vec<_> = workloads.iter().map(|it| it["metadata"]["name"].as_str().expect("a name")).collect();
        installed.apply(namespace, &maps);
        installed.apply(namespace, &workloads);
        installed.mark(namespace, &names).await;

        let print = "import os; print(os.environ['PYTHONPATH'], os.environ['OTEL_RESOURCE_ATTRIBUTES'].split(',')[0])";
        let expected = ["/app market.team=green", "/mine a=manifest", "/mapped a=map"];
        let expected = expected.map(|users| format!("{AGENTS}/python:{users}"));
        assert_eq!(says(installed, namespace, "sample-python", &["python3", "-c", print]).await, expected);

        let expected = ["--stack-trace-limit=30", "--no-warnings", "--no-deprecation"];
        let expected = expected.map(|users| format!("--require {AGENTS}/node/register.js {users}"));
        let print = ["node", "-e", "console.log(process.env.NODE_OPTIONS)"];
        assert_eq!(says(installed, namespace, "sample-node", &print).await, expected);

        let expected = ["-Dmarket.stage=sample", "-Dby=manifest", "-Dby=map"];
        let expected =
            expected.map(|users| format!("Picked up JAVA_TOOL_OPTIONS: {users} -javaagent:{AGENTS}/java/agent.jar"));
        assert_eq!(says(installed, namespace, "sample-java", &["java", "-version"]).await, expected);
    });
}

#[test]
fn ten_restarts_give_the_same_values() {
    test("restarts", async |installed, namespace| {
        installed.cluster.namespace(namespace, None).await;
        // Notes its environment at each start; ends itself ten times, once it is instrumented.
        let notes = "
import os, time
ours = {k: v for k, v in sorted(os.environ.items()) if k.startswith(('OTEL', 'PYTHON', 'EPIPHYTE', 'LD_'))}
if 'LD_PRELOAD' in ours:
    with open('/notes/starts', 'a+') as notes:
        notes.write(repr(ours) + '\\n')
        notes.seek(0)
        if len(notes.readlines()) <= 10:
            raise SystemExit
time.sleep(10 ** 6)
";
        let mut main = with_command(container("app", "sample-python"), &["python3", "-c", notes]);
        main["volumeMounts"] = json!([{ "name": "notes", "mountPath": "/notes" }]);
        let mut workload = deployment("restarting", &[main]);
        let volumes = json!([{ "name": "notes", "emptyDir": {} }]);
        workload["spec"]["template"]["spec"]["volumes"] = volumes;
        installed.apply(namespace, &[workload]);
        installed.mark(namespace, &["restarting"]).await;
        let pod = installed.pod(namespace, "restarting").await;
        eventually_within(Duration::from_secs(300), "ten restarts", || async {
            let pod = installed.cluster.get("v1", "pods", namespace, &pod).await.expect("the pod");
            let status = &pod["status"]["containerStatuses"][0];
            (status["restartCount"] == 10 && status["state"].get("running").is_some()).then_some(())
        })
        .await;
        let read = "print(open('/notes/starts').read(), end='')";
        let notes = installed.exec(namespace, "restarting", &["python3", "-c", read]).await;
        let starts: Vec<&str> = notes.lines().collect();
        assert_eq!(starts.len(), 11, "{notes}");
        assert!(starts.iter().all(|start| *start == starts[0]), "{notes}");
        assert!(starts[0].contains("service.name") || starts[0].contains("OTEL_SERVICE_NAME"), "{notes}");
    });
}
