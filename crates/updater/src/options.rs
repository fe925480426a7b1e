//! What an updater is told: which release, from where, how far, and what a chart must prove.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use thiserror::Error;

/// What an updater is told.
#[derive(Clone, Debug)]
pub struct Options {
    /// The `helm` program.
    pub helm: PathBuf,
    /// The release that is kept up to date.
    pub release: String,
    /// The namespace of the release, and of the CronJob.
    pub namespace: String,
    /// Where versions are on offer.
    pub source: Source,
    /// The versions that are wanted, as Helm reads them.
    pub range: String,
    /// What the chart must prove.
    pub proof: Proof,
    /// How long an upgrade, and a rollback after it, may take to be ready.
    pub timeout: Duration,
    /// Whether a version that failed before is tried.
    pub failed: Failed,
    /// Whether anything is written.
    pub mode: Mode,
    /// The CronJob that Events are told on and the outcome is noted on.
    pub cron_job: String,
    /// Where the metric is sent to, an OTLP endpoint for HTTP.
    pub otlp: Option<String>,
}

/// Where versions are on offer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A chart of a repository with an index.
    Repository {
        /// Where its `index.yaml` is.
        url: String,
        /// The chart's name.
        chart: String,
    },
    /// A chart of an OCI registry, with its scheme.
    Registry(String),
}

/// What a chart must prove before it is installed.
#[derive(Clone, Debug, Default)]
pub struct Proof {
    /// The digests of which its archive must have one, where any is given.
    pub digests: Vec<Digest>,
    /// The public keys of which one must have signed it, where they are given.
    pub keyring: Option<PathBuf>,
}

/// Whether a version that failed before is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failed {
    /// Not until the release is changed or there is another version.
    Wait,
    /// Once more.
    TryAgain,
}

/// Whether anything is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The release is upgraded.
    Upgrade,
    /// The plan is all there is.
    DryRun,
}

/// A source that cannot be one.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum SourceError {
    /// A chart of a repository that is not named.
    #[error("the chart {0:?} needs --repository; one of a registry begins with oci://")]
    NoRepository(String),
    /// A registry's chart, and a repository besides.
    #[error("{0} is a chart of a registry: leave out --repository")]
    TwoSources(String),
    /// Something else than a chart's name.
    #[error("{0:?} is not the name of a chart in a repository")]
    Chart(String),
    /// Something else than a web address.
    #[error("{0:?} is no address of a repository: it begins with https:// or http://")]
    Address(String),
    /// A password where it would be shown.
    #[error("a repository's address is shown in logs and Events, so it must have no user and password in it")]
    Credentials,
}

impl Source {
    /// The source that a chart and a repository name.
    ///
    /// # Errors
    /// They do not fit together.
    pub fn new(chart: &str, repository: Option<&str>) -> Result<Self, SourceError> {
        match repository {
            None if chart.starts_with("oci://") => Ok(Self::Registry(chart.to_owned())),
            None => Err(SourceError::NoRepository(chart.to_owned())),
            Some(_) if chart.starts_with("oci://") => Err(SourceError::TwoSources(chart.to_owned())),
            // A dash would be an option of Helm's.
            Some(_) if chart.is_empty() || chart.starts_with('-') || chart.contains(['/', ' ']) => {
                Err(SourceError::Chart(chart.to_owned()))
            }
            Some(url) => {
                let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
                let host = rest.and_then(|rest| rest.split('/').next()).unwrap_or_default();
                if host.contains('@') {
                    Err(SourceError::Credentials)
                } else if host.is_empty() {
                    Err(SourceError::Address(url.to_owned()))
                } else {
                    Ok(Self::Repository { url: url.to_owned(), chart: chart.to_owned() })
                }
            }
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Repository { url, chart } => write!(f, "{chart} of {url}"),
            Self::Registry(reference) => f.write_str(reference),
        }
    }
}

/// The SHA-256 of a chart's archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Digest(String);

/// A text that is no digest.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("a digest is sha256: and 64 hex digits")]
pub struct NoDigest;

impl Digest {
    /// The digest of an archive.
    pub(crate) fn of(archive: &[u8]) -> Self {
        Self(Sha256::digest(archive).iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// Its hex digits.
    pub(crate) fn hex(&self) -> &str {
        &self.0
    }
}

impl FromStr for Digest {
    type Err = NoDigest;

    /// With or without its algorithm: an index has either.
    fn from_str(text: &str) -> Result<Self, NoDigest> {
        let hex = text.strip_prefix("sha256:").unwrap_or(text).to_ascii_lowercase();
        let is_digest = hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
        if is_digest { Ok(Self(hex)) } else { Err(NoDigest) }
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chart_is_in_a_repository_or_a_registry_and_never_in_both() {
        let repository = Source::new("epiphyte", Some("https://charts.example.com"));
        assert!(matches!(repository, Ok(Source::Repository { .. })));
        assert!(matches!(Source::new("oci://r.example.com/epiphyte", None), Ok(Source::Registry(_))));
        assert!(Source::new("epiphyte", None).is_err());
        assert!(Source::new("oci://r.example.com/epiphyte", Some("https://charts.example.com")).is_err());
        for chart in ["", "--kubeconfig=x", "a/b"] {
            assert!(Source::new(chart, Some("https://charts.example.com")).is_err(), "{chart}");
        }
        for address in ["", "charts.example.com", "file:///etc", "https://"] {
            assert!(Source::new("epiphyte", Some(address)).is_err(), "{address}");
        }
    }

    #[test]
    fn an_address_with_a_password_is_refused_and_not_repeated() {
        let refused = Source::new("epiphyte", Some("https://jane:hunter2@charts.example.com/x")).unwrap_err();
        assert!(!refused.to_string().contains("hunter2"));
        assert!(Source::new("epiphyte", Some("https://charts.example.com/@x")).is_ok());
    }

    #[test]
    fn a_digest_is_64_hex_digits_with_or_without_its_algorithm() {
        let digest = Digest::of(b"");
        assert_eq!(digest.to_string().parse(), Ok(digest.clone()));
        assert_eq!(digest.hex().to_uppercase().parse(), Ok(digest));
        for text in ["", "sha256:", "sha512:00", "sha256:e3b0c44"] {
            assert_eq!(text.parse::<Digest>(), Err(NoDigest), "{text}");
        }
    }
}
