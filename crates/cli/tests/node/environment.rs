//! What users set themselves: it survives, however it comes to a container, and restarts change nothing.

use serde_json::{Value, json};

use crate::installed::{Installed, test};
use crate::support::until;
use crate::workloads::{container, deployment, with_command, with_env};

const PYTHON_WAITS: [&str; 3] = ["python3", "-c", "import time; time.sleep(10 ** 6)"];
const NODE_WAITS: [&str; 3] = ["node", "-e", "setInterval(() => {}, 1000)"];

/// Where the agents are in a container.
const AGENTS: &str = "/var/odigos";

/// Containers that get a variable by their image, by the manifest, and by a ConfigMap.
fn by_three_ways(image: &str, command: &[&str], by_hand: &[(&str, &str)]) -> [Value; 3] {
    let named = |name: &str| {
        let container = container(name, image);
        if command.is_empty() { container } else { with_command(container, command) }
    };
    let mut by_map = named("map");
    by_map["envFrom"] = json!([{ "configMapRef": { "name": image } }]);
    [named("image"), with_env(named("manifest"), by_hand), by_map]
}

/// What a program says in each container of a pod.
async fn says(installed: &Installed, namespace: &str, app: &str, program: &[&str]) -> Vec<String> {
    let mut said = Vec::new();
    for name in ["image", "manifest", "map"] {
        let pod = installed.pod(namespace, app).await;
        let mut exec = installed.cluster.plane.kubectl();
        exec.args(["exec", "-n", namespace, &pod, "-c", name, "--"]).args(program);
        let output = exec.output().expect("kubectl runs");
        let text = [output.stdout, output.stderr].concat();
        said.push(String::from_utf8(text).expect("text").lines().next().unwrap_or_default().to_owned());
    }
    said
}

#[test]
fn variables_of_users_survive_by_image_by_manifest_and_by_config_map() {
    test(async |installed| {
        let namespace = "environment";
        installed.cluster.namespace(namespace, None).await;
        let map = |name: &str, data: Value| json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": name }, "data": data });
        let attributes = "OTEL_RESOURCE_ATTRIBUTES";
        let python =
            by_three_ways("sample-python", &PYTHON_WAITS, &[("PYTHONPATH", "/mine"), (attributes, "a=manifest")]);
        let node = by_three_ways("sample-node", &NODE_WAITS, &[("NODE_OPTIONS", "--no-warnings")]);
        let java = by_three_ways("sample-java", &[], &[("JAVA_TOOL_OPTIONS", "-Dby=manifest")]);
        installed.apply(
            namespace,
            &[
                map("sample-python", json!({ "PYTHONPATH": "/mapped", attributes: "a=map" })),
                map("sample-node", json!({ "NODE_OPTIONS": "--no-deprecation" })),
                map("sample-java", json!({ "JAVA_TOOL_OPTIONS": "-Dby=map" })),
                deployment("python", &python),
                deployment("node", &node),
                deployment("java", &java),
            ],
        );
        installed.mark(namespace, &["python", "node", "java"]).await;

        let print = "import os; print(os.environ['PYTHONPATH'], os.environ['OTEL_RESOURCE_ATTRIBUTES'].split(',')[0])";
        let expected = ["/app market.team=green", "/mine a=manifest", "/mapped a=map"];
        let expected = expected.map(|users| format!("{AGENTS}/python:{users}"));
        assert_eq!(says(installed, namespace, "python", &["python3", "-c", print]).await, expected);

        let expected = ["--stack-trace-limit=30", "--no-warnings", "--no-deprecation"];
        let expected = expected.map(|users| format!("--require {AGENTS}/node/register.js {users}"));
        let print = ["node", "-e", "console.log(process.env.NODE_OPTIONS)"];
        assert_eq!(says(installed, namespace, "node", &print).await, expected);

        let expected = ["-Dmarket.stage=sample", "-Dby=manifest", "-Dby=map"];
        let expected =
            expected.map(|users| format!("Picked up JAVA_TOOL_OPTIONS: {users} -javaagent:{AGENTS}/java/agent.jar"));
        assert_eq!(says(installed, namespace, "java", &["java", "-version"]).await, expected);
    });
}

#[test]
fn ten_restarts_give_the_same_values() {
    test(async |installed| {
        let namespace = "restarts";
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
        until("ten restarts", || async {
            let pod = installed.cluster.get("v1", "pods", namespace, &pod).await.expect("the pod");
            let status = &pod["status"]["containerStatuses"][0];
            status["restartCount"] == 10 && status["state"].get("running").is_some()
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
