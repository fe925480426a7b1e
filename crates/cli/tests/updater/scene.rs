//! What the tests share, and a release with its repository for each of them.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use epiphyte_testbed::programs;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::charts::{CHART, Chart};
use super::served::Server;
use super::support::Cluster;

/// The release of every test, and the user that its updater is for the API server.
pub const RELEASE: &str = "garden";
pub const UPDATER: &str = "test-updater";

/// The CronJob that outcomes are told on.
pub const CRON_JOB: &str = "epiphyte-updater";

/// The scene of all tests.
pub static SCENE: LazyLock<Scene> = LazyLock::new(Scene::start);

pub struct Scene {
    /// Connections of the client belong to it.
    runtime: Runtime,
    pub cluster: Cluster,
    pub server: Server,
    helm: PathBuf,
    user: PathBuf,
}

impl Scene {
    fn start() -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let cluster = runtime.block_on(Cluster::without_definitions());
        let user = cluster.plane.user(UPDATER, &["system:masters"]).expect("a user");
        Self { runtime, cluster, server: Server::start(), helm: programs::helm().expect("helm"), user }
    }

    pub fn block_on<T>(&self, ask: impl AsyncFnOnce(&Cluster) -> T) -> T {
        self.runtime.block_on(ask(&self.cluster))
    }

    /// Runs Helm as a person does, and gives what it printed.
    pub fn helm(&self, arguments: &[&str]) -> String {
        let output = self.helm_command(arguments).output().expect("helm runs");
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "helm {arguments:?}: {err}");
        out.into_owned()
    }

    pub fn helm_command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.helm);
        let folder = self.cluster.plane.folder();
        command.args(arguments).env("KUBECONFIG", self.cluster.plane.kubeconfig()).env("HOME", folder);
        command.stdin(Stdio::null());
        command
    }
}

/// A namespace of a test's own with a release of version 0.1.0 in it, and a repository.
pub struct Garden {
    pub namespace: &'static str,
    /// The archives of the repository.
    folder: TempDir,
}

/// What an updater said and how it ended.
pub struct Said {
    pub status: i32,
    pub text: String,
    pub log: String,
}

impl Said {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {:?}\n{}", self.text, self.log))
    }

    /// The outcome, checked against the exit status.
    pub fn outcome(&self) -> String {
        let outcome = self.json()["outcome"].as_str().expect("an outcome").to_owned();
        let known =
            epiphyte_updater::Outcome::ALL.iter().find(|known| known.code() == outcome).expect("a known outcome");
        assert_eq!(self.status, i32::from(known.exit_status()), "{}", self.text);
        outcome
    }

    pub fn why(&self) -> String {
        self.json()["why"].as_str().expect("a reason").to_owned()
    }

    #[track_caller]
    pub fn is(&self, outcome: &str) {
        assert_eq!(self.outcome(), outcome, "{}\n{}", self.text, self.log);
    }
}

impl Garden {
    pub fn new(namespace: &'static str) -> Self {
        Self::with(namespace, &[])
    }

    /// One whose release has values set.
    pub fn with(namespace: &'static str, set: &[&str]) -> Self {
        SCENE.block_on(async |cluster| {
            cluster.namespace(namespace, None).await;
            cluster
                .apply(&json!({
                    "apiVersion": "batch/v1", "kind": "CronJob", "metadata": { "name": CRON_JOB, "namespace": namespace },
                    "spec": {
                        "schedule": "0 3 * * *", "suspend": true,
                        "jobTemplate": { "spec": { "template": { "spec": {
                            "restartPolicy": "Never", "containers": [{ "name": "updater", "image": "example.com/none" }],
                        } } } },
                    },
                }))
                .await;
        });
        let garden = Self { namespace, folder: tempfile::tempdir().expect("a folder") };
        let first = Chart::new("0.1.0").package(&SCENE, garden.folder.path());
        garden.helm(&[&["install", RELEASE, &first.display().to_string()], set].concat());
        garden.offer(&[]);
        garden
    }

    /// Has versions on offer from now on, besides those that were.
    pub fn offer(&self, charts: &[Chart]) {
        for chart in charts {
            chart.package(&SCENE, self.folder.path());
        }
        let folder = self.folder.path();
        SCENE.helm(&["repo", "index", &folder.display().to_string()]);
        for entry in folder.read_dir().expect("a folder").flatten() {
            let name = entry.file_name().into_string().expect("a name");
            SCENE.server.put(&self.path(&name), std::fs::read(entry.path()).expect("a file"));
        }
    }

    /// Where a file of the repository is on the server.
    pub fn path(&self, file: &str) -> String {
        format!("{}/{file}", self.namespace)
    }

    /// A file of the repository.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs Helm in the namespace.
    pub fn helm(&self, arguments: &[&str]) -> String {
        SCENE.helm(&[arguments, &["--namespace", self.namespace]].concat())
    }

    /// Runs the updater on the repository.
    pub fn update(&self, arguments: &[&str]) -> Said {
        said(self.command(arguments))
    }

    /// The command of an updater with the repository.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let url = SCENE.server.url(self.namespace);
        self.command_with(&[&["--chart", CHART, "--repository", &url], arguments].concat())
    }

    /// The command of an updater with whatever chart.
    pub fn command_with(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_epiphyte"));
        command.args(["updater", "--namespace", self.namespace]).args(arguments);
        let helm = SCENE.helm.display().to_string();
        for (flag, value) in [("--release", RELEASE), ("--output", "json"), ("--helm", &helm)] {
            if !arguments.contains(&flag) {
                command.args([flag, value]);
            }
        }
        command.env("KUBECONFIG", &SCENE.user).env("HOME", SCENE.cluster.plane.folder());
        command.env_remove("OTEL_EXPORTER_OTLP_ENDPOINT").stdin(Stdio::null());
        command
    }

    /// The revisions of the release: status and chart.
    pub fn history(&self) -> Vec<(String, String)> {
        let history: Vec<Value> =
            serde_json::from_str(&self.helm(&["history", RELEASE, "-o", "json"])).expect("a history");
        let text = |revision: &Value, key: &str| revision[key].as_str().expect("a text").to_owned();
        history.iter().map(|it| (text(it, "status"), text(it, "chart"))).collect()
    }

    /// What the ConfigMap of the release says.
    pub fn config(&self, key: &str) -> Option<String> {
        SCENE.block_on(async |cluster| {
            let config = cluster.get("v1", "configmaps", self.namespace, &format!("{RELEASE}-config")).await?;
            Some(config["data"][key].as_str()?.to_owned())
        })
    }

    /// The Events on the CronJob: reason and message, in no order.
    pub fn events(&self) -> Vec<(String, String)> {
        let events = SCENE.block_on(async |cluster| cluster.list("v1", "events", self.namespace).await);
        let of_updater = events.iter().filter(|event| event["source"]["component"] == "epiphyte-updater");
        let text = |event: &Value, key: &str| event[key].as_str().expect("a text").to_owned();
        of_updater
            .inspect(|event| assert_eq!(event["involvedObject"]["name"], CRON_JOB))
            .map(|event| (text(event, "reason"), text(event, "message")))
            .collect()
    }

    /// What is noted on the CronJob.
    pub fn note(&self) -> Option<Value> {
        let cron_job =
            SCENE.block_on(async |cluster| cluster.get("batch/v1", "cronjobs", self.namespace, CRON_JOB).await);
        let cron_job = cron_job.expect("the CronJob");
        let note = cron_job["metadata"]["annotations"]["epiphyte.dev/updater-outcome"].as_str()?.to_owned();
        Some(serde_json::from_str(&note).expect("JSON"))
    }
}

/// What an updater says, once it has ended.
pub fn said(mut command: Command) -> Said {
    let output = command.output().expect("the updater runs");
    Said {
        status: output.status.code().expect("an exit status"),
        text: String::from_utf8(output.stdout).expect("UTF-8"),
        log: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}
