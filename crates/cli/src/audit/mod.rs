//! `epiphyte audit`: lists everything of ours that is in a cluster, or says that there is nothing.

mod finding;
mod installed;
mod look;
mod object;
mod ours;
mod place;
mod pod;
mod render;
mod strangers;
mod workload;

use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;

pub(crate) use finding::Audit;
pub(crate) use installed::{
    BESIDE, CONFIG_MAPS, DAEMON_SETS, DEFINITIONS, DEPLOYMENTS, DETAILS, GROUPS, LEASES, LUMIGOES, NAMESPACES, NODES,
    PODS, RIGHTS, RUNNING, SECRETS, SOURCES, WEBHOOKS, has_our_webhook, is_controlled, is_helms, is_labelled, selector,
    text,
};
pub(crate) use look::audit;
pub(crate) use object::{Definitions, is_over};
pub(crate) use place::system_namespace;
pub(crate) use pod::Running;
pub(crate) use render::render;
pub(crate) use strangers::strangers;

use crate::cluster::Cluster;
use crate::show::{self, Format};

/// List everything of Epiphyte that is in the cluster, or say that nothing is left.
///
/// Looks for what is on workloads and in pods, for resources, for what an installation consists of, and at the nodes. Nothing
/// is written.
#[derive(Args)]
#[command(after_long_help = "\
A leftover is to go; `epiphyte operator --uninstall` takes it off, or says what hinders. What people wrote (annotations,
labels, Sources), old revisions, and what the kubelet remembers stay for a reason and are shown for information.

Examples:
  epiphyte audit
  epiphyte audit --keep-crds
  epiphyte audit -o json | jq -r '.findings[] | select(.severity == \"leftover\") | [.kind, .namespace, .name] | @tsv'

JSON: clean, findings[] {severity: leftover|information, kind, namespace, name, what, next}, notLookedAt[].

Exit status: 0 if nothing is left; 1 if something is, if something could not be looked at, or if the API server cannot be
  asked; 2 on wrong usage.")]
pub(crate) struct Arguments {
    /// The system namespace, where the operator's Secret and Lease are; where an operator is installed, its namespace counts.
    #[arg(long, value_name = "NAMESPACE", env = "EPIPHYTE_NAMESPACE", default_value = "odigos-system")]
    system_namespace: String,
    /// The CustomResourceDefinitions were kept on purpose: they are no leftover.
    #[arg(long)]
    keep_crds: bool,
    /// Format of the output.
    #[arg(short, long, value_enum, default_value_t = Format::Text)]
    output: Format,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start the runtime")?;
    let found = runtime.block_on(async {
        let cluster = Cluster::of_person().await?;
        let namespace = system_namespace(&cluster, &arguments.system_namespace).await?;
        audit(&cluster, &namespace, if arguments.keep_crds { Definitions::Stay } else { Definitions::Go }).await
    })?;
    show::print(&match arguments.output {
        Format::Text => render(&found),
        Format::Json => show::json(&found)?,
    })?;
    Ok(if found.clean { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
