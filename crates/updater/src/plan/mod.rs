//! What an upgrade would change. Nothing here is written to the cluster.

mod manifest;
mod values;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use manifest::{ObjectChange, Verb};
pub use values::ValueChange;

use crate::helm::{Helm, HelmError};
use crate::release::Installed;
use crate::repository::Archive;
use crate::secret::secrets;

/// What an upgrade would change.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// The chart.
    pub chart: String,
    /// The version that is installed.
    pub from: String,
    /// The version to go to.
    pub to: String,
    /// The digest of its archive.
    pub digest: String,
    /// Whose signature it has, where one is asked for.
    pub signed_by: Option<String>,
    /// The values that people set, by their paths: they stay.
    pub kept: Vec<String>,
    /// Those among them that the next chart does not mention.
    pub unknown: Vec<String>,
    /// The values that nobody set and that have another default in the next chart.
    pub values: Vec<ValueChange>,
    /// The objects that change.
    pub objects: Vec<ObjectChange>,
}

/// The part that is of interest of what Helm prints of an upgrade that it would do.
#[derive(Deserialize)]
struct Rehearsal {
    chart: RehearsedChart,
    #[serde(default)]
    manifest: String,
}

#[derive(Deserialize)]
struct RehearsedChart {
    #[serde(default)]
    values: Value,
}

/// Asks Helm what an upgrade would come to. The API server is asked too, so that a chart that it would not take is found here.
pub(crate) async fn plan(
    helm: &Helm,
    release: &str,
    installed: &Installed,
    archive: &Archive,
) -> Result<Plan, HelmError> {
    let revision = installed.revision.to_string();
    let set: Value = helm.ask(&["get", "values", release, "--revision", &revision]).await?;
    let before: Value = helm.ask(&["get", "values", release, "--revision", &revision, "--all"]).await?;
    let manifest = helm.run(["get", "manifest", release, "--revision", &revision]).await?;
    let file = archive.file.display().to_string();
    let rehearse = ["upgrade", release, &file, "--reset-then-reuse-values", "--dry-run=server"];
    let rehearsal: Rehearsal = helm.ask(&rehearse).await?;
    let secrets = secrets(&set);
    Ok(Plan {
        chart: archive.name.clone(),
        from: installed.version.to_string(),
        to: archive.version.to_string(),
        digest: archive.digest.to_string(),
        signed_by: archive.signed_by.clone(),
        kept: values::paths(&set),
        unknown: values::unknown(&set, &rehearsal.chart.values),
        values: values::changes(&before, &rehearsal.chart.values, &set),
        objects: manifest::changes(&manifest, &rehearsal.manifest, &secrets),
    })
}
