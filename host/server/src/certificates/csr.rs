//! Certificate requests (RFC 2986): those that clients send, and those that the server makes with a new key.

use base64::prelude::{BASE64_STANDARD, Engine};
use rcgen::{
    CertificateParams as RcgenParams, DistinguishedName, DnType, KeyPair, PKCS_ECDSA_P256_SHA256,
    PKCS_ECDSA_P384_SHA384,
};
use secrecy::SecretString;
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::prelude::FromDer;

use super::error::CertificateError;
use super::request::{KeyType, invalid};
use crate::names::DomainName;

/// A request of a hundred names with an 8192-bit key takes less than a tenth of this.
const MAX_CSR: usize = 64 * 1024;

/// A certificate request with a good signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Csr {
    /// Base64 of PEM, as on the wire.
    pub(crate) encoded: String,
    /// The request itself.
    pub(crate) der: Vec<u8>,
}

impl Csr {
    /// Reads what a client sent and checks that it is signed with its own key and asks for exactly `names`.
    ///
    /// # Errors
    /// With field `csr`, or `domain` or `san` when the names differ.
    pub(crate) fn parse(encoded: &str, names: &[DomainName]) -> Result<Self, CertificateError> {
        let csr = Self::decode(encoded)?;
        let (_, request) = X509CertificationRequest::from_der(&csr.der)
            .map_err(|e| invalid("csr", &format!("is no PKCS#10 certificate request: {e}")))?;
        request.verify_signature().map_err(|_| {
            invalid("csr", "its signature does not fit its key, or the signature algorithm is not supported")
        })?;
        compare(&requested_names(&request)?, names)?;
        Ok(csr)
    }

    /// Reads a request that was checked before it was stored.
    ///
    /// # Errors
    /// When it is not base64 of PEM.
    pub(crate) fn decode(encoded: &str) -> Result<Self, CertificateError> {
        if encoded.len() > MAX_CSR {
            return Err(invalid("csr", "is longer than 64 KiB"));
        }
        let pem = BASE64_STANDARD
            .decode(encoded.trim())
            .map_err(|_| invalid("csr", "is not standard base64 of a PEM text"))?;
        let (_, block) = x509_parser::pem::parse_x509_pem(&pem)
            .map_err(|_| invalid("csr", "holds no PEM block after base64 decoding"))?;
        if !matches!(block.label.as_str(), "CERTIFICATE REQUEST" | "NEW CERTIFICATE REQUEST") {
            return Err(invalid("csr", &format!("holds a PEM block {:?}, expected CERTIFICATE REQUEST", block.label)));
        }
        Ok(Self { encoded: encoded.trim().to_owned(), der: block.contents })
    }

    /// The public key, as `SubjectPublicKeyInfo` in DER.
    ///
    /// # Errors
    /// When the request cannot be read.
    pub(crate) fn public_key(&self) -> Result<Vec<u8>, CertificateError> {
        let (_, request) = X509CertificationRequest::from_der(&self.der)
            .map_err(|e| invalid("csr", &format!("is no PKCS#10 certificate request: {e}")))?;
        Ok(request.certification_request_info.subject_pki.raw.to_vec())
    }
}

/// A new key and a request for it.
#[derive(Debug)]
pub(crate) struct MadeRequest {
    /// The request.
    pub(crate) csr: Csr,
    /// The key in PEM (PKCS#8).
    pub(crate) key: SecretString,
}

/// Makes a key of `key_type` (P-256 if not given) and a request for `names`.
///
/// # Errors
/// When the type cannot be made here, or a name does not fit into a request.
pub(crate) fn make(names: &[DomainName], key_type: Option<KeyType>) -> Result<MadeRequest, CertificateError> {
    let algorithm = match key_type {
        None | Some(KeyType::Ec256) => &PKCS_ECDSA_P256_SHA256,
        Some(KeyType::Ec384) => &PKCS_ECDSA_P384_SHA384,
        Some(KeyType::Rsa(_)) => {
            let reason = "the server makes keys of type ec256 and ec384; for RSA make the key yourself and send a csr";
            return Err(invalid("key_type", reason));
        }
    };
    let internal = |e: rcgen::Error| CertificateError::Internal(format!("cannot make a certificate request: {e}"));
    let key = KeyPair::generate_for(algorithm).map_err(internal)?;
    let texts: Vec<String> = names.iter().map(|name| name.as_str().to_ascii_lowercase()).collect();
    let mut params = RcgenParams::new(texts).map_err(internal)?;
    params.distinguished_name = DistinguishedName::new();
    // X.520 limits a common name to 64 characters; a longer name stays in the extension alone.
    if let Some(first) = names.first()
        && first.as_str().len() <= 64
    {
        params.distinguished_name.push(DnType::CommonName, first.as_str().to_ascii_lowercase());
    }
    let request = params.serialize_request(&key).map_err(internal)?;
    let pem = request.pem().map_err(internal)?;
    let csr = Csr { encoded: BASE64_STANDARD.encode(pem), der: request.der().to_vec() };
    Ok(MadeRequest { csr, key: key.serialize_pem().into() })
}

/// Common name first, then the DNS names and addresses of the extension, without repetition.
fn requested_names(request: &X509CertificationRequest<'_>) -> Result<Vec<String>, CertificateError> {
    let mut names: Vec<String> = Vec::new();
    let mut add = |name: String| {
        if !names.iter().any(|known| known.eq_ignore_ascii_case(&name)) {
            names.push(name);
        }
    };
    for common in request.certification_request_info.subject.iter_common_name() {
        add(common.as_str().map_err(|_| invalid("csr", "its common name is not text"))?.to_owned());
    }
    for extension in request.requested_extensions().into_iter().flatten() {
        if let ParsedExtension::SubjectAlternativeName(san) = extension {
            for name in &san.general_names {
                match name {
                    GeneralName::DNSName(dns) => add((*dns).to_owned()),
                    GeneralName::IPAddress(bytes) => add(ip_text(bytes)?),
                    other => {
                        return Err(invalid(
                            "csr",
                            &format!("asks for a name of a type other than DNS or IP: {other}"),
                        ));
                    }
                }
            }
        }
    }
    if names.is_empty() {
        return Err(invalid("csr", "names nothing: it has neither a common name nor subject alternative names"));
    }
    Ok(names)
}

fn ip_text(bytes: &[u8]) -> Result<String, CertificateError> {
    if let Ok(v4) = <[u8; 4]>::try_from(bytes) {
        Ok(std::net::Ipv4Addr::from(v4).to_string())
    } else if let Ok(v6) = <[u8; 16]>::try_from(bytes) {
        Ok(std::net::Ipv6Addr::from(v6).to_string())
    } else {
        Err(invalid("csr", "holds an IP address of a wrong length"))
    }
}

fn compare(requested: &[String], names: &[DomainName]) -> Result<(), CertificateError> {
    let first = names.first().map(DomainName::as_str).unwrap_or_default();
    if !requested.first().is_some_and(|name| name.eq_ignore_ascii_case(first)) {
        let found = requested.first().map(String::as_str).unwrap_or_default();
        return Err(invalid("domain", &format!("is {first:?}, but the csr's first name is {found:?}")));
    }
    let holds = |list: &[String], name: &str| list.iter().any(|other| other.eq_ignore_ascii_case(name));
    let asked: Vec<String> = names.iter().map(ToString::to_string).collect();
    if let Some(extra) = requested.iter().find(|name| !holds(&asked, name)) {
        return Err(invalid("san", &format!("lacks {extra:?}, which the csr asks for")));
    }
    if let Some(missing) = asked.iter().find(|name| !holds(requested, name)) {
        return Err(invalid("san", &format!("holds {missing:?}, which the csr does not ask for")));
    }
    Ok(())
}

#[cfg(test)]
pub(crate) mod tests;
