//! What the webhook serves TLS with, and how that changes over time. Pure but for the making of keys: time is an argument.
//!
//! An authority of our own signs the serving certificate, and the API server is told to trust the bundle of authorities.
//! Both are renewed at two thirds of their life. A new authority first only joins the bundle; serving certificates are of
//! the new one once the API server trusts the larger bundle; the old one leaves the bundle when it is over. So there is
//! no moment at which the serving certificate is not trusted.

mod certificate;
#[cfg(test)]
mod tests;

use std::fmt;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use pem::{EncodeConfig, LineEnding, Pem};
use rcgen::KeyPair;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use rustls::sign::CertifiedKey;

pub use certificate::Certificate;
pub(super) use certificate::provider;

use crate::settings;

const CERTIFICATE_TAG: &str = "CERTIFICATE";

/// Certificates could not be made or read.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// One could not be made.
    #[error("cannot make a certificate")]
    Making(#[from] rcgen::Error),
    /// What is stored cannot be used.
    #[error("the certificate cannot be used: {0}")]
    Unreadable(String),
}

/// How long certificates are good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetimes {
    certificate: SignedDuration,
    authority: SignedDuration,
}

impl Lifetimes {
    /// Lifetimes of the serving certificate and of the authority. Shorter ones than ten seconds count as ten: renewal
    /// would not keep up.
    pub fn new(certificate: SignedDuration, authority: SignedDuration) -> Self {
        let least = SignedDuration::from_secs(10);
        Self { certificate: certificate.max(least), authority: authority.max(least) }
    }

    /// How often to look whether something is due: a small part of the shorter life, at most ten seconds.
    pub fn interval(&self) -> Duration {
        let shorter = self.certificate.min(self.authority).unsigned_abs();
        (shorter / 20).min(Duration::from_secs(10))
    }
}

impl From<&settings::Webhook> for Lifetimes {
    fn from(settings: &settings::Webhook) -> Self {
        Self::new(settings.certificate_lifetime, settings.authority_lifetime)
    }
}

/// Whether the API server trusts all authorities of the bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// The bundle has been published, and long enough ago to have been read.
    Published,
    /// The API server may know an older bundle only.
    Pending,
}

/// A private key as PEM.
#[derive(Clone, PartialEq, Eq)]
pub struct PrivateKey(String);

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateKey")
    }
}

/// What the webhook serves TLS with, as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Texts<T> {
    /// The authorities to trust, the newest first.
    pub bundle: T,
    /// Key of the newest authority.
    pub authority_key: T,
    /// The serving certificate.
    pub certificate: T,
    /// Key of the serving certificate.
    pub key: T,
}

/// What the webhook serves TLS with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Material {
    /// The newest first; that one signs. The key of an older one is forgotten as soon as there is a newer.
    authorities: Vec<Certificate>,
    authority_key: PrivateKey,
    certificate: Certificate,
    key: PrivateKey,
}

impl Material {
    /// Makes everything anew, for these host names and addresses.
    ///
    /// # Errors
    /// A name is neither a host name nor an address, or the system has no randomness.
    pub fn issue(names: &[String], lifetimes: Lifetimes, now: Timestamp) -> Result<Self, CertificateError> {
        let (authority, authority_key) = Certificate::authority(now, lifetimes.authority)?;
        let (certificate, key) = authority.sign(&authority_key, names, now, lifetimes.certificate)?;
        Ok(Self {
            authorities: vec![authority],
            authority_key: PrivateKey(authority_key.serialize_pem()),
            certificate,
            key: PrivateKey(key.serialize_pem()),
        })
    }

    /// Reads what was stored.
    ///
    /// # Errors
    /// A text is not what it should be, or a key belongs to another certificate.
    pub fn read(texts: Texts<&str>) -> Result<Self, CertificateError> {
        let authorities = read_certificates(texts.bundle)?;
        let certificate = read_certificates(texts.certificate)?.into_iter().next();
        let (Some(newest), Some(certificate)) = (authorities.first(), certificate) else {
            return Err(CertificateError::Unreadable("no certificate in it".to_owned()));
        };
        if !newest.is_for(&KeyPair::from_pem(texts.authority_key)?) {
            let problem = "the authority's key belongs to another certificate";
            return Err(CertificateError::Unreadable(problem.to_owned()));
        }
        let material = Self {
            authorities,
            authority_key: PrivateKey(texts.authority_key.to_owned()),
            certificate,
            key: PrivateKey(texts.key.to_owned()),
        };
        material.certified_key()?;
        Ok(material)
    }

    /// What is to be stored.
    pub fn texts(&self) -> Texts<String> {
        Texts {
            bundle: self.bundle(),
            authority_key: self.authority_key.0.clone(),
            certificate: write_certificates(std::slice::from_ref(&self.certificate)),
            key: self.key.0.clone(),
        }
    }

    /// What comes next, if anything is due.
    ///
    /// # Errors
    /// A certificate cannot be made.
    pub fn step(
        &self,
        names: &[String],
        lifetimes: Lifetimes,
        trust: Trust,
        now: Timestamp,
    ) -> Result<Option<Self>, CertificateError> {
        let Some(newest) = self.authorities.first().filter(|newest| !newest.is_over(now)) else {
            return Self::issue(names, lifetimes, now).map(Some);
        };
        let mut next = self.clone();
        next.authorities.retain(|authority| !authority.is_over(now));

        let good = self.certificate.is_trusted(&self.authorities, names, now);
        let by_newest = self.certificate.is_trusted(std::slice::from_ref(newest), names, now);
        if good && newest.is_due(now) {
            let (authority, key) = Certificate::authority(now, lifetimes.authority)?;
            next.authorities.insert(0, authority);
            next.authority_key = PrivateKey(key.serialize_pem());
        } else if !good || (by_newest && self.certificate.is_due(now)) || (!by_newest && trust == Trust::Published) {
            let authority_key = KeyPair::from_pem(&self.authority_key.0)?;
            let (certificate, key) = newest.sign(&authority_key, names, now, lifetimes.certificate)?;
            next.certificate = certificate;
            next.key = PrivateKey(key.serialize_pem());
        }
        Ok((next != *self).then_some(next))
    }

    /// The authorities to trust as PEM, the newest first.
    pub fn bundle(&self) -> String {
        write_certificates(&self.authorities)
    }

    /// The authorities to trust, the newest first.
    #[cfg(test)]
    pub fn authorities(&self) -> &[Certificate] {
        &self.authorities
    }

    /// The serving certificate.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// The serving certificate with its key, ready to serve with.
    ///
    /// # Errors
    /// The key is of another certificate or of no use.
    pub fn certified_key(&self) -> Result<CertifiedKey, CertificateError> {
        let key = PrivateKeyDer::from_pem_slice(self.key.0.as_bytes())
            .map_err(|problem| CertificateError::Unreadable(problem.to_string()))?;
        CertifiedKey::from_der(vec![self.certificate.der().clone()], key, &provider())
            .map_err(|problem| CertificateError::Unreadable(problem.to_string()))
    }
}

/// The certificates of a text in PEM, in its order; what else is in it is passed over.
///
/// # Errors
/// One of them is no certificate.
pub fn read_certificates(text: &str) -> Result<Vec<Certificate>, CertificateError> {
    let blocks = pem::parse_many(text).map_err(|problem| CertificateError::Unreadable(problem.to_string()))?;
    let certificates = blocks.into_iter().filter(|block| block.tag() == CERTIFICATE_TAG);
    certificates.map(|block| Certificate::read(block.into_contents().into())).collect()
}

fn write_certificates(certificates: &[Certificate]) -> String {
    let blocks: Vec<Pem> =
        certificates.iter().map(|certificate| Pem::new(CERTIFICATE_TAG, certificate.der().to_vec())).collect();
    pem::encode_many_config(&blocks, EncodeConfig::new().set_line_ending(LineEnding::LF))
}
