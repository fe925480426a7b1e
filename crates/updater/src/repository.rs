//! What a chart repository or a registry has on offer, fetched and proven.
//!
//! Helm reads ranges, indexes and registries; here is only which of its answers mean what.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use semver::Version;
use serde::Deserialize;
use tempfile::TempDir;
use thiserror::Error;

use crate::helm::{Helm, HelmError};
use crate::options::{Digest, Proof, Source};

/// What the repository is called within a run.
const NAME: &str = "offered";

/// No chart can be had.
#[derive(Debug, Error)]
pub enum RepositoryError {
    /// It does not answer, or not as a repository does.
    #[error("{source_} cannot be read: {said}")]
    Unreadable {
        /// Which one.
        source_: Source,
        /// What Helm said.
        said: String,
    },
    /// It has no such chart.
    #[error("{0} is not on offer: the repository has no chart of that name")]
    NoChart(Source),
    /// It has the chart in no version that is wanted.
    #[error("no version of {source_} is in the range {range}{on_offer}")]
    NoneInRange {
        /// Which one.
        source_: Source,
        /// What was wanted.
        range: String,
        /// What there is, as the end of a sentence.
        on_offer: String,
    },
    /// The archive is not what it is said to be.
    #[error("{0}")]
    Wrong(String),
    /// The archive does not prove what it must.
    #[error("{0}")]
    Unproven(String),
    /// Helm cannot be used.
    #[error(transparent)]
    Helm(#[from] HelmError),
    /// Nothing can be written.
    #[error("cannot keep the chart: {0}")]
    File(#[from] std::io::Error),
}

/// The newest version that is wanted.
#[derive(Debug)]
pub(crate) struct Offer {
    pub(crate) version: Version,
    held: Held,
}

#[derive(Debug)]
enum Held {
    /// In a repository, with the digest that its index has.
    InRepository { chart: String, digest: Option<String> },
    /// Here: a registry tells a version no other way.
    Here(Archive),
}

/// A chart that is here.
#[derive(Debug)]
pub(crate) struct Archive {
    pub(crate) file: PathBuf,
    pub(crate) name: String,
    pub(crate) version: Version,
    pub(crate) digest: Digest,
    /// Whose signature it has, where one is asked for.
    pub(crate) signed_by: Option<String>,
    /// Removes it.
    _folder: TempDir,
}

/// What a chart says of itself.
#[derive(Deserialize)]
struct Metadata {
    name: String,
    version: Version,
}

/// The part of an index that is of interest; Helm has checked the rest.
#[derive(Default, Deserialize)]
struct Index {
    #[serde(default)]
    entries: BTreeMap<String, Vec<Entry>>,
}

#[derive(Deserialize)]
struct Entry {
    version: String,
    digest: Option<String>,
}

/// A version that Helm found in a repository.
#[derive(Deserialize)]
struct Found {
    name: String,
    version: String,
}

/// The newest version in the range.
pub(crate) async fn newest(helm: &Helm, source: &Source, range: &str, proof: &Proof) -> Result<Offer, RepositoryError> {
    match source {
        Source::Repository { url, chart } => of_repository(helm, source, url, chart, range).await,
        Source::Registry(reference) => {
            let archive = pull(helm, source, reference, range, proof).await.map_err(|error| match error {
                RepositoryError::Unreadable { said, .. } if said.contains("ocate a version matching") => {
                    RepositoryError::NoneInRange {
                        source_: source.clone(),
                        range: range.to_owned(),
                        on_offer: String::new(),
                    }
                }
                error => error,
            })?;
            Ok(Offer { version: archive.version.clone(), held: Held::Here(archive) })
        }
    }
}

async fn of_repository(
    helm: &Helm,
    source: &Source,
    url: &str,
    chart: &str,
    range: &str,
) -> Result<Offer, RepositoryError> {
    said(source, helm.run(["repo", "add", NAME, url]).await)?;
    let index = index(&helm.folder().join("repository").join(format!("{NAME}-index.yaml")));
    let entries = index.entries.get(chart).map(Vec::as_slice).unwrap_or_default();
    let on_offer: Vec<&str> = entries.iter().map(|entry| entry.version.as_str()).collect();
    if on_offer.is_empty() {
        return Err(RepositoryError::NoChart(source.clone()));
    }
    let name = format!("{NAME}/{chart}");
    let search = ["search", "repo", &name, "--versions", "--version", range];
    // It finds charts whose names begin alike, too; the newest comes first.
    let found: Vec<Found> = said(source, helm.ask(&search).await)?;
    let newest = found.into_iter().find(|found| found.name == name).ok_or_else(|| RepositoryError::NoneInRange {
        source_: source.clone(),
        range: range.to_owned(),
        on_offer: offered(&on_offer),
    })?;
    let version = newest.version.trim_start_matches('v').parse().map_err(|error| RepositoryError::Unreadable {
        source_: source.clone(),
        said: format!("{:?} is no version: {error}", newest.version),
    })?;
    let entry = entries.iter().find(|entry| entry.version == newest.version);
    let digest = entry.and_then(|entry| entry.digest.clone()).filter(|digest| !digest.is_empty());
    Ok(Offer { version, held: Held::InRepository { chart: name, digest } })
}

/// An index that Helm has read; what cannot be made out is not there.
fn index(file: &Path) -> Index {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    yaml_serde::from_str(&text).unwrap_or_default()
}

/// A few of the versions that there are, newest first.
fn offered(versions: &[&str]) -> String {
    const SHOWN: usize = 3;
    let shown = versions.iter().take(SHOWN).copied().collect::<Vec<_>>().join(", ");
    let more = versions.len().saturating_sub(SHOWN);
    if more > 0 { format!("; on offer are {shown} and {more} more") } else { format!("; on offer is {shown}") }
}

/// The chart of an offer, with all that it must prove proven.
pub(crate) async fn fetch(
    helm: &Helm,
    source: &Source,
    offer: Offer,
    proof: &Proof,
) -> Result<Archive, RepositoryError> {
    let mut archive = match offer.held {
        Held::Here(archive) => archive,
        Held::InRepository { chart, digest } => {
            let archive = pull(helm, source, &chart, &offer.version.to_string(), proof).await?;
            matches_index(&archive, digest.as_deref())?;
            archive
        }
    };
    if archive.version != offer.version {
        let Archive { name, version, .. } = &archive;
        let problem = format!("the archive of {} {} is one of {name} {version}", source, offer.version);
        return Err(RepositoryError::Wrong(problem));
    }
    prove_digest(&archive, &proof.digests)?;
    if let Some(keyring) = &proof.keyring {
        archive.signed_by = Some(prove_signature(helm, &archive, keyring).await?);
    }
    Ok(archive)
}

fn matches_index(archive: &Archive, expected: Option<&str>) -> Result<(), RepositoryError> {
    let Some(expected) = expected else {
        return Ok(());
    };
    if expected.parse::<Digest>().as_ref() == Ok(&archive.digest) {
        return Ok(());
    }
    let Archive { name, version, digest, .. } = archive;
    Err(RepositoryError::Wrong(format!(
        "the archive of {name} {version} has the digest {digest}, its index says {expected}"
    )))
}

fn prove_digest(archive: &Archive, accepted: &[Digest]) -> Result<(), RepositoryError> {
    if accepted.is_empty() || accepted.contains(&archive.digest) {
        return Ok(());
    }
    let Archive { name, version, digest, .. } = archive;
    Err(RepositoryError::Unproven(format!(
        "{name} {version} has the digest {digest}, which is none of those that are accepted"
    )))
}

/// Whose signature it has.
async fn prove_signature(helm: &Helm, archive: &Archive, keyring: &Path) -> Result<String, RepositoryError> {
    let Archive { file, name, version, .. } = archive;
    if !file.with_added_extension("prov").exists() {
        return Err(RepositoryError::Unproven(format!("{name} {version} is not signed")));
    }
    let verify = ["verify".as_ref(), file.as_os_str(), "--keyring".as_ref(), keyring.as_os_str()];
    match helm.run(verify).await {
        Ok(printed) => {
            let signer = printed.lines().find_map(|line| line.strip_prefix("Signed by: "));
            Ok(signer.unwrap_or("a key of the keyring").to_owned())
        }
        Err(HelmError::Failed { said, .. }) => {
            Err(RepositoryError::Unproven(format!("the signature of {name} {version} is not accepted: {said}")))
        }
        Err(error) => Err(error.into()),
    }
}

async fn pull(
    helm: &Helm,
    source: &Source,
    chart: &str,
    version: &str,
    proof: &Proof,
) -> Result<Archive, RepositoryError> {
    let folder = tempfile::tempdir_in(helm.folder())?;
    let into = folder.path().display().to_string();
    let mut arguments = vec!["pull", chart, "--version", version, "--destination", &into];
    if proof.keyring.is_some() {
        // The signature too, if there is one: that there is none is for us to tell.
        arguments.push("--prov");
    }
    said(source, helm.run(arguments).await)?;
    let is_archive = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "tgz");
    let files = std::fs::read_dir(folder.path())?.filter_map(Result::ok).map(|entry| entry.path());
    let Some(file) = files.into_iter().find(is_archive) else {
        return Err(RepositoryError::Wrong(format!("what {source} has as version {version} is no archive of a chart")));
    };
    let digest = Digest::of(&std::fs::read(&file)?);
    let show = ["show".as_ref(), "chart".as_ref(), file.as_os_str()];
    let wrong =
        |problem| RepositoryError::Wrong(format!("what {source} has as version {version} is no chart: {problem}"));
    let metadata = match helm.run(show).await {
        Ok(metadata) => metadata,
        Err(HelmError::Failed { said, .. }) => return Err(wrong(said)),
        Err(error) => return Err(error.into()),
    };
    let Metadata { name, version } = yaml_serde::from_str(&metadata).map_err(|error| wrong(error.to_string()))?;
    Ok(Archive { file, name, version, digest, signed_by: None, _folder: folder })
}

/// What Helm was told by a repository; that it cannot be run at all is another matter.
fn said<T>(source: &Source, answer: Result<T, HelmError>) -> Result<T, RepositoryError> {
    answer.map_err(|error| match error {
        HelmError::Failed { said, .. } => RepositoryError::Unreadable { source_: source.clone(), said },
        error => error.into(),
    })
}
