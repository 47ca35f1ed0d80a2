//! What a request asks for beside the names: the challenge, and whether a change needs another certificate.

use acme_manager_api::CertificateParams;

use super::request::{Challenge, Request};
use super::{CertificateError, Certificates};
use crate::challenges::ChallengeError;
use crate::names::DomainName;
use crate::records::CertificateRecord;

/// The one provider of HTTP-01, by the existing system's name.
const HTTP_PROVIDER: &str = "kvring";

impl Certificates {
    /// Finds out before anything is written whether the request can be proven at all.
    pub(super) async fn check_challenge(&self, request: &Request) -> Result<(), CertificateError> {
        let default = self.accounts.configured(&request.issuer).and_then(|c| c.default_challenge.as_ref());
        match request.challenge.as_ref().or(default) {
            None => Err(CertificateError::NoChallenge { issuer: request.issuer.clone() }),
            Some(Challenge::Dns(provider)) => {
                self.solver.providers().require(provider).await?;
                match request.names.iter().find_map(DomainName::ip) {
                    Some(address) => Err(ChallengeError::IpAddress { address }.into()),
                    None => Ok(()),
                }
            }
            Some(Challenge::Http(provider)) if provider.as_str() == HTTP_PROVIDER => {
                if request.names.iter().any(DomainName::is_wildcard) {
                    let reason = "a wildcard can only be proven over DNS: set dns_challenge".to_owned();
                    return Err(CertificateError::Invalid { field: "domain", reason });
                }
                Ok(())
            }
            Some(Challenge::Http(provider)) => Err(CertificateError::Invalid {
                field: "http_challenge",
                reason: format!("{provider} is not known: {HTTP_PROVIDER} is the one HTTP challenge provider"),
            }),
        }
    }
}

/// The challenge that a request asks for, or the issuer's.
pub(super) fn wanted_challenge(
    params: &CertificateParams,
    default: Option<&Challenge>,
) -> Result<Option<Challenge>, CertificateError> {
    if !params.dns_challenge.is_empty() {
        return Ok(Some(Challenge::Dns(params.dns_challenge.parse()?)));
    }
    if !params.http_challenge.is_empty() {
        return Ok(Some(Challenge::Http(params.http_challenge.parse()?)));
    }
    Ok(default.cloned())
}

/// Whether a change asks for another certificate, not only for other settings.
pub(super) fn needs_another(request: &Request, known: &CertificateRecord) -> bool {
    let (new, old) = (&request.params, &known.metadata);
    let other_key = match &request.csr {
        Some(csr) => csr.encoded != old.csr,
        None => new.key_type != old.key_type,
    };
    other_key
        || new.domain != old.domain
        || new.issuer != old.issuer
        || new.san != old.san
        || new.days != old.days
        || new.bundle != old.bundle
        || new.dns_challenge != old.dns_challenge
        || new.http_challenge != old.http_challenge
        || new.key_type != old.key_type
        || new.profile != old.profile
}
