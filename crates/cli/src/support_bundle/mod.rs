//! `epiphyte support-bundle`: what somebody needs to help from afar, in one archive and without secrets.

mod archive;
mod collect;
mod redact;
mod workloads;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use jiff::Timestamp;

use crate::cluster::Cluster;
use crate::doctor::{self, Secrets};
use crate::engine::EngineArguments;
use crate::show;
use archive::Pile;

/// Collect what somebody needs to help from afar into a .tar.gz, without secrets.
///
/// Statuses, an explanation of every workload that is marked or instrumented, our resources, what the installation consists of,
/// Events, logs of our pods, versions, and the report of `epiphyte doctor`. Nothing is sent anywhere, and nothing in the cluster
/// is changed.
#[derive(Args)]
#[command(after_long_help = "\
Examples:
  epiphyte support-bundle
  epiphyte support-bundle --file /tmp/epiphyte.tar.gz

What is not in it: Secrets, which are never read; manifests and logs of your workloads, and values of their variables; values of
  variables and annotations of our own objects. Values of settings whose keys speak of tokens, passwords, headers and the like
  are left out, and so is whatever looks like a token of a tenant. Names of namespaces, workloads, containers, images and nodes
  are in it: read it before you hand it on.

What could not be had, for want of a right for example, is listed in `not-collected.txt` in the archive.

Exit status: 0; 1 if the API server cannot be asked or the file cannot be written; 2 on wrong usage.")]
pub(crate) struct Arguments {
    /// The file to make; it must not be there yet. In the current folder, under a name with the time, by default.
    #[arg(short, long, value_name = "FILE")]
    file: Option<PathBuf>,
    #[command(flatten)]
    engine: EngineArguments,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start the runtime")?;
    let now = Timestamp::now();
    let name = format!("epiphyte-support-{}", now.strftime("%Y%m%dT%H%M%SZ"));
    let file = arguments.file.clone().unwrap_or_else(|| format!("{name}.tar.gz").into());
    let out = archive::create(&file)?;
    let filled = runtime.block_on(pile(arguments)).and_then(|pile| {
        archive::write(out, &name, &pile, now).with_context(|| format!("cannot write {}", file.display()))?;
        Ok(pile)
    });
    let pile = filled.inspect_err(|_| {
        // Half a bundle would be taken for a whole one.
        let _ = std::fs::remove_file(&file);
    })?;
    show::print(&format!("{}\nIt lies in {}. Read it before you hand it on.\n", pile.listing(), file.display()))?;
    Ok(ExitCode::SUCCESS)
}

async fn pile(arguments: &Arguments) -> anyhow::Result<Pile> {
    let cluster = Cluster::of_person().await?;
    let mut pile = Pile::default();
    let report = doctor::diagnose(&cluster, &arguments.engine, Secrets::LeftAlone).await?;
    pile.add("doctor.json", show::json(&report)?);
    pile.add("doctor.txt", anstream::adapter::strip_str(&doctor::render(&report)).to_string());
    let system = report.system_namespace();
    workloads::collect(&cluster, &arguments.engine, system, &mut pile).await?;
    collect::collect(&cluster, system, &mut pile).await?;
    Ok(pile)
}
