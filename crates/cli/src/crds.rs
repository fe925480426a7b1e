//! `epiphyte crds`: prints the CustomResourceDefinitions.

use std::io::Write as _;

use anyhow::Context as _;
use clap::{Args, ValueEnum};

/// Print the CustomResourceDefinitions, for `kubectl apply --server-side -f -`.
#[derive(Args)]
pub(crate) struct Arguments {
    /// Format of the output.
    #[arg(short, long, value_enum, default_value_t = Output::Yaml)]
    output: Output,
}

#[derive(Clone, Copy, ValueEnum)]
enum Output {
    /// A YAML stream, one document for each definition.
    Yaml,
    /// A JSON list.
    Json,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let crds = epiphyte_api::custom_resource_definitions();
    let text = match arguments.output {
        Output::Yaml => epiphyte_api::to_yaml(&crds)?,
        Output::Json => {
            let list = serde_json::json!({ "apiVersion": "v1", "kind": "List", "items": crds });
            serde_json::to_string_pretty(&list)? + "\n"
        }
    };
    std::io::stdout().write_all(text.as_bytes()).context("cannot write to standard output")
}
