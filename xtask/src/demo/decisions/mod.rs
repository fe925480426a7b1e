//! What the operator decides and why, on a real control plane with nodes that are only objects.

mod expected;
mod node_agent;
mod observe;
mod operator;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use console::style;
use epiphyte_api::{Device, Reason};
use epiphyte_testbed::{ControlPlane, FakeNode, Guest};
use tokio::runtime::Runtime;

use self::expected::{EXPECTED, generation};
use self::observe::{Seen, look, show};
use super::Ending;
use super::cluster::{Cluster, comes_true, filename, step};
use crate::program::{self, Profile};
use crate::step::{headline, say};

/// Tells the story. Fails at the first thing that is not as it should be.
pub fn run(ending: Ending) -> Result<()> {
    headline("Building");
    program::kubernetes()?;
    let program = program::build(&["epiphyte"], Profile::Quick)?.join("epiphyte");

    let runtime = Runtime::new().context("cannot start the runtime")?;
    headline("A cluster: a control plane, two nodes that offer every device, and the operator beside it");
    let plane = step("the control plane is ready", || Ok(runtime.block_on(ControlPlane::start())?))?;
    let cluster = Cluster { plane };
    let story = Story { cluster: &cluster, program: &program };
    let operator = story.set_up(&runtime)?;
    if let Err(error) = story.tell() {
        say(format!("\nThe operator's log ends with:\n{}", tail(&operator)));
        return Err(error);
    }

    say(format!("\n{} All came about as expected.", style("Done.").green().bold()));
    match ending {
        Ending::Once => Ok(()),
        Ending::OnRequest => {
            hint(&cluster, &program, &operator);
            runtime.block_on(stay(&cluster))
        }
    }
}

struct Story<'a> {
    cluster: &'a Cluster,
    program: &'a Path,
}

impl<'a> Story<'a> {
    fn set_up(&self, runtime: &Runtime) -> Result<Guest<'a>> {
        let cluster = self.cluster;
        step("the resources are defined", || {
            cluster.apply("deploy/crds.yaml")?;
            cluster.kubectl(&["wait", "--for=condition=Established", "--timeout=60s", &filename("deploy/crds.yaml")])
        })?;
        step("two nodes offer devices", || {
            for name in ["node-a", "node-b"] {
                let node = Device::ALL.iter().fold(FakeNode::new(name), |node, it| node.offers(it.resource(), "100"));
                runtime.block_on(cluster.plane.create_node(&node))?;
            }
            Ok(())
        })?;
        step("there are namespaces", || cluster.apply("examples/10-namespaces.yaml"))?;
        operator::start(runtime, &cluster.plane, self.program)
    }

    fn tell(&self) -> Result<()> {
        let bare = self.marked()?;
        self.detected()?;
        self.injected()?;
        self.collectors_ready()?;
        self.reasons()?;
        self.unmarked(&bare)?;
        self.replaced()
    }

    /// The first condition. Returns the specifications as they are without us.
    fn marked(&self) -> Result<BTreeMap<String, serde_json::Value>> {
        headline("1. Workloads in a namespace that is marked: the operator asks what runs in them, and waits");
        step("workloads are applied", || {
            let files = ["examples/20-shop.yaml", "examples/21-warehouse.yaml", "examples/22-legacy.yaml"];
            files.iter().try_for_each(|file| self.cluster.apply(file))
        })?;
        let seen = comes_true("the operator asks about the marked ones, and about no others", || {
            let seen = look(self.cluster)?;
            Ok(each(|it| {
                let pending = it.find(&seen)?.details.as_ref().map(|details| details.pending);
                let detected = it.find(&seen)?.details.as_ref().map(|details| details.detected().1);
                let wanted = it.is_asked_about();
                (pending == wanted.then_some(true) && detected == wanted.then_some(Reason::WaitingForDetection.code()))
                    .then_some(())
                    .ok_or_else(|| format!("{} {}: asked about: {pending:?}", it.namespace, it.name))
            })
            .map(|()| seen))
        })?;
        self.holds("no template is touched: every one is at generation 1", &seen, |it| {
            it.is_bare().then_some(()).ok_or_else(|| format!("{} is instrumented", it.id()))?;
            generation(it, 1)
        })?;
        show(&seen, "shop");
        Ok(seen.into_iter().map(|it| (it.id(), it.spec)).collect())
    }

    /// The second condition.
    fn detected(&self) -> Result<()> {
        headline("2. A node agent answers (played with kubectl): still nothing, since no collectors are ready");
        step("answers are written", || node_agent::answer(self.cluster))?;
        let seen = comes_true("the operator has heard every answer", || {
            node_agent::answer(self.cluster)?;
            let seen = look(self.cluster)?;
            Ok(each(|it| {
                let Some(details) = &it.find(&seen)?.details else { return Ok(()) };
                let (status, reason) = details.detected();
                let wanted = if it.gets_device() { "True" } else { status };
                let heard = it.name == "archive" || (!details.pending && reason != Reason::WaitingForDetection.code());
                (heard && status == wanted).then_some(()).ok_or_else(|| format!("{}: {status} {reason}", it.name))
            })
            .map(|()| seen))
        })?;
        self.holds("no template is touched", &seen, |it| generation(it, 1))?;
        show(&seen, "shop");
        Ok(())
    }

    /// The other delivery, which waits for neither details nor collectors.
    fn injected(&self) -> Result<()> {
        headline("3. A Lumigo in another namespace: its workloads are injected, which waits for none of that");
        step("the Lumigo is applied", || self.cluster.apply("examples/40-lumigo.yaml"))?;
        step("its token is there, so that it is active", || {
            self.cluster.kubectl(&[
                "wait",
                "--for=condition=Active",
                "--timeout=60s",
                "--namespace=legacy",
                "lumigo/lumigo",
            ])
        })?;
        let seen = comes_true("every container is injected, by one change of its template", || {
            let seen = look(self.cluster)?;
            let mut injected = EXPECTED.iter().filter(|it| it.is_injected());
            Ok(injected.try_for_each(|it| it.is_met(&seen, 1)).map(|()| seen))
        })?;
        self.holds("no other template is touched", &seen, |it| {
            let expected = EXPECTED.iter().find(|expected| expected.name == it.name);
            if expected.is_some_and(|expected| expected.is_injected()) { Ok(()) } else { generation(it, 1) }
        })?;
        show(&seen, "legacy");
        Ok(())
    }

    /// The third condition.
    fn collectors_ready(&self) -> Result<()> {
        headline("4. The collectors become ready: now all three conditions hold");
        let before = self.cluster.plane.audit().mark()?;
        step("the collectors are ready", || {
            self.cluster.apply("examples/50-collectors.yaml")?;
            self.cluster.apply_status("examples/50-collectors.yaml")
        })?;
        let seen = comes_true("devices where an agent serves the language, the reason everywhere else", || {
            let seen = look(self.cluster)?;
            Ok(each(|it| it.is_met(&seen, i64::from(it.gets_device() || it.is_injected()))).map(|()| seen))
        })?;
        let instrumented = EXPECTED.iter().filter(|it| it.gets_device()).count();
        step("one write to each", || self.operator_wrote(before, instrumented))?;
        show(&seen, "shop");
        show(&seen, "warehouse");
        Ok(())
    }

    /// Whether the operator wrote this often to workloads, by the API server's own account.
    fn operator_wrote(&self, since: epiphyte_testbed::Mark, expected: usize) -> Result<()> {
        let writes = self.cluster.plane.audit().writes_since(since)?;
        let by_operator = writes.iter().filter(|write| write.user.username == operator::USER);
        let count = by_operator.filter(|write| observe::KINDS.iter().any(|kind| write.is_about(kind))).count();
        ensure!(count == expected, "it wrote {count} times to {expected} workloads");
        Ok(())
    }

    fn reasons(&self) -> Result<()> {
        headline("5. Asking why");
        self.epiphyte(&["status"])?;
        let said = self.epiphyte(&["explain", "deployment/recommendations", "--namespace=shop"])?;
        let code = Reason::PreloadReferenced.code();
        ensure!(said.contains(code), "`epiphyte explain` should name {code}");
        Ok(())
    }

    /// What a person would type, and what comes of it.
    fn epiphyte(&self, arguments: &[&str]) -> Result<String> {
        say(format!("\n  {} epiphyte {}\n", style("$").dim(), style(arguments.join(" ")).bold()));
        let mut command = Command::new(self.program);
        command.args(arguments).env("KUBECONFIG", self.cluster.plane.kubeconfig());
        if console::colors_enabled() {
            command.env("CLICOLOR_FORCE", "1");
        }
        let output = command.output().context("cannot run epiphyte")?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        said.lines().for_each(|line| say(format!("    {line}")));
        if !output.status.success() {
            bail!("epiphyte {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(said)
    }

    fn unmarked(&self, bare: &BTreeMap<String, serde_json::Value>) -> Result<()> {
        headline("6. The mark goes: so do the devices, without a trace");
        step("the annotation is removed", || {
            self.cluster.kubectl(&["annotate", "namespace", "shop", "odigos.io/instrument-"])
        })?;
        let seen = comes_true("the devices go by one more change, and what was asked is deleted", || {
            let seen = look(self.cluster)?;
            Ok(each(|it| {
                let workload = it.find(&seen)?;
                if it.namespace != "shop" {
                    return Ok(());
                }
                if !workload.is_bare() || workload.details.is_some() {
                    return Err(format!("{} is not bare yet", workload.id()));
                }
                generation(workload, if it.gets_device() { 3 } else { 1 })
            })
            .map(|()| seen))
        })?;
        self.holds("every workload of the namespace is as it was before us", &seen, |it| {
            let same = it.namespace != "shop" || bare.get(&it.id()) == Some(&it.spec);
            same.then_some(()).ok_or_else(|| format!("{} differs", it.id()))
        })?;
        self.holds("workloads with marks of their own keep what they have", &seen, |it| {
            let expected = EXPECTED.iter().find(|expected| expected.name == it.name && it.namespace == "warehouse");
            expected.map_or(Ok(()), |expected| expected.is_met(&seen, i64::from(expected.gets_device())))
        })?;
        show(&seen, "shop");
        show(&seen, "warehouse");
        Ok(())
    }

    fn replaced(&self) -> Result<()> {
        headline("7. Someone replaces workloads with their bare manifests: the webhook instruments in the same write");
        let (mark, before) = (self.cluster.plane.audit().mark()?, look(self.cluster)?);
        step("manifests of the warehouse are replaced", || {
            self.cluster.kubectl(&["replace", &filename("examples/21-warehouse.yaml")])
        })?;
        // Not by generation: a Deployment's counts its annotations too, and those that kubectl and the cluster wrote are
        // not in the manifest.
        let before: BTreeMap<_, _> = before.into_iter().map(|it| (it.id(), it.spec)).collect();
        self.holds("the devices are there, and no template has changed", &look(self.cluster)?, |it| {
            (before.get(&it.id()) == Some(&it.spec)).then_some(()).ok_or_else(|| format!("{} differs", it.id()))
        })?;
        step("the operator had nothing left to write", || self.operator_wrote(mark, 0))
    }

    /// Shows that something is true of every workload seen.
    fn holds(&self, title: &str, seen: &[Seen], test: impl Fn(&Seen) -> Result<(), String>) -> Result<()> {
        step(title, || seen.iter().try_for_each(|it| test(it).map_err(anyhow::Error::msg)))
    }
}

/// Whether something is true of every sample workload.
fn each(test: impl Fn(&expected::Expected) -> Result<(), String>) -> Result<(), String> {
    EXPECTED.iter().try_for_each(test)
}

/// The end of the operator's log.
fn tail(operator: &Guest<'_>) -> String {
    let log = std::fs::read_to_string(operator.log()).unwrap_or_default();
    let lines: Vec<_> = log.lines().rev().take(20).collect();
    lines.into_iter().rev().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}

fn hint(cluster: &Cluster, program: &Path, operator: &Guest<'_>) {
    let kubectl = PathBuf::from(cluster.plane.kubectl().get_program());
    let folders: Vec<_> =
        [kubectl.parent(), program.parent()].into_iter().flatten().map(|it| it.display().to_string()).collect();
    headline("The cluster is yours until Ctrl-C. In another terminal:");
    say(format!(
        "
  export KUBECONFIG={}
  export PATH={}:$PATH

  kubectl annotate namespace shop odigos.io/instrument=true
  kubectl get instrumentedapplications -A
  epiphyte status
  epiphyte explain deployment/checkout -n shop
  tail -f {}

The node agent's part is played on: questions about the samples are answered.",
        cluster.plane.kubeconfig().display(),
        folders.join(":"),
        operator.log().display(),
    ));
}

/// Plays the node agent until Ctrl-C.
async fn stay(cluster: &Cluster) -> Result<()> {
    let mut interrupt = std::pin::pin!(tokio::signal::ctrl_c());
    loop {
        tokio::select! {
            pressed = &mut interrupt => return pressed.context("cannot wait for Ctrl-C"),
            () = tokio::time::sleep(Duration::from_secs(2)) => {}
        }
        // Whatever a person does to the cluster meanwhile is no reason to take it away.
        let _ = node_agent::answer(cluster);
    }
}
