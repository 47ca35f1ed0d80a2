//! Endpoints of certificates. Every one is confined to the certificates of the token's owner.

use acme_manager_api::CertificateParams;

use super::error::{ApiError, Subject};
use crate::names::{CertificateId, CertificateKey, Owner};

pub(super) mod create;
pub(super) mod delete;
pub(super) mod metadata;
pub(super) mod read;
pub(super) mod update;

/// The id of a certificate named by issuer and domain, or by `?name=`, which makes the two mean nothing.
fn id_by_issuer(owner: &Owner, issuer: &str, domain: &str, name: Option<&str>) -> Result<CertificateId, ApiError> {
    match name {
        Some(name) => id_by_name(owner, name),
        None => {
            let key = CertificateKey::Pair { issuer: issuer.parse()?, domain: domain.parse()? };
            Ok(CertificateId { owner: owner.clone(), key })
        }
    }
}

fn id_by_name(owner: &Owner, name: &str) -> Result<CertificateId, ApiError> {
    Ok(CertificateId { owner: owner.clone(), key: CertificateKey::Named(name.parse()?) })
}

/// What an error about this certificate repeats.
fn subject_of(id: &CertificateId) -> Subject {
    let owner = id.owner.to_string();
    match &id.key {
        CertificateKey::Named(name) => Subject { owner, name: name.to_string(), ..Subject::default() },
        CertificateKey::Pair { issuer, domain } => {
            Subject { owner, issuer: issuer.to_string(), domain: domain.to_string(), ..Subject::default() }
        }
    }
}

/// What an error about a requested certificate repeats.
fn subject_of_request(owner: &Owner, params: &CertificateParams) -> Subject {
    Subject {
        owner: owner.to_string(),
        domain: params.domain.clone(),
        issuer: params.issuer.clone(),
        name: params.name.clone(),
    }
}

/// The requested certificate in the audit log, before it is known whether the names are valid.
fn target_of_request(owner: &Owner, params: &CertificateParams) -> String {
    match params.name.as_str() {
        "" => format!("{owner}/{}/{}", params.issuer, params.domain),
        name => format!("{owner}/{name}"),
    }
}
