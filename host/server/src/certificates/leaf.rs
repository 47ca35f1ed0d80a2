//! What is read off an issued certificate, and whether it is the one that was asked for.

use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::pem::Pem;
use x509_parser::prelude::FromDer;
use x509_parser::public_key::PublicKey;

use super::csr::Csr;
use super::error::CertificateError;
use crate::names::DomainName;

/// A certificate as issued, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Leaf {
    /// The leaf in PEM, or leaf and chain if a bundle was asked for.
    pub(crate) cert: String,
    /// The chain in PEM without the leaf.
    pub(crate) ca_issuer: String,
    /// The leaf in DER.
    pub(crate) der: Vec<u8>,
    /// Lower-case hex, as the existing system writes it.
    pub(crate) serial: String,
    /// `RSA-<bits>` or `ECDSA-<bits>`.
    pub(crate) encryption: String,
    /// Begin of validity.
    pub(crate) not_before: OffsetDateTime,
    /// End of validity.
    pub(crate) not_after: OffsetDateTime,
}

impl Leaf {
    /// Takes a chain apart and checks that its leaf has the request's key and all of its names.
    ///
    /// # Errors
    /// When it is no chain, or the leaf is not what was asked for.
    pub(crate) fn check(chain: &str, bundle: bool, csr: &Csr, names: &[DomainName]) -> Result<Self, CertificateError> {
        let leaf = Self::parse(chain, bundle)?;
        let (_, certificate) = X509Certificate::from_der(&leaf.der).map_err(|e| wrong(&e.to_string()))?;
        if certificate.public_key().raw != csr.public_key()?.as_slice() {
            return Err(wrong("its public key is not the one in the request"));
        }
        let found = certificate_names(&certificate);
        if let Some(missing) = names.iter().find(|name| !found.iter().any(|f| f.eq_ignore_ascii_case(name.as_str()))) {
            return Err(wrong(&format!("it lacks the name {missing}")));
        }
        Ok(leaf)
    }

    /// Takes a chain apart.
    ///
    /// # Errors
    /// When there is no certificate in it, or it cannot be read.
    pub(crate) fn parse(chain: &str, bundle: bool) -> Result<Self, CertificateError> {
        let blocks: Vec<String> = certificates_in(chain)?;
        let Some((leaf, rest)) = blocks.split_first() else {
            return Err(wrong("there is no certificate in the answer"));
        };
        let pem = first_block(leaf)?;
        let (_, certificate) = X509Certificate::from_der(&pem.contents).map_err(|e| wrong(&e.to_string()))?;
        let validity = certificate.validity();
        Ok(Self {
            cert: if bundle { blocks.concat() } else { leaf.clone() },
            ca_issuer: rest.concat(),
            serial: format!("{:x}", certificate.tbs_certificate.serial),
            encryption: encryption(&certificate),
            not_before: validity.not_before.to_datetime(),
            not_after: validity.not_after.to_datetime(),
            der: pem.contents.clone(),
        })
    }

    /// Hex SHA-256 of the stored text, not of the DER: agents compare it with the file they wrote.
    #[must_use]
    pub(crate) fn fingerprint(&self) -> String {
        hex::encode(Sha256::digest(self.cert.as_bytes()))
    }
}

/// The certificates of a PEM text, each as its own block with `\n` line ends.
fn certificates_in(chain: &str) -> Result<Vec<String>, CertificateError> {
    const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
    const END: &str = "-----END CERTIFICATE-----";
    let mut blocks = Vec::new();
    let mut rest = chain;
    while let Some(begin) = rest.find(BEGIN) {
        let Some(length) = rest[begin..].find(END) else {
            return Err(wrong("a certificate in the answer is cut off"));
        };
        let end = begin + length + END.len();
        blocks.push(format!("{}\n", rest[begin..end].replace("\r\n", "\n")));
        rest = &rest[end..];
    }
    Ok(blocks)
}

fn first_block(pem: &str) -> Result<Pem, CertificateError> {
    x509_parser::pem::parse_x509_pem(pem.as_bytes()).map(|(_, block)| block).map_err(|e| wrong(&e.to_string()))
}

fn certificate_names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(san)) = certificate.subject_alternative_name() else { return Vec::new() };
    let text = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(dns) => Some((*dns).to_owned()),
        GeneralName::IPAddress(bytes) => match bytes.len() {
            4 => <[u8; 4]>::try_from(*bytes).ok().map(|b| std::net::Ipv4Addr::from(b).to_string()),
            _ => <[u8; 16]>::try_from(*bytes).ok().map(|b| std::net::Ipv6Addr::from(b).to_string()),
        },
        _ => None,
    };
    san.value.general_names.iter().filter_map(text).collect()
}

fn encryption(certificate: &X509Certificate<'_>) -> String {
    match certificate.public_key().parsed() {
        Ok(PublicKey::RSA(key)) => format!("RSA-{}", key.key_size()),
        Ok(PublicKey::EC(point)) => format!("ECDSA-{}", point.key_size()),
        _ => "unknown".to_owned(),
    }
}

fn wrong(reason: &str) -> CertificateError {
    CertificateError::WrongCertificate { reason: reason.to_owned() }
}

#[cfg(test)]
mod tests;
