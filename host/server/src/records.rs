//! What is kept of certificates and tokens: the replicated metadata, without any private key or credential.
//!
//! A record is made from a stored secret at start and from an issuance afterwards. The JSON shape of the stored
//! secrets is that of the existing system; `tokens` and `certificates` own the conversion.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use acme_manager_api::CertificateMetadata;

use crate::names::{CertificateId, Owner, TokenId};

/// A certificate under management.
#[derive(Debug, Clone, PartialEq)]
pub struct CertificateRecord {
    /// Which one.
    pub id: CertificateId,
    /// What clients see of it.
    pub metadata: CertificateMetadata,
    /// End of validity; `None` if what was stored could not be read.
    pub expires: Option<OffsetDateTime>,
    /// Whether the server made the key, so that it is stored and can be made anew.
    pub server_key: bool,
    /// The number of the stored version that this record was made from.
    pub version: u64,
}

/// What a token may do with certificates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Order a first certificate.
    Create,
    /// Read a certificate with its content.
    Read,
    /// Replace a certificate or change its settings.
    Update,
    /// Delete, and revoke.
    Delete,
}

impl Scope {
    /// All scopes, in the order in which errors list them.
    pub const ALL: [Self; 4] = [Self::Create, Self::Read, Self::Update, Self::Delete];

    /// The scope's name on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Read => "read",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }
}

/// A token, with the hash of its secret in place of the secret.
#[derive(Debug, Clone, PartialEq)]
pub struct TokenRecord {
    /// Which one.
    pub id: TokenId,
    /// Whose: also the first segment of the paths of its certificates.
    pub owner: Owner,
    /// What it may do.
    pub scope: Vec<Scope>,
    /// Hex SHA-256 (64 digits) of the secret; 40 digits are an old SHA-1 hash, which is refused.
    pub hash: String,
    /// When it ends; `None` is never.
    pub expires: Option<OffsetDateTime>,
    /// As requested.
    pub duration: String,
    /// As requested.
    pub rate_limit_window: String,
    /// As requested.
    pub rate_limit_max_requests: i32,
    /// Milliseconds since 1970.
    pub updated_at: i64,
    /// The number of the stored version that this record was made from.
    pub version: u64,
}
