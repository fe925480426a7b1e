//! The node agent under measurement: the real program, with a control plane, a kubelet and the processes of its pods.

use std::fs::{self, File};

use anyhow::Result;
use epiphyte_testbed::FakeNode;
use tempfile::TempDir;

use super::crowd::Container;
use super::kubelet::Kubelet;
use super::pods::{NODE, Pods};
use super::proc::Proc;
use super::{MIB, PART};
use crate::cluster::{Cluster, until};
use crate::deployable::Deployable;
use crate::report::{Figure, Row};

const USER: &str = "system:serviceaccount:epiphyte-node:epiphyte-node-agent";

/// Bytes of each agent, about those of the real ones together.
const AGENT: u64 = 16 << 20;

/// Starts the agent where the pods are there already, asks about all of them at once, and measures once all are answered.
pub(super) async fn measure(cluster: &Cluster, proc: &Proc, containers: &[Container]) -> Result<Vec<Row>> {
    // Short, for paths of sockets have a limit.
    let folder = tempfile::Builder::new().prefix("en").tempdir()?;
    cluster.plane.create_node(&FakeNode::new(NODE)).await?;
    crate::say("scan: creating pods");
    let pods = Pods::create(cluster, containers).await?;
    let kubelet = Kubelet::start(folder.path().join("kubelet"), pods.devices())?;
    let agent = start(cluster, &folder, &kubelet, proc).await?;
    until("the node agent is ready", async || {
        agent.process()?;
        Ok(agent.admin.is_ready().await)
    })
    .await?;
    kubelet.give().await?;
    let started = agent.settled().await?;

    crate::say("scan: asking about all pods");
    pods.ask().await?;
    until("every pod is answered for", async || {
        agent.process()?;
        pods.are_answered().await
    })
    .await?;
    let settled = agent.settled().await?;
    let row = |what: &str, figure| Row::new(PART, format!("node agent, 110 pods: {what}"), figure);
    let cpu = settled.cpu - started.cpu;
    Ok(vec![
        row("CPU of answering for all of them", Figure::Seconds(cpu.as_secs_f64())),
        row("resident memory, peak", Figure::Bytes(settled.memory.peak))
            .at_most(Figure::Bytes(16.0 * MIB))
            .peers("75 MB (Beyla)"),
        row("resident memory, before it is asked", Figure::Bytes(started.memory.resident)),
        row("resident memory, settled", Figure::Bytes(settled.memory.resident)),
    ])
}

async fn start<'a>(cluster: &'a Cluster, folder: &TempDir, kubelet: &Kubelet, proc: &Proc) -> Result<Deployable<'a>> {
    let agents = folder.path().join("agents");
    for file in ["injector/injector.so", "java/agent.jar", "node/register.js", "python/sitecustomize.py"] {
        let path = agents.join(file);
        fs::create_dir_all(path.parent().unwrap_or(&path))?;
        File::create(path)?.set_len(AGENT)?;
    }
    let go = agents.join("go/otel-go-instrumentation");
    let deployable = Deployable::start(cluster, "node-agent", USER, |command| {
        command.args(["--node-name", NODE, "--endpoint", "http://collector.test:4318"]);
        command.arg("--proc").arg(proc.path()).arg("--kubelet-dir").arg(kubelet.folder());
        command.arg("--agents").arg(agents).arg("--host-dir").arg(folder.path().join("host"));
        command.arg("--go-agent").arg(go);
    });
    deployable.await
}
