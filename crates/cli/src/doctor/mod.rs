//! `epiphyte doctor`: one verdict on Epiphyte in a cluster, from checks that each say what they found and what cures it.

mod admission;
mod api_server;
mod clocks;
mod definitions;
mod lumigoes;
mod neighbours;
mod nodes;
mod operator;
mod patient;
mod proxy;
mod render;
mod report;
mod rights;
mod rollouts;
mod webhook;

use std::pin::Pin;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use epiphyte_api::Diagnosis;

use crate::cluster::{Cluster, Refusal};
use crate::engine::EngineArguments;
use crate::show::{self, Format};
use patient::Patient;
pub(crate) use patient::Secrets;
pub(crate) use render::render;
pub(crate) use report::Diagnosed;
use report::{Check, Checked, Finding, Looked};

/// Say in one verdict whether Epiphyte is well in the cluster, and what cures what is not.
///
/// Looks at the API server, the definitions, the operator and its leader, node agents and devices, the webhook, its certificate
/// and whether it answers, rights, collectors and the telemetry proxy, clocks, other systems, Lumigoes and rollouts. The checks
/// are made side by side, each with a deadline. Nothing is written: what the webhook is tried with is a dry run.
#[derive(Args)]
#[command(after_long_help = "\
Examples:
  epiphyte doctor
  kubectl epiphyte doctor -o json | jq -r '.checks[].findings[] | select(.health != \"ok\") | [.code, .name, .next] | @tsv'

It asks as you: a check that you lack a right for is `not known`, and says which right. To try the webhook you need to be
allowed to create Deployments in some namespace, to check rights to create subjectaccessreviews, and to ask the telemetry proxy
to get and create pods/proxy in the system namespace. docs/reference/doctor.md has every finding and what each check proves.

JSON: verdict: ok|warning|notKnown|broken, version, systemNamespace,
  checks[] {check, health, findings[] {code, health, kind, namespace, name, message, found, next}}.

Exit status: 0 if all is well, warnings included; 1 if something is broken, if something could not be told, or if the API
  server cannot be asked; 2 on wrong usage.")]
pub(crate) struct Arguments {
    /// Format of the output.
    #[arg(short, long, value_enum, default_value_t = Format::Text)]
    output: Format,
    #[command(flatten)]
    engine: EngineArguments,
}

/// How long a check may take.
const DEADLINE: Duration = Duration::from_secs(20);

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start the runtime")?;
    let report = runtime.block_on(async {
        let cluster = Cluster::of_person().await?;
        diagnose(&cluster, &arguments.engine, Secrets::OurOwn).await
    })?;
    show::print(&match arguments.output {
        Format::Text => render(&report),
        Format::Json => show::json(&report)?,
    })?;
    Ok(if report.is_well() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Makes all checks. Only an API server that cannot be asked at all is an error.
pub(crate) async fn diagnose(
    cluster: &Cluster,
    engine: &EngineArguments,
    secrets: Secrets,
) -> anyhow::Result<Diagnosed> {
    let patient = Patient::of(cluster, engine, secrets).await?;
    let p = &patient;
    let checks = futures::future::join_all([
        check(Check::ApiServer, Box::pin(api_server::look(p))),
        check(Check::Definitions, Box::pin(definitions::look(p))),
        check(Check::Operator, Box::pin(operator::look(p))),
        check(Check::Leader, Box::pin(operator::leader(p))),
        check(Check::NodeAgents, Box::pin(nodes::agents(p))),
        check(Check::Devices, Box::pin(nodes::devices(p))),
        check(Check::Webhook, Box::pin(webhook::look(p))),
        check(Check::Admission, Box::pin(admission::look(p))),
        check(Check::Rights, Box::pin(rights::look(p))),
        check(Check::Collectors, Box::pin(proxy::collectors(p))),
        check(Check::Proxy, Box::pin(proxy::look(p))),
        check(Check::Clocks, Box::pin(clocks::look(p))),
        check(Check::Neighbours, Box::pin(neighbours::look(p))),
        check(Check::Lumigoes, Box::pin(lumigoes::look(p))),
        check(Check::Rollouts, Box::pin(rollouts::look(p))),
    ])
    .await;
    Ok(Diagnosed::of(patient.system, checks))
}

type Look<'a> = Pin<Box<dyn Future<Output = Looked> + 'a>>;

/// Makes one check; why it cannot be made is a finding like any other.
async fn check(check: Check, look: Look<'_>) -> Checked {
    let findings = match tokio::time::timeout(DEADLINE, look).await {
        Ok(Ok(findings)) => findings,
        Ok(Err(Refusal::Unserved(why) | Refusal::Forbidden(why))) => vec![Finding::of(Diagnosis::NotTold, why)],
        Ok(Err(Refusal::Fatal(error))) => vec![Finding::of(Diagnosis::NotTold, format!("{error:#}"))],
        Err(_) => vec![Finding::of(Diagnosis::NotTold, format!("there was no answer within {} s", DEADLINE.as_secs()))],
    };
    Checked::of(check, findings)
}
