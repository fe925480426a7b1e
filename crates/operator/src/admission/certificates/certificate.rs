//! One X.509 certificate: minting it, reading it back, asking whether it is trusted.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use time::OffsetDateTime;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::CertificateError;

/// A certificate begins this long before it is made, at most a tenth of its life: clocks differ.
const BACKDATED: SignedDuration = SignedDuration::from_mins(5);

/// A certificate and when it is good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    der: CertificateDer<'static>,
    not_before: Timestamp,
    not_after: Timestamp,
}

impl Certificate {
    /// Makes an authority with a key of its own.
    pub(super) fn authority(now: Timestamp, lifetime: SignedDuration) -> Result<(Self, KeyPair), CertificateError> {
        let key = KeyPair::generate()?;
        // The time tells two authorities apart for whoever reads the bundle.
        let name = format!("epiphyte-webhook-authority {}", now.strftime("%Y-%m-%dT%H:%M:%SZ"));
        let mut params = params(&name, &[], now, lifetime, Timestamp::MAX)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let issuer = CertifiedIssuer::self_signed(params, &key)?;
        Ok((Self::read(issuer.der().clone())?, key))
    }

    /// Makes a serving certificate for host names and addresses, signed by this authority. It ends no later than that.
    pub(super) fn sign(
        &self,
        authority_key: &KeyPair,
        names: &[String],
        now: Timestamp,
        lifetime: SignedDuration,
    ) -> Result<(Self, KeyPair), CertificateError> {
        let mut params = params("epiphyte-webhook", names, now, lifetime, self.not_after)?;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &Issuer::from_ca_cert_der(&self.der, authority_key)?)?;
        Ok((Self::read(certificate.into())?, key))
    }

    /// Reads a certificate.
    pub(super) fn read(der: CertificateDer<'static>) -> Result<Self, CertificateError> {
        let (_, parsed) = X509Certificate::from_der(&der).map_err(unreadable)?;
        let validity = parsed.validity();
        let not_before = Timestamp::from_second(validity.not_before.timestamp()).map_err(unreadable)?;
        let not_after = Timestamp::from_second(validity.not_after.timestamp()).map_err(unreadable)?;
        Ok(Self { der, not_before, not_after })
    }

    /// Whether the certificate is for this key.
    pub(super) fn is_for(&self, key: &KeyPair) -> bool {
        use rcgen::PublicKeyData;
        X509Certificate::from_der(&self.der)
            .is_ok_and(|(_, parsed)| parsed.public_key().raw == key.subject_public_key_info())
    }

    /// The certificate in DER.
    pub fn der(&self) -> &CertificateDer<'static> {
        &self.der
    }

    /// When the certificate is over.
    pub fn not_after(&self) -> Timestamp {
        self.not_after
    }

    /// Whether the certificate is over.
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.not_after <= now
    }

    /// Whether two thirds of the certificate's life are over.
    pub fn is_due(&self, now: Timestamp) -> bool {
        let life = self.not_after.duration_since(self.not_before);
        self.not_after.duration_since(now).as_secs_f64() * 3.0 <= life.as_secs_f64()
    }

    /// Whether a client that trusts these authorities takes the certificate for all of the names.
    pub fn is_trusted(&self, authorities: &[Certificate], names: &[String], now: Timestamp) -> bool {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(authorities.iter().map(|authority| authority.der.clone()));
        let Ok(verifier) = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider()).build() else {
            return false;
        };
        let since_epoch = now.duration_since(Timestamp::UNIX_EPOCH).unsigned_abs();
        let time = UnixTime::since_unix_epoch(since_epoch);
        names.iter().all(|name| {
            ServerName::try_from(name.as_str())
                .is_ok_and(|name| verifier.verify_server_cert(&self.der, &[], &name, &[], time).is_ok())
        })
    }
}

/// The cryptography of all our TLS.
pub(in crate::admission) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn params(
    common_name: &str,
    names: &[String],
    now: Timestamp,
    lifetime: SignedDuration,
    no_later_than: Timestamp,
) -> Result<CertificateParams, CertificateError> {
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.not_before = date_time(now.saturating_sub(BACKDATED.min(lifetime / 10)))?;
    params.not_after = date_time(now.saturating_add(lifetime).map(|end| end.min(no_later_than)))?;
    Ok(params)
}

fn date_time(time: Result<Timestamp, jiff::Error>) -> Result<OffsetDateTime, CertificateError> {
    OffsetDateTime::from_unix_timestamp(time.map_err(unreadable)?.as_second()).map_err(unreadable)
}

fn unreadable(problem: impl std::fmt::Display) -> CertificateError {
    CertificateError::Unreadable(problem.to_string())
}
