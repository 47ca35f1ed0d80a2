//! What can go wrong between this server and a CA.

use std::fmt;

use crate::names::IssuerName;

/// What was being done when it went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Setting up the connection.
    Connection,
    /// Reading the directory.
    Directory,
    /// Registering or using the account.
    Account,
    /// Placing or reading the order.
    Order,
    /// Reading authorizations or answering challenges.
    Authorization,
    /// Sending the certificate request.
    Finalize,
    /// Fetching the certificate.
    Certificate,
    /// Revoking.
    Revocation,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connection => "setting up the connection to the CA",
            Self::Directory => "reading the CA's directory",
            Self::Account => "using the CA account",
            Self::Order => "placing the order",
            Self::Authorization => "proving control of the names",
            Self::Finalize => "finalising the order",
            Self::Certificate => "fetching the certificate",
            Self::Revocation => "revoking the certificate",
        })
    }
}

/// Why a CA did not do what it was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AcmeError {
    /// The CA answered with a problem document (RFC 8555 §6.7).
    #[error("{stage}: the CA refused: {detail} ({kind})")]
    Problem {
        /// When.
        stage: Stage,
        /// The type without `urn:ietf:params:acme:error:`, for example `rateLimited`; `unknown` if absent.
        kind: String,
        /// The CA's own words, with those about single names.
        detail: String,
    },
    /// A name was not proven; the CA says why.
    #[error("the CA could not validate {name}: {detail} ({kind})")]
    Validation {
        /// Which name.
        name: String,
        /// The problem type of the challenge.
        kind: String,
        /// The CA's own words.
        detail: String,
    },
    /// No usable answer: connection, TLS, time-out, 5xx after all retries.
    #[error("{stage}: the CA cannot be reached: {reason}")]
    Unreachable {
        /// When.
        stage: Stage,
        /// What was seen.
        reason: String,
    },
    /// An answer that RFC 8555 does not allow: garbage, a redirect, missing fields.
    #[error("{stage}: the CA's answer makes no sense: {reason}")]
    Garbage {
        /// When.
        stage: Stage,
        /// What was wrong with it.
        reason: String,
    },
    /// The CA did not come to an end in time.
    #[error("{stage}: the CA was not done after {seconds} s")]
    Timeout {
        /// When.
        stage: Stage,
        /// How long was waited.
        seconds: u64,
    },
    /// The CA offers no challenge of the wanted type.
    #[error("the CA offers no {challenge} challenge for {name}; it offers {offered}")]
    NoChallenge {
        /// For which name.
        name: String,
        /// The wanted type.
        challenge: &'static str,
        /// What it offers.
        offered: String,
    },
    /// The order ended without a certificate and cannot be taken up again.
    #[error("the order at the CA is {state}: {reason}")]
    OrderLost {
        /// `invalid`, or how it was found.
        state: &'static str,
        /// Why, as far as the CA says.
        reason: String,
    },
    /// What the store holds is not an account of this CA.
    #[error("the stored account of issuer {issuer} cannot be read; remove it to register anew")]
    StoredAccount {
        /// Of which issuer.
        issuer: IssuerName,
    },
    /// Account files in the existing system's layout that cannot be used.
    #[error("the account key {path} cannot be imported: {reason}")]
    Import {
        /// Which file.
        path: String,
        /// Why, and what to do.
        reason: String,
    },
}

impl AcmeError {
    /// Whether the same request may succeed later without anybody changing anything.
    #[must_use]
    pub fn retryable(&self) -> bool {
        match self {
            Self::Problem { kind, .. } => matches!(kind.as_str(), "rateLimited" | "serverInternal" | "badNonce"),
            Self::Unreachable { .. } | Self::Timeout { .. } | Self::Garbage { .. } => true,
            Self::Validation { kind, .. } => matches!(kind.as_str(), "dns" | "connection" | "serverInternal"),
            Self::NoChallenge { .. } | Self::OrderLost { .. } | Self::StoredAccount { .. } | Self::Import { .. } => {
                false
            }
        }
    }

    /// Whether the CA does not know the account that the request was signed for (RFC 8555 §6.7): it lost its data, or
    /// the directory in the config leads to another CA now.
    #[must_use]
    pub fn account_lost(&self) -> bool {
        matches!(self, Self::Problem { kind, .. } if kind == "accountDoesNotExist")
    }

    /// Sorts an error of the ACME library.
    pub(super) fn from_client(stage: Stage, error: instant_acme::Error) -> Self {
        use instant_acme::Error as E;
        match error {
            E::Api(problem) => Self::from_problem(stage, &problem),
            E::Timeout(_) => Self::Timeout { stage, seconds: 0 },
            E::Json(e) => Self::Garbage { stage, reason: format!("not the JSON that RFC 8555 asks for: {e}") },
            E::Str(reason) => Self::Garbage { stage, reason: reason.to_owned() },
            E::Unsupported(what) => Self::Garbage { stage, reason: format!("it does not support {what}") },
            E::Crypto | E::KeyRejected => {
                Self::Garbage { stage, reason: "the account key was not accepted".to_owned() }
            }
            E::InvalidUri(e) => Self::Garbage { stage, reason: format!("it gave an address that is none: {e}") },
            E::Other(inner) => match inner.downcast::<super::http::HttpError>() {
                Ok(http) => http.at(stage),
                Err(other) => Self::Garbage { stage, reason: other.to_string() },
            },
            other => Self::Unreachable { stage, reason: other.to_string() },
        }
    }

    pub(super) fn from_problem(stage: Stage, problem: &instant_acme::Problem) -> Self {
        let mut detail = problem.detail.clone().unwrap_or_else(|| "no reason given".to_owned());
        for sub in problem.subproblems.iter().take(20) {
            detail.push_str("; ");
            detail.push_str(&sub.to_string());
        }
        Self::Problem { stage, kind: problem_kind(problem), detail }
    }
}

/// The problem type without its prefix.
pub(super) fn problem_kind(problem: &instant_acme::Problem) -> String {
    let kind = problem.r#type.as_deref().unwrap_or("unknown");
    kind.strip_prefix("urn:ietf:params:acme:error:").unwrap_or(kind).chars().take(100).collect()
}
