//! What can go wrong with a certificate, grouped by blame.

use std::time::Duration;

use crate::acme::AcmeError;
use crate::challenges::ChallengeError;
use crate::cluster::NotLeader;
use crate::hooks::HookError;
use crate::names::{CertificateId, IssuerName, NameError};
use crate::storage::StoreError;

/// Why a certificate was not made, read, changed or removed.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// The caller: a field of the request is wrong.
    #[error("{field}: {reason}")]
    Invalid {
        /// Which field.
        field: &'static str,
        /// What is wrong with it, and what would be right.
        reason: String,
    },
    /// The caller: there is no such certificate.
    #[error("there is no certificate {id}")]
    NotFound {
        /// Which one.
        id: CertificateId,
    },
    /// The caller: there is one already.
    #[error("the certificate {id} exists already; use PUT to change it")]
    Exists {
        /// Which one.
        id: CertificateId,
    },
    /// The caller: the same certificate is being worked on.
    #[error("another operation on {id} is under way; try again when it is done")]
    Busy {
        /// Which one.
        id: CertificateId,
    },
    /// The caller: neither request nor issuer names a challenge.
    #[error("issuer {issuer} has no default challenge: set dns_challenge in the request, or in the issuer's config")]
    NoChallenge {
        /// Which issuer.
        issuer: IssuerName,
    },
    /// It takes longer than a request may; it goes on.
    #[error("the CA was not done within {} s; the order goes on and the certificate can be fetched later", .waited.as_secs())]
    StillRunning {
        /// How long was waited.
        waited: Duration,
    },
    /// The operator: the issuer is configured and cannot be used.
    #[error("issuer {issuer} cannot be used")]
    Issuer {
        /// Which one.
        issuer: IssuerName,
        /// Why.
        #[source]
        source: AcmeError,
    },
    /// The CA: it refused, failed or gave up.
    #[error(transparent)]
    Ca(#[from] AcmeError),
    /// The CA: it issued something else than was asked for.
    #[error("the CA issued a certificate that does not fit the request: {reason}")]
    WrongCertificate {
        /// What differs.
        reason: String,
    },
    /// The plugin or the DNS.
    #[error(transparent)]
    Challenge(#[from] ChallengeError),
    /// The operator's policy, or the component that stands for it.
    #[error(transparent)]
    Hook(#[from] HookError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Another node must do it.
    #[error(transparent)]
    NotLeader(#[from] NotLeader),
    /// Ourselves: a key or request could not be made, a task died.
    #[error("internal error: {0}")]
    Internal(String),
}

impl CertificateError {
    /// Whether the same operation may succeed later without anybody changing anything.
    #[must_use]
    pub fn retryable(&self) -> bool {
        match self {
            Self::Invalid { .. }
            | Self::NotFound { .. }
            | Self::Exists { .. }
            | Self::NoChallenge { .. }
            | Self::WrongCertificate { .. }
            | Self::Internal(_) => false,
            Self::Busy { .. } | Self::StillRunning { .. } | Self::NotLeader(_) => true,
            Self::Issuer { source, .. } | Self::Ca(source) => source.retryable(),
            Self::Challenge(source) => source.retryable(),
            Self::Hook(source) => source.retryable(),
            Self::Store(source) => source.retryable(),
        }
    }
}

impl From<NameError> for CertificateError {
    fn from(error: NameError) -> Self {
        Self::Invalid { field: error.what, reason: error.reason.to_owned() }
    }
}
