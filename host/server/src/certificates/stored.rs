//! Certificates in the store: the existing system's field names, plus `key` for keys that the server made.

use acme_manager_api::{Certificate, CertificateMetadata, CertificateParams};
use serde_json::{Map, Value, json};

use crate::clock::parse_date;
use crate::names::{CertificateId, CertificateKey, Owner};
use crate::records::CertificateRecord;
use crate::storage::{Secret, Version, Versioned};

pub(super) fn to_secret(certificate: &Certificate) -> Secret {
    let mut fields = Map::new();
    // The existing system writes every field, also empty ones; a plain conversion would leave those out.
    let m = &certificate.metadata;
    for (name, value) in [
        ("domain", &m.domain),
        ("issuer", &m.issuer),
        ("san", &m.san),
        ("renewal_days", &m.renewal_days),
        ("renewal_date", &m.renewal_date),
        ("dns_challenge", &m.dns_challenge),
        ("http_challenge", &m.http_challenge),
        ("expires", &m.expires),
        ("fingerprint", &m.fingerprint),
        ("owner", &m.owner),
        ("csr", &m.csr),
        ("labels", &m.labels),
        ("encryption", &m.encryption),
        ("serial", &m.serial),
        ("key_type", &m.key_type),
        ("profile", &m.profile),
        ("name", &m.name),
        ("cert", &certificate.cert),
        ("ca_issuer", &certificate.ca_issuer),
        ("url", &certificate.url),
    ] {
        fields.insert(name.to_owned(), json!(value));
    }
    fields.insert("bundle".to_owned(), json!(m.bundle));
    fields.insert("days".to_owned(), json!(m.days));
    fields.insert("renewal_count".to_owned(), json!(m.renewal_count));
    fields.insert("updated_at".to_owned(), json!(m.updated_at));
    if !certificate.key.is_empty() {
        fields.insert("key".to_owned(), json!(certificate.key));
    }
    Secret(fields)
}

/// Reads a stored certificate. Fields that are missing or of another type count as not set: the existing system
/// wrote fewer of them in its older versions.
pub(super) fn from_secret(secret: &Secret) -> Certificate {
    let text = |name: &str| secret.0.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let number = |name: &str| match secret.0.get(name) {
        Some(Value::Number(number)) => number.as_i64().unwrap_or(0),
        Some(Value::String(text)) => text.parse().unwrap_or(0),
        _ => 0,
    };
    let metadata = CertificateMetadata {
        domain: text("domain"),
        issuer: text("issuer"),
        bundle: secret.0.get("bundle").is_some_and(|v| v == &json!(true) || v == &json!("true")),
        san: text("san"),
        days: i32::try_from(number("days")).unwrap_or(0),
        renewal_days: text("renewal_days"),
        renewal_date: text("renewal_date"),
        dns_challenge: text("dns_challenge"),
        http_challenge: text("http_challenge"),
        expires: text("expires"),
        fingerprint: text("fingerprint"),
        owner: text("owner"),
        csr: text("csr"),
        labels: text("labels"),
        encryption: text("encryption"),
        serial: text("serial"),
        key_type: text("key_type"),
        updated_at: number("updated_at"),
        profile: text("profile"),
        renewal_count: number("renewal_count"),
        name: text("name"),
    };
    Certificate { metadata, cert: text("cert"), ca_issuer: text("ca_issuer"), url: text("url"), key: text("key") }
}

/// The record of a stored certificate found at `place` (`<owner>/<issuer>/<domain>` or `<owner>/<name>`).
/// `Err` says why the secret is no certificate of ours.
pub(super) fn record(place: &str, found: &Versioned) -> Result<CertificateRecord, &'static str> {
    let certificate = from_secret(&found.secret);
    if certificate.cert.is_empty() {
        return Err("it holds no certificate");
    }
    let id = id_of(place).ok_or("its path is not <owner>/<issuer>/<domain> or <owner>/<name>")?;
    let mut metadata = certificate.metadata;
    // Very old secrets do not repeat what the path says.
    metadata.owner = id.owner.to_string();
    if let CertificateKey::Pair { issuer, domain } = &id.key {
        metadata.issuer = issuer.to_string();
        metadata.domain = domain.to_string();
    }
    Ok(new_record(id, metadata, !certificate.key.is_empty(), found.version))
}

pub(super) fn new_record(
    id: CertificateId,
    metadata: CertificateMetadata,
    server_key: bool,
    version: Version,
) -> CertificateRecord {
    CertificateRecord { id, expires: parse_date(&metadata.expires), metadata, server_key, version: version.0 }
}

fn id_of(place: &str) -> Option<CertificateId> {
    let segments: Vec<&str> = place.split('/').collect();
    let key = match segments.as_slice() {
        [_, name] => CertificateKey::Named(name.parse().ok()?),
        [_, issuer, domain] => CertificateKey::Pair { issuer: issuer.parse().ok()?, domain: domain.parse().ok()? },
        _ => return None,
    };
    Some(CertificateId { owner: segments.first()?.parse().ok()?, key })
}

/// What a request makes of the metadata; the rest comes with the certificate.
pub(super) fn metadata_of(owner: &Owner, params: &CertificateParams) -> CertificateMetadata {
    CertificateMetadata {
        domain: params.domain.clone(),
        issuer: params.issuer.clone(),
        bundle: params.bundle,
        san: params.san.clone(),
        days: params.days,
        renewal_days: params.renewal_days.clone(),
        dns_challenge: params.dns_challenge.clone(),
        http_challenge: params.http_challenge.clone(),
        owner: owner.to_string(),
        labels: params.labels.clone(),
        key_type: params.key_type.clone(),
        profile: params.profile.clone(),
        name: params.name.clone(),
        ..CertificateMetadata::default()
    }
}
