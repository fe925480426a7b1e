//! The certificate authority of one control plane and what it signs.

use std::net::{IpAddr, Ipv4Addr};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, SanType,
};

use crate::{Error, Result};

/// A certificate and its key, both as PEM.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    /// The certificate.
    pub(crate) certificate: String,
    /// Its private key.
    pub(crate) key: String,
}

/// Signs the certificates of one control plane.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    /// Makes an authority with a key of its own.
    pub(crate) fn generate() -> Result<Self> {
        let name = "epiphyte-testbed";
        let generate = || {
            let mut params = CertificateParams::default();
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
            params.distinguished_name.push(DnType::CommonName, name);
            CertifiedIssuer::self_signed(params, KeyPair::generate()?)
        };
        Ok(Self { issuer: generate().map_err(failed(name))? })
    }

    /// The authority's own certificate as PEM.
    pub(crate) fn certificate(&self) -> String {
        self.issuer.pem()
    }

    /// A certificate for the servers on 127.0.0.1, valid under the names and addresses that pods use as well.
    pub(crate) fn server(&self, addresses: &[Ipv4Addr]) -> Result<Identity> {
        let names = ["localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"];
        let addresses = [Ipv4Addr::LOCALHOST].into_iter().chain(addresses.iter().copied());
        let mut sans: Vec<_> = addresses.map(|address| SanType::IpAddress(IpAddr::V4(address))).collect();
        for name in names {
            sans.push(SanType::DnsName(name.try_into().map_err(failed("kube-apiserver"))?));
        }
        self.sign("kube-apiserver", &[], sans, ExtendedKeyUsagePurpose::ServerAuth)
    }

    /// A certificate that makes its holder this user with these groups, at most two.
    pub(crate) fn client(&self, user: &str, groups: &[&str]) -> Result<Identity> {
        if groups.len() > organizations().len() {
            let problem = format!("a certificate holds at most {} groups here", organizations().len());
            return Err(Error::Kubeconfig { user: user.to_owned(), problem });
        }
        self.sign(user, groups, Vec::new(), ExtendedKeyUsagePurpose::ClientAuth)
    }

    fn sign(
        &self,
        name: &str,
        groups: &[&str],
        sans: Vec<SanType>,
        usage: ExtendedKeyUsagePurpose,
    ) -> Result<Identity> {
        let sign = || {
            let mut params = CertificateParams::default();
            params.subject_alt_names = sans;
            params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
            params.extended_key_usages = vec![usage];
            params.use_authority_key_identifier_extension = true;
            params.distinguished_name.push(DnType::CommonName, name);
            for (kind, group) in organizations().into_iter().zip(groups) {
                params.distinguished_name.push(kind, *group);
            }
            let key = KeyPair::generate()?;
            let certificate = params.signed_by(&key, &self.issuer)?;
            Ok(Identity { certificate: certificate.pem(), key: key.serialize_pem() })
        };
        sign().map_err(failed(name))
    }
}

/// The kinds of entry that hold groups: the same to a reader, but two to rcgen, which keeps one entry of each kind.
fn organizations() -> [DnType; 2] {
    [DnType::OrganizationName, DnType::CustomDnType(vec![2, 5, 4, 10])]
}

/// A key pair as PEM, private and public, for signing the tokens of service accounts.
pub(crate) fn key_pair() -> Result<(String, String)> {
    let key = KeyPair::generate().map_err(failed("service accounts"))?;
    Ok((key.serialize_pem(), key.public_key_pem()))
}

fn failed(subject: &str) -> impl FnOnce(rcgen::Error) -> Error {
    let subject = subject.to_owned();
    move |source| Error::Certificate { subject, source }
}
