//! Four services in four languages on a node that runs pods: marked, traced, and left as they were.

mod seen;
mod trace;
mod upstream;
mod view;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context as _, Result, ensure};
use clap::ValueEnum as _;
use console::style;
use epiphyte_testbed::ControlPlane;
use epiphyte_testbed::otlp::Receiver;
use serde_json::Value;
use tokio::runtime::Runtime;

use self::seen::{SERVICES, Service, look, templates};
use self::view::View;
use super::Ending;
use super::cluster::{Cluster, comes_true, filename, step};
use crate::images::{self, Image};
use crate::program;
use crate::program::Profile;
use crate::step::{headline, say};

/// Where the services are.
const NAMESPACE: &str = "market";

/// What its token is sent as; the token is in the file `tenant.yaml` of the example.
const TENANT: &str = "LumigoToken t_0123456789abcdef01234";

/// How long telemetry may take to come.
const PATIENCE: Duration = Duration::from_secs(240);

/// Tells the story.
pub fn run(ending: Ending) -> Result<()> {
    headline("Building");
    program::kubernetes()?;
    let images = images::build(Image::value_variants(), Profile::Quick)?;

    let runtime = Runtime::new().context("cannot start the runtime")?;
    headline(
        "A cluster with a node that runs pods, in namespaces of its own: nothing leaves it, and nothing is left of it",
    );
    let plane = step("control plane and node are ready", || {
        Ok(runtime.block_on(ControlPlane::builder().with_node("node-a").start())?)
    })?;
    let receiver = plane.receiver()?;
    let story = Story { cluster: Cluster { plane }, receiver };
    story.install(&runtime, &images)?;
    let before = story.deploy()?;
    let marked = story.mark()?;
    story.watch(marked, ending, &runtime)?;
    story.unmark(&before)?;
    say(format!("\n{} All came about as expected.", style("Done.").green().bold()));
    Ok(())
}

struct Story {
    cluster: Cluster,
    receiver: Receiver,
}

impl Story {
    /// Everything of ours, from images and manifests.
    fn install(&self, runtime: &Runtime, images: &Path) -> Result<()> {
        for image in Image::value_variants() {
            step(&format!("{} is on the node", image.reference()), || {
                Ok(runtime.block_on(self.cluster.plane.load_image(&images.join(format!("{image}.tar"))))?)
            })?;
        }
        step("operator, telemetry proxy and node agent run, and what the proxy takes goes to a receiver", || {
            self.cluster.apply("deploy/crds.yaml")?;
            let established = ["wait", "--for=condition=Established", "--timeout=60s", &filename("deploy/crds.yaml")];
            self.cluster.kubectl(&established)?;
            self.cluster.apply_with("deploy/epiphyte.yaml", "examples/services/receiver.yaml")?;
            self.rolled_out("epiphyte-system", "deployment/epiphyte-operator")?;
            self.rolled_out("epiphyte-node", "daemonset/epiphyte-node-agent")
        })?;
        comes_true("the telemetry proxy is said to be ready", || {
            let groups = self.cluster.list("collectorsgroups")?;
            let is_ready = |group: &Value| group.pointer("/status/ready") == Some(&Value::Bool(true));
            Ok(groups.iter().any(is_ready).then_some(()).ok_or_else(|| "not yet".to_owned()))
        })
    }

    /// The services as anybody has them. Gives their templates.
    fn deploy(&self) -> Result<BTreeMap<String, Value>> {
        headline("Four services that call each other, and know nothing of tracing");
        step("storefront (Java), recommendations (Python), prices (Node.js) and stock (Go) run", || {
            self.cluster.apply("examples/services/services.yaml")?;
            SERVICES.iter().try_for_each(|name| self.rolled_out(NAMESPACE, &format!("deployment/{name}")))
        })?;
        step("their namespace has a token, under which its telemetry and its Kubernetes Events go", || {
            self.cluster.kubectl(&["apply", "-n", NAMESPACE, &filename("examples/services/tenant.yaml")])?;
            let active = ["wait", "-n", NAMESPACE, "--for=condition=Active", "lumigo/lumigo", "--timeout=60s"];
            self.cluster.kubectl(&active).map(drop)
        })?;
        templates(&self.cluster)
    }

    /// Marks the namespace. Gives when.
    fn mark(&self) -> Result<SystemTime> {
        say(format!(
            "\n  {} kubectl annotate namespace {NAMESPACE} {}",
            style("$").dim(),
            style("odigos.io/instrument=true").bold()
        ));
        let now = SystemTime::now();
        self.cluster.kubectl(&["annotate", "namespace", NAMESPACE, "odigos.io/instrument=true"])?;
        Ok(now)
    }

    /// Shows what becomes of it: until all is as it should be, or until Ctrl-C.
    fn watch(&self, marked: SystemTime, ending: Ending, runtime: &Runtime) -> Result<()> {
        headline("From the annotation on: what runs is found out, each service is rolled out once, spans come");
        let mut view = View::new();
        let started = Instant::now();
        let (services, trace, arrived) = loop {
            let spans = self.receiver.spans();
            let services = look(&self.cluster, &spans, marked)?;
            view.show(&services);
            let trace = trace::complete(&spans);
            let arrived = upstream::under_token(&spans, &self.receiver.requests());
            if let (true, Some(trace), Some(arrived)) = (services.iter().all(Service::is_done), trace, &arrived) {
                break (services, trace, arrived.clone());
            }
            ensure!(
                started.elapsed() < PATIENCE,
                "after {PATIENCE:?} not every service is instrumented and traced under its namespace's token"
            );
            std::thread::sleep(Duration::from_secs(1));
        };
        for service in &services {
            ensure!(service.rollouts == 1, "{} was rolled out {} times, not once", service.name, service.rollouts);
        }
        view.end();
        headline("One visit, from Java through Python to Node.js, and what Go did meanwhile");
        trace.iter().for_each(say);
        headline(
            "Under the namespace's token: what the telemetry proxy added to a span, and a Kubernetes Event beside it",
        );
        arrived.iter().for_each(say);
        if ending == Ending::OnRequest {
            self.stay(marked, runtime)?;
        }
        Ok(())
    }

    /// Shows the services until Ctrl-C.
    fn stay(&self, marked: SystemTime, runtime: &Runtime) -> Result<()> {
        headline("Until Ctrl-C the cluster is yours. In another terminal:");
        let kubectl = self.cluster.plane.kubectl();
        say(format!(
            "\n  export KUBECONFIG={}\n  {} get pods --all-namespaces\n",
            self.cluster.plane.kubeconfig().display(),
            kubectl.get_program().display()
        ));
        let pressed = runtime.spawn(tokio::signal::ctrl_c());
        let mut view = View::new();
        while !pressed.is_finished() {
            // Whatever a person does to the cluster meanwhile is no reason to take it away.
            if let Ok(services) = look(&self.cluster, &self.receiver.spans(), marked) {
                view.show(&services);
            }
            std::thread::sleep(Duration::from_secs(1));
        }
        view.end();
        Ok(())
    }

    /// Takes the mark away and compares.
    fn unmark(&self, before: &BTreeMap<String, Value>) -> Result<()> {
        headline("The mark goes, and so does everything that it brought");
        say(format!("\n  {} kubectl annotate namespace {NAMESPACE} odigos.io/instrument-", style("$").dim()));
        self.cluster.kubectl(&["annotate", "namespace", NAMESPACE, "odigos.io/instrument-"])?;
        comes_true("every template equals the one before", || {
            let now = templates(&self.cluster)?;
            let differs = before.iter().find(|(name, template)| now.get(*name) != Some(template));
            Ok(differs.map_or(Ok(()), |(name, _)| Err(format!("{name} differs"))))
        })?;
        step("every service runs as before", || {
            SERVICES.iter().try_for_each(|name| self.rolled_out(NAMESPACE, &format!("deployment/{name}")))
        })?;
        for (name, template) in before {
            let bytes = template.to_string().len();
            say(format!("  {}  {name:<16} {bytes} bytes of template, equal", style("=").green()));
        }
        Ok(())
    }

    fn rolled_out(&self, namespace: &str, what: &str) -> Result<()> {
        self.cluster.kubectl(&["rollout", "status", "--namespace", namespace, what, "--timeout=180s"]).map(drop)
    }
}
