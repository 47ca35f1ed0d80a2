//! From errors of the rules to HTTP answers: the one place that knows status codes above 399.
//!
//! Each error type has one exhaustive match that gives its [`Code`]; each code has one status. A handler returns an
//! [`ApiError`], which travels as an extension of an empty response until [`render`] writes the body: only there the
//! request's id is known, and answers that never saw a handler (unknown path, wrong method) get the same form there.
//! What the caller, a CA, a plugin or the DNS did wrong is told with all its causes; what the server did wrong is
//! told to the log alone.

use std::error::Error;

use acme_manager_api::ErrorBody;
use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::acme::AcmeError;
use crate::certificates::{CertificateError, chain};
use crate::challenges::ChallengeError;
use crate::cluster::NotLeader;
use crate::hooks::HookError;
use crate::names::NameError;
use crate::storage::StoreError;
use crate::tokens::{Forbidden, TokenError};

mod code;

pub use code::Code;

/// A CA's problem document can be long; nobody reads more of it.
const LONGEST_TEXT: usize = 4096;
/// A name from a request that is repeated in the answer is cut here; valid ones are shorter.
const LONGEST_NAME: usize = 300;

/// An answer with a status of 400 or more.
#[derive(Debug, Clone)]
pub(super) struct ApiError(Box<Answer>);

#[derive(Debug, Clone)]
struct Answer {
    code: Code,
    text: String,
    /// What the text does not say.
    log: Option<String>,
    subject: Subject,
    challenge: Option<Scheme>,
}

/// Which credential a route asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scheme {
    /// `Authorization: Bearer …`
    Bearer,
    /// `X-API-Key: …`
    ApiKey,
}

/// Which certificate an answer is about, as the request names it.
#[derive(Debug, Clone, Default)]
pub(super) struct Subject {
    pub(super) owner: String,
    pub(super) domain: String,
    pub(super) issuer: String,
    pub(super) name: String,
}

impl ApiError {
    /// An error that the interface itself finds.
    pub(super) fn new(code: Code, text: impl Into<String>) -> Self {
        let text = text.into();
        Self(Box::new(Answer { code, text, log: None, subject: Subject::default(), challenge: None }))
    }

    /// The answer to every missing or refused credential.
    pub(super) fn unauthorized(scheme: Scheme) -> Self {
        let mut error = Self::new(Code::Unauthorized, "missing or invalid credential");
        error.0.challenge = Some(scheme);
        error
    }

    /// Something broke in the server; `detail` goes to the log.
    pub(super) fn internal(detail: impl Into<String>) -> Self {
        let mut error = Self::new(Code::Internal, INTERNAL);
        error.0.log = Some(detail.into());
        error
    }

    /// A failed creation: there, and only there, the existing system blames the caller for what a CA calls malformed.
    pub(super) fn of_creation(error: &CertificateError) -> Self {
        match error {
            CertificateError::Ca(AcmeError::Problem { kind, .. }) if kind == "malformed" => {
                Self::new(Code::CaMalformed, chain(error))
            }
            other => Self::of(other),
        }
    }

    fn of(error: &CertificateError) -> Self {
        let mut told = Self::told(of_certificate(error), error);
        // These causes name files of the server.
        if let CertificateError::Issuer { source: AcmeError::StoredAccount { .. } | AcmeError::Import { .. }, .. } =
            error
        {
            told.0.text = error.to_string();
            told.0.log = Some(chain(error));
        }
        told
    }

    /// Why `/ready` says no: always 503, with the reason in short, because everybody may ask.
    pub(super) fn unready(error: &StoreError) -> Self {
        let text = match error {
            StoreError::Unavailable { reason, .. } => away(reason),
            StoreError::Conflict { .. } => "the store is not available",
            StoreError::Denied { .. } => "the store refuses this server; its log says why",
            StoreError::Corrupt { .. } => "what is stored cannot be read; this server's log says why",
        };
        let mut told = Self::new(Code::StoreUnavailable, text);
        told.0.log = Some(chain(error));
        told
    }

    /// Names the certificate that the answer is about. What is wrong with the request itself is about none yet.
    pub(super) fn about(mut self, subject: Subject) -> Self {
        if self.0.code.status() != StatusCode::BAD_REQUEST {
            self.0.subject = subject;
        }
        self
    }

    pub(super) fn code(&self) -> Code {
        self.0.code
    }

    /// An error with as many of its causes as its code lets out.
    fn told(code: Code, error: &dyn Error) -> Self {
        let (text, log) = match code {
            Code::Internal | Code::StoreRefused | Code::StoreCorrupt => (INTERNAL.to_owned(), Some(chain(error))),
            // What the store says may name its address or its paths.
            Code::ChangedMeanwhile => {
                ("somebody else changed it at the same time; look again".to_owned(), Some(chain(error)))
            }
            Code::StoreUnavailable => (away(&chain(error)).to_owned(), Some(chain(error))),
            _ => (chain(error), None),
        };
        let mut told = Self::new(code, text);
        told.0.log = log;
        told
    }
}

/// That the store is away, without the addresses and paths in what is known of it.
fn away(reason: &str) -> &'static str {
    if reason.contains("is sealed") { "the store is sealed" } else { "the store is not available" }
}

const INTERNAL: &str = "internal error; the server's log says more under the request's id";

impl From<CertificateError> for ApiError {
    fn from(error: CertificateError) -> Self {
        Self::of(&error)
    }
}

impl From<TokenError> for ApiError {
    fn from(error: TokenError) -> Self {
        Self::told(of_token(&error), &error)
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        Self::told(of_store(&error), &error)
    }
}

impl From<NotLeader> for ApiError {
    fn from(error: NotLeader) -> Self {
        Self::told(Code::NotLeader, &error)
    }
}

impl From<Forbidden> for ApiError {
    fn from(error: Forbidden) -> Self {
        Self::told(Code::MissingScope, &error)
    }
}

impl From<NameError> for ApiError {
    fn from(error: NameError) -> Self {
        Self::told(Code::InvalidRequest, &error)
    }
}

fn of_certificate(error: &CertificateError) -> Code {
    match error {
        CertificateError::Invalid { .. } => Code::InvalidRequest,
        CertificateError::NotFound { .. } => Code::CertificateNotFound,
        CertificateError::Exists { .. } => Code::CertificateExists,
        CertificateError::Busy { .. } => Code::CertificateBusy,
        CertificateError::NoChallenge { .. } => Code::NoChallenge,
        CertificateError::StillRunning { .. } => Code::StillRunning,
        CertificateError::Issuer { .. } => Code::IssuerUnusable,
        CertificateError::Ca(source) => of_ca(source),
        CertificateError::WrongCertificate { .. } => Code::CaWrongCertificate,
        CertificateError::Challenge(source) => of_challenge(source),
        CertificateError::Hook(HookError::Refused { .. }) => Code::HookRefused,
        CertificateError::Hook(HookError::Failed { .. }) => Code::HookFailed,
        CertificateError::Hook(HookError::Unusable { .. }) => Code::HookUnusable,
        CertificateError::Store(source) => of_store(source),
        CertificateError::NotLeader(_) => Code::NotLeader,
        CertificateError::Internal(_) => Code::Internal,
    }
}

fn of_ca(error: &AcmeError) -> Code {
    match error {
        AcmeError::Problem { kind, .. } if kind == "rateLimited" => Code::CaRateLimited,
        AcmeError::Problem { .. } => Code::CaRefused,
        AcmeError::Validation { .. } => Code::CaValidationFailed,
        AcmeError::Unreachable { .. } => Code::CaUnreachable,
        AcmeError::Garbage { .. } => Code::CaBadAnswer,
        AcmeError::Timeout { .. } => Code::CaTimeout,
        AcmeError::NoChallenge { .. } => Code::CaOffersNoChallenge,
        AcmeError::OrderLost { .. } => Code::CaOrderLost,
        AcmeError::StoredAccount { .. } | AcmeError::Import { .. } => Code::Internal,
    }
}

fn of_challenge(error: &ChallengeError) -> Code {
    match error {
        ChallengeError::IpAddress { .. } | ChallengeError::NameTooLong { .. } => Code::InvalidRequest,
        ChallengeError::UnknownProvider { .. } => Code::UnknownDnsProvider,
        ChallengeError::ProviderUnusable { .. } => Code::PluginUnusable,
        ChallengeError::Refused { .. } => Code::PluginRefused,
        ChallengeError::Broken { .. } => Code::PluginFailed,
        ChallengeError::AliasLoop { .. }
        | ChallengeError::AliasChainTooLong { .. }
        | ChallengeError::AliasTarget { .. } => Code::DnsAliasUnusable,
        ChallengeError::ZoneNotFound { .. } => Code::DnsZoneNotFound,
        ChallengeError::Lookup { .. } => Code::DnsLookupFailed,
        ChallengeError::NotVisible { .. } => Code::DnsNotVisible,
        ChallengeError::NoResolvers { .. } => Code::Internal,
        ChallengeError::Busy { .. } => Code::DnsRecordBusy,
        ChallengeError::Http01Full { .. } => Code::TooManyChallenges,
    }
}

fn of_store(error: &StoreError) -> Code {
    match error {
        StoreError::Conflict { .. } => Code::ChangedMeanwhile,
        StoreError::Unavailable { .. } => Code::StoreUnavailable,
        StoreError::Denied { .. } => Code::StoreRefused,
        StoreError::Corrupt { .. } => Code::StoreCorrupt,
    }
}

fn of_token(error: &TokenError) -> Code {
    match error {
        TokenError::Invalid { .. } => Code::InvalidRequest,
        TokenError::NotFound { .. } => Code::TokenNotFound,
        TokenError::NotLeader(_) => Code::NotLeader,
        TokenError::Store(source) => of_store(source),
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = self.0.code.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// Writes the body of an answer with a status of 400 or more and says its code; other answers stay as they are.
pub(super) fn render(mut response: Response, request_id: &str) -> (Response, Option<Code>) {
    let status = response.status();
    if !status.is_client_error() && !status.is_server_error() {
        return (response, None);
    }
    let error = response.extensions_mut().remove::<ApiError>().unwrap_or_else(|| unhandled(status));
    let Answer { code, text, log, subject, challenge } = *error.0;
    if let Some(detail) = log {
        tracing::error!(code = code.as_str(), detail, "request failed");
    }
    let text = cut(text, LONGEST_TEXT);
    let name = |name: String| cut(name, LONGEST_NAME);
    let body = ErrorBody {
        err: if subject.owner.is_empty() { String::new() } else { text.clone() },
        error: text,
        code: code.as_str().to_owned(),
        request_id: request_id.to_owned(),
        owner: name(subject.owner),
        domain: name(subject.domain),
        issuer: name(subject.issuer),
        name: name(subject.name),
    };
    *response.status_mut() = code.status();
    // What is left of the original answer is what says more than its status: `Allow`, for one.
    response.headers_mut().remove(header::CONTENT_LENGTH);
    set(&mut response, header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(seconds) = code.retry_after_seconds() {
        set(&mut response, header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    if let Some(scheme) = challenge {
        set(&mut response, header::WWW_AUTHENTICATE, HeaderValue::from_static(scheme.challenge()));
    }
    *response.body_mut() = Body::from(serde_json::to_vec(&body).expect("a structure of strings is JSON"));
    (response, Some(code))
}

/// What an answer means that no handler gave.
fn unhandled(status: StatusCode) -> ApiError {
    match status {
        StatusCode::NOT_FOUND => ApiError::new(Code::PathNotFound, "there is nothing at this path; see /swagger/"),
        StatusCode::METHOD_NOT_ALLOWED => {
            ApiError::new(Code::MethodNotAllowed, "this path does not take that method; the Allow header says which")
        }
        StatusCode::PAYLOAD_TOO_LARGE => ApiError::new(Code::BodyTooLarge, "the body is too large"),
        other if other.is_client_error() => ApiError::new(Code::InvalidRequest, "the request cannot be understood"),
        other => ApiError::internal(format!("an answer with status {other} came without its reason")),
    }
}

impl Scheme {
    fn challenge(self) -> &'static str {
        match self {
            Self::Bearer => "Bearer realm=\"acme-manager\"",
            Self::ApiKey => "ApiKey realm=\"acme-manager\", header=\"X-API-Key\"",
        }
    }
}

fn set(response: &mut Response, name: HeaderName, value: HeaderValue) {
    response.headers_mut().insert(name, value);
}

fn cut(mut text: String, longest: usize) -> String {
    if text.len() > longest {
        text.truncate(text.floor_char_boundary(longest));
        text.push('…');
    }
    text
}

#[cfg(test)]
pub(super) fn text_of(error: &ApiError) -> &str {
    &error.0.text
}

#[cfg(test)]
mod tests;
