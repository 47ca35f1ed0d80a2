//! The REST wire types of acme-manager: what clients send and get, shared by server, agent and OpenAPI document.
//!
//! No logic lives here. Names, optional fields and number types are those of the existing Go system, so that its
//! clients go on working; what is new is optional. Fields with a zero value are left out of certificate answers, as
//! that system does. Secrets appear in exactly three places, each shown once to whoever owns them:
//! [`TokenCreated::token`], [`Certificate::key`] and the request's `csr` (which is not secret).

mod plugins;

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use plugins::{PluginCalls, PluginKind, PluginLimits, PluginState, PluginStatus};

/// Body of `POST /api/v1/certificate` and `PUT /api/v1/certificate`. Unknown fields are ignored.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct CertificateParams {
    /// First name of the certificate, for example `www.example.com` or `*.example.com`. Required.
    #[schema(required = true, example = "www.example.com")]
    pub domain: String,
    /// Key of a configured issuer. Required.
    #[schema(required = true, example = "letsencrypt")]
    pub issuer: String,
    /// Optional name that identifies the certificate instead of issuer and domain.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Standard base64 of a PEM certificate request. When empty, the server makes key and request and returns the key.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub csr: String,
    /// Further names, separated by commas.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub san: String,
    /// Whether `cert` holds the chain after the leaf.
    #[serde(skip_serializing_if = "is_false")]
    pub bundle: bool,
    /// Wanted validity in days; 0 leaves it to the CA. Stored and shown; the validity is the CA's for now.
    #[serde(skip_serializing_if = "is_zero")]
    pub days: i32,
    /// When to renew, in days before the end: `N` or `MIN-MAX`. Empty means the server's default.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schema(example = "20-30")]
    pub renewal_days: String,
    /// Name of the DNS provider. Empty means the issuer's.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schema(example = "cloudflare")]
    pub dns_challenge: String,
    /// Name of the HTTP challenge provider; excludes `dns_challenge`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub http_challenge: String,
    /// Labels of the certificate's metrics: `key=value`, separated by commas.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schema(example = "team=web,env=prod")]
    pub labels: String,
    /// Key type: `rsa2048`, `rsa3072`, `rsa4096`, `rsa8192`, `ec256` or `ec384`; used when the server makes the key.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schema(example = "ec256")]
    pub key_type: String,
    /// ACME profile asked of the CA.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub profile: String,
    /// `PUT` only: revoke the version that this one replaces, after the new one is stored.
    #[serde(skip_serializing_if = "is_false")]
    pub revoke: bool,
}

/// What is known of a certificate besides its content: one entry of `GET /api/v1/certificate/metadata`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct CertificateMetadata {
    /// First name of the certificate.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schema(example = "www.example.com")]
    pub domain: String,
    /// Key of the issuer.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schema(example = "letsencrypt")]
    pub issuer: String,
    /// Whether `cert` holds the chain.
    #[serde(skip_serializing_if = "is_false")]
    pub bundle: bool,
    /// Further names, separated by commas, as requested.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub san: String,
    /// Requested validity in days.
    #[serde(skip_serializing_if = "is_zero")]
    pub days: i32,
    /// Requested renewal window in days before the end.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schema(example = "20-30")]
    pub renewal_days: String,
    /// When the renewal is due: `YYYY-MM-DD HH:MM:SS +0000 UTC`.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schema(example = "2026-12-28 04:11:09 +0000 UTC")]
    pub renewal_date: String,
    /// Requested DNS provider.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub dns_challenge: String,
    /// Requested HTTP challenge provider.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub http_challenge: String,
    /// End of validity: `YYYY-MM-DD HH:MM:SS +0000 UTC`.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schema(example = "2027-01-21 20:11:05 +0000 UTC")]
    pub expires: String,
    /// Hex SHA-256 of the text in `cert`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub fingerprint: String,
    /// User name of the token that owns it.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schema(example = "web-team")]
    pub owner: String,
    /// The certificate request, base64 of PEM.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub csr: String,
    /// Labels as requested.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub labels: String,
    /// Kind of public key: `RSA-<bits>` or `ECDSA-<bits>`.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schema(example = "ECDSA-256")]
    pub encryption: String,
    /// Serial number, lower-case hex.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub serial: String,
    /// Requested key type.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub key_type: String,
    /// Milliseconds since 1970 of the last change.
    #[serde(skip_serializing_if = "is_zero_long")]
    pub updated_at: i64,
    /// Requested ACME profile.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub profile: String,
    /// How often it was renewed.
    #[serde(skip_serializing_if = "is_zero_long")]
    pub renewal_count: i64,
    /// Its name, if it has one.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
}

/// A certificate with its content: the answer of `POST`, `PUT` and `GET` on certificates.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Certificate {
    /// What is known of it.
    #[serde(flatten)]
    pub metadata: CertificateMetadata,
    /// The certificate in PEM: the leaf, followed by the chain if `bundle` is set.
    #[serde(default)]
    pub cert: String,
    /// The chain in PEM, without the leaf.
    #[serde(default)]
    pub ca_issuer: String,
    /// Where the CA keeps it.
    #[serde(default)]
    pub url: String,
    /// The private key in PEM (PKCS#8), only if the server made it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub key: String,
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate").field("metadata", &self.metadata).finish_non_exhaustive()
    }
}

/// Body of `POST /api/v1/token` and `PUT /api/v1/token`. Unknown fields are ignored.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct TokenParams {
    /// Which token to replace; `PUT` only.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub id: String,
    /// Owner of everything made with the token. Required.
    #[schema(required = true, example = "web-team")]
    pub username: String,
    /// What it may do: any of `create`, `read`, `update`, `delete`. Required.
    #[schema(required = true, example = json!(["create", "read"]))]
    pub scope: Vec<String>,
    /// How long it is valid: `30d`, `1h30m` (units `y w d h m s ms`). Empty means for ever.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schema(example = "90d")]
    pub duration: String,
    /// Window of the token's own rate limit, for example `1h`.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schema(example = "1h")]
    pub rate_limit_window: String,
    /// Requests per window; 0 means the server's default.
    #[serde(skip_serializing_if = "is_zero")]
    pub rate_limit_max_requests: i32,
}

/// The answer of `POST /api/v1/token` and `PUT /api/v1/token`.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TokenCreated {
    /// The token's id, a UUID.
    pub id: String,
    /// The credential for `Authorization: Bearer …`. Shown only here.
    pub token: String,
    /// Hex SHA-256 of the secret.
    #[serde(rename = "tokenHash")]
    pub token_hash: String,
    /// What it may do.
    pub scope: Vec<String>,
    /// Whose it is.
    pub username: String,
    /// `YYYY-MM-DD HH:MM:SS +0000 UTC` or `Never`.
    #[schema(example = "2027-01-21 20:11:05 +0000 UTC")]
    pub expires: String,
    /// As requested.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub duration: String,
    /// As requested.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub rate_limit_window: String,
    /// As requested.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub rate_limit_max_requests: i32,
}

impl fmt::Debug for TokenCreated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenCreated").field("id", &self.id).field("username", &self.username).finish_non_exhaustive()
    }
}

/// A token as stored: the answer of `GET /api/v1/token/{id}` and `GET /api/v1/token/self`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct TokenInfo {
    /// Hex SHA-256 of the secret.
    #[serde(rename = "tokenHash")]
    pub token_hash: String,
    /// What it may do.
    pub scope: Vec<String>,
    /// Whose it is.
    pub username: String,
    /// `YYYY-MM-DD HH:MM:SS +0000 UTC` or `Never`.
    #[schema(example = "2027-01-21 20:11:05 +0000 UTC")]
    pub expires: String,
    /// As requested.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub duration: String,
    /// Milliseconds since 1970 of the last change.
    #[serde(skip_serializing_if = "is_zero_long")]
    pub updated_at: i64,
    /// As requested.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub rate_limit_window: String,
    /// As requested.
    #[serde(skip_serializing_if = "is_zero")]
    pub rate_limit_max_requests: i32,
}

/// Every answer with a status of 400 or more.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ErrorBody {
    /// What went wrong, for people.
    pub error: String,
    /// What went wrong, for programs: stable, `snake_case`.
    #[schema(example = "certificate_not_found")]
    pub code: String,
    /// The id of the request, also in the `X-Request-ID` header and in the server's log.
    #[schema(example = "req_5e1f0c6ab2d44b9f8a7c3d2e1f0a9b8c")]
    pub request_id: String,
    /// The same text as `error` where the answer is about one certificate; older clients look here.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub err: String,
    /// Owner of that certificate.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub owner: String,
    /// Its first name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub domain: String,
    /// Its issuer.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub issuer: String,
    /// Its name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_false(value: &bool) -> bool {
    !*value
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_zero(value: &i32) -> bool {
    *value == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_zero_long(value: &i64) -> bool {
    *value == 0
}
