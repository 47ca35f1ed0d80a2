//! Certificates and requests: making them for tests, and judging what came back.

use std::{fs, net::IpAddr, path::Path, process::Command};

use anyhow::{Context, anyhow, ensure};
use base64::{Engine, prelude::BASE64_STANDARD};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose,
};
use x509_parser::{extensions::GeneralName, pem::Pem, prelude::FromDer, prelude::X509Certificate};

use crate::programs;

/// A certificate request and the key it was made with.
#[derive(Clone)]
pub struct Request {
    /// The request as PEM.
    pub pem: String,
    /// The request as DER, as ACME's finalize wants it.
    pub der: Vec<u8>,
    /// The private key as PKCS #8 PEM.
    pub key_pem: String,
}

impl Request {
    /// A request for `names`, the first of which is the common name too, with a new P-256 key.
    ///
    /// # Errors
    /// When one of `names` cannot stand in a certificate.
    pub fn new(names: &[&str]) -> anyhow::Result<Self> {
        let key = KeyPair::generate()?;
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut parameters = CertificateParams::new(names.clone())?;
        if let Some(first) = names.first() {
            parameters.distinguished_name.push(DnType::CommonName, first.clone());
        }
        let request = parameters.serialize_request(&key)?;
        Ok(Self { pem: request.pem()?, der: request.der().to_vec(), key_pem: key.serialize_pem() })
    }

    /// The request as the REST API takes it: base64 of the PEM.
    pub fn base64(&self) -> String {
        BASE64_STANDARD.encode(&self.pem)
    }
}

/// What tests ask of a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// DNS names and IP addresses of the subject alternative name, in alphabetical order.
    pub names: Vec<String>,
    /// The serial number as lower-case hex, without leading zeros.
    pub serial: String,
    /// Start of validity, in seconds since 1970.
    pub not_before: i64,
    /// End of validity, in seconds since 1970.
    pub not_after: i64,
    /// The subject's public key, as DER `SubjectPublicKeyInfo`.
    pub public_key: Vec<u8>,
}

impl Certificate {
    /// Reads the first certificate of `pem`.
    ///
    /// # Errors
    /// When there is none.
    pub fn from_pem(pem: &str) -> anyhow::Result<Self> {
        let block = blocks(pem)?.into_iter().next().ok_or_else(|| anyhow!("no certificate in {pem:?}"))?;
        let (_, certificate) = X509Certificate::from_der(&block.contents)?;
        let mut names = Vec::new();
        if let Some(extension) = certificate.subject_alternative_name()? {
            names.extend(extension.value.general_names.iter().filter_map(alternative_name));
        }
        names.sort();
        Ok(Self {
            names,
            serial: format!("{:x}", certificate.tbs_certificate.serial),
            not_before: certificate.validity().not_before.timestamp(),
            not_after: certificate.validity().not_after.timestamp(),
            public_key: certificate.public_key().raw.to_vec(),
        })
    }

    /// Whether the private key in `key_pem` (PKCS #8) is this certificate's.
    ///
    /// # Errors
    /// When `key_pem` is not a key.
    pub fn belongs_to_key(&self, key_pem: &str) -> anyhow::Result<bool> {
        use rcgen::PublicKeyData;
        Ok(KeyPair::from_pem(key_pem)?.subject_public_key_info() == self.public_key)
    }
}

/// How many certificates `pem` holds.
///
/// # Errors
/// When it is not PEM.
pub fn count(pem: &str) -> anyhow::Result<usize> {
    Ok(blocks(pem)?.len())
}

/// Lets the `openssl` command verify the first certificate of `chain_pem`, with the others as intermediates.
///
/// # Errors
/// When openssl is missing or does not accept the chain; with its words.
pub fn openssl_verify(chain_pem: &str, root_pem: &str) -> anyhow::Result<()> {
    let directory = tempfile::tempdir()?;
    let [root, chain] = ["root.pem", "chain.pem"].map(|name| directory.path().join(name));
    fs::write(&root, root_pem)?;
    fs::write(&chain, chain_pem)?;
    let mut command = Command::new(programs::system("openssl")?);
    command.args(["verify", "-x509_strict", "-purpose", "sslserver", "-CAfile"]).arg(&root);
    let output = command.arg("-untrusted").arg(&chain).arg(&chain).output()?;
    let words = [output.stdout, output.stderr].concat();
    ensure!(output.status.success(), "openssl does not verify it: {}", String::from_utf8_lossy(&words));
    Ok(())
}

/// Makes a CA and a server certificate for localhost and 127.0.0.1: `ca.pem`, `server.pem` and `server.key`.
pub(crate) fn write_server_identity(directory: &Path) -> anyhow::Result<()> {
    let mut authority = CertificateParams::new(Vec::new())?;
    authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    authority.distinguished_name.push(DnType::CommonName, "test servers' CA");
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate()?)?;
    let mut server = CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()])?;
    server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    server.use_authority_key_identifier_extension = true;
    let key = KeyPair::generate()?;
    let certificate = server.signed_by(&key, &authority)?;
    let files = [("ca.pem", authority.pem()), ("server.pem", certificate.pem()), ("server.key", key.serialize_pem())];
    for (name, text) in files {
        fs::write(directory.join(name), text).with_context(|| format!("cannot write {name}"))?;
    }
    Ok(())
}

fn blocks(pem: &str) -> anyhow::Result<Vec<Pem>> {
    let blocks: Result<Vec<Pem>, _> = Pem::iter_from_buffer(pem.as_bytes()).collect();
    Ok(blocks?.into_iter().filter(|block| block.label == "CERTIFICATE").collect())
}

fn alternative_name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(octets) => match octets.len() {
            4 => Some(IpAddr::from(<[u8; 4]>::try_from(*octets).ok()?).to_string()),
            _ => Some(IpAddr::from(<[u8; 16]>::try_from(*octets).ok()?).to_string()),
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn openssl_accepts_a_chain_and_refuses_a_foreign_root() {
        let [one, other] = [(); 2].map(|()| tempfile::tempdir().unwrap());
        for directory in [&one, &other] {
            write_server_identity(directory.path()).unwrap();
        }
        let read = |name: &str| fs::read_to_string(one.path().join(name)).unwrap();
        openssl_verify(&read("server.pem"), &read("ca.pem")).unwrap();
        let foreign = fs::read_to_string(other.path().join("ca.pem")).unwrap();
        openssl_verify(&read("server.pem"), &foreign).unwrap_err();
        let certificate = Certificate::from_pem(&read("server.pem")).unwrap();
        assert_eq!(certificate.names, ["127.0.0.1", "localhost"]);
        assert!(certificate.belongs_to_key(&read("server.key")).unwrap());
        assert!(!certificate.belongs_to_key(&Request::new(&["a.test"]).unwrap().key_pem).unwrap());
    }
}
