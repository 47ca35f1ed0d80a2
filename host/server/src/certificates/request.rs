//! What a client asks for, parsed once: the body of `POST` and `PUT` becomes a `Request` or a list of mistakes.

use acme_manager_api::CertificateParams;

use super::csr::Csr;
use super::error::CertificateError;
use crate::durations::RenewalDays;
use crate::names::{CertificateId, CertificateName, DomainName, IssuerName, Owner, ProviderName};

/// A provider and the type of challenge it answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Challenge {
    /// A TXT record set through a plugin.
    Dns(ProviderName),
    /// A file that this server serves.
    Http(ProviderName),
}

/// Kinds of keys that certificates have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyType {
    /// RSA with this many bits.
    Rsa(u16),
    /// ECDSA on P-256.
    Ec256,
    /// ECDSA on P-384.
    Ec384,
}

/// A checked request for a certificate.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// Which certificate it is about.
    pub id: CertificateId,
    /// All names, the first one first, without repetition.
    pub names: Vec<DomainName>,
    /// Who shall issue.
    pub issuer: IssuerName,
    /// The client's certificate request, if it sent one.
    pub csr: Option<Csr>,
    /// How to prove control; `None` follows the issuer's default.
    pub challenge: Option<Challenge>,
    /// Kind of key; `None` if not given.
    pub key_type: Option<KeyType>,
    /// The body as it came, for the record.
    pub params: CertificateParams,
}

/// Checks a body in the order of the existing system, and stops at the first mistake.
///
/// # Errors
/// With the field and the reason.
pub(crate) fn parse(
    owner: &Owner,
    params: CertificateParams,
    issuers: &[IssuerName],
) -> Result<Request, CertificateError> {
    required("domain", &params.domain)?;
    required("issuer", &params.issuer)?;
    let issuer = known_issuer(&params.issuer, issuers)?;
    let name = match params.name.as_str() {
        "" => None,
        text => Some(text.parse::<CertificateName>().map_err(|e| invalid("name", e.reason))?),
    };
    let domain = params.domain.parse::<DomainName>().map_err(|e| invalid("domain", e.reason))?;
    let renewal_days = match params.renewal_days.as_str() {
        "" => None,
        text => Some(text.parse::<RenewalDays>().map_err(|e| invalid("renewal_days", &e.to_string()))?),
    };
    check_days(params.days, renewal_days)?;
    let challenge = challenge(&params)?;
    check_labels(&params.labels)?;
    let key_type = match params.key_type.as_str() {
        "" => None,
        text => Some(key_type(text)?),
    };
    check_profile(&params.profile)?;
    let names = names(&domain, &params.san)?;
    let csr = match params.csr.as_str() {
        "" => None,
        text => Some(Csr::parse(text, &names)?),
    };
    if let Some(Challenge::Http(_)) = challenge
        && names.iter().any(DomainName::is_wildcard)
    {
        return Err(invalid("http_challenge", "a wildcard can only be proven with dns_challenge (RFC 8555 §7.1.3)"));
    }
    let id = CertificateId::new(owner.clone(), issuer.clone(), domain, name);
    Ok(Request { id, names, issuer, csr, challenge, key_type, params })
}

/// The names of `san`: trimmed, without the first name and repetitions.
pub(super) fn names(domain: &DomainName, san: &str) -> Result<Vec<DomainName>, CertificateError> {
    /// The limit of the public CAs.
    const MAX_NAMES: usize = 100;
    let mut names = vec![domain.clone()];
    for text in san.split(',').map(str::trim).filter(|text| !text.is_empty()) {
        let name = text.parse::<DomainName>().map_err(|e| invalid("san", &format!("{text:?}: {}", e.reason)))?;
        if !names.iter().any(|known| known.as_str().eq_ignore_ascii_case(name.as_str())) {
            names.push(name);
        }
    }
    if names.len() > MAX_NAMES {
        return Err(invalid("san", "a certificate holds at most 100 names"));
    }
    Ok(names)
}

fn known_issuer(text: &str, issuers: &[IssuerName]) -> Result<IssuerName, CertificateError> {
    issuers.iter().find(|issuer| issuer.as_str() == text).cloned().ok_or_else(|| {
        let known: Vec<&str> = issuers.iter().map(IssuerName::as_str).collect();
        let text: String = text.chars().take(100).collect();
        invalid("issuer", &format!("{text:?} is not configured; configured are: {}", known.join(", ")))
    })
}

fn check_days(days: i32, renewal_days: Option<RenewalDays>) -> Result<(), CertificateError> {
    /// No public or private CA issues leaf certificates for longer than ten years.
    const MAX_DAYS: i32 = 3660;
    if !(0..=MAX_DAYS).contains(&days) {
        return Err(invalid("days", "expected 0 (the CA decides) to 3660"));
    }
    if let Some(window) = renewal_days
        && days != 0
        && i64::from(days) <= i64::from(window.max())
    {
        return Err(invalid("renewal_days", "both bounds must be less than days"));
    }
    Ok(())
}

fn challenge(params: &CertificateParams) -> Result<Option<Challenge>, CertificateError> {
    let provider =
        |field: &'static str, text: &str| text.parse().map_err(|e: crate::names::NameError| invalid(field, e.reason));
    match (params.dns_challenge.as_str(), params.http_challenge.as_str()) {
        ("", "") => Ok(None),
        (dns, "") => Ok(Some(Challenge::Dns(provider("dns_challenge", dns)?))),
        ("", http) => Ok(Some(Challenge::Http(provider("http_challenge", http)?))),
        _ => Err(invalid("dns_challenge", "dns_challenge and http_challenge exclude each other")),
    }
}

/// Labels become labels of a metric, so they obey its grammar and must not take the built-in names.
fn check_labels(labels: &str) -> Result<(), CertificateError> {
    const BUILT_IN: [&str; 7] = ["issuer", "owner", "domain", "name", "expires", "encryption", "serial"];
    for item in labels.split(',').map(str::trim).filter(|item| !item.is_empty()) {
        let Some((key, value)) = item.split_once('=') else {
            return Err(invalid("labels", &format!("{item:?} is not of the form key=value")));
        };
        let mut characters = key.chars();
        let first = characters.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
        if !first || !characters.all(|c| c.is_ascii_alphanumeric() || c == '_') {
            return Err(invalid("labels", &format!("{key:?}: a key is made of letters, digits and `_`")));
        }
        if key.starts_with("__") || BUILT_IN.contains(&key) {
            return Err(invalid("labels", &format!("{key:?} is a reserved key")));
        }
        if value.contains('=') {
            return Err(invalid("labels", &format!("{item:?} holds more than one `=`")));
        }
    }
    Ok(())
}

fn key_type(text: &str) -> Result<KeyType, CertificateError> {
    match text.to_ascii_lowercase().as_str() {
        "rsa2048" => Ok(KeyType::Rsa(2048)),
        "rsa3072" => Ok(KeyType::Rsa(3072)),
        "rsa4096" => Ok(KeyType::Rsa(4096)),
        "rsa8192" => Ok(KeyType::Rsa(8192)),
        "ec256" => Ok(KeyType::Ec256),
        "ec384" => Ok(KeyType::Ec384),
        _ => Err(invalid("key_type", "expected rsa2048, rsa3072, rsa4096, rsa8192, ec256 or ec384")),
    }
}

fn check_profile(profile: &str) -> Result<(), CertificateError> {
    if profile.len() <= 64 && profile.bytes().all(|b| b.is_ascii_graphic()) {
        Ok(())
    } else {
        Err(invalid("profile", "expected up to 64 printable ASCII characters"))
    }
}

fn required(field: &'static str, text: &str) -> Result<(), CertificateError> {
    if text.is_empty() { Err(invalid(field, "required")) } else { Ok(()) }
}

pub(super) fn invalid(field: &'static str, reason: &str) -> CertificateError {
    CertificateError::Invalid { field, reason: reason.to_owned() }
}

#[cfg(test)]
mod tests;
