//! What can go wrong in one request, and how it is told.
//!
//! Errors of the client library may hold whole answers, so nothing of them goes further but status codes, Vault's
//! own `errors` texts and the causes of transport errors.

use std::error::Error;

use serde_json::Value;
use vaultrs::error::ClientError;

use super::VaultSettings;
use crate::storage::StoreError;

/// Longest text of Vault that an error repeats, in characters.
const MAX_TEXT: usize = 300;

/// Why one request failed.
#[derive(Debug, Clone)]
pub(super) enum Failure {
    /// No answer: refused, lost, timed out.
    Transport(String),
    /// Sealed, uninitialised or a standby without an active node.
    NotActive(&'static str),
    /// 429 or 5xx.
    Fault(u16, String),
    /// An answer that is not Vault's.
    Garbage,
    /// A redirect; it is not followed.
    Redirect(u16),
    /// 403.
    Forbidden,
    /// Nothing there; a soft-deleted newest version has its number.
    NotFound(Option<u64>),
    /// Nothing is mounted there.
    NoRoute,
    /// Check-and-set found another version.
    Mismatch,
    /// Any other 4xx.
    Refused(u16, String),
    /// The login failed for good, or the engine cannot be used.
    NoSession(String),
}

impl Failure {
    /// Whether the same request may succeed a little later.
    pub(super) fn passing(&self) -> bool {
        match self {
            Self::Transport(_) | Self::NotActive(_) | Self::Fault(..) | Self::Garbage => true,
            Self::Redirect(_)
            | Self::Forbidden
            | Self::NotFound(_)
            | Self::NoRoute
            | Self::Mismatch
            | Self::Refused(..)
            | Self::NoSession(_) => false,
        }
    }

    /// Whether the request may have been carried out all the same.
    pub(super) fn outcome_unknown(&self) -> bool {
        matches!(self, Self::Transport(_) | Self::Fault(500.., _) | Self::Garbage)
    }

    /// A failure of the HTTP client.
    pub(super) fn transport(error: &(dyn Error + 'static)) -> Self {
        let mut innermost = error;
        let mut timed_out = false;
        loop {
            timed_out |= innermost.downcast_ref::<reqwest::Error>().is_some_and(reqwest::Error::is_timeout);
            match innermost.source() {
                Some(source) => innermost = source,
                None => break,
            }
        }
        Self::Transport(if timed_out { "no answer in time".to_owned() } else { shortened(&innermost.to_string()) })
    }

    /// The meaning of a status and Vault's texts.
    fn answered(code: u16, texts: &str, body: Option<&Value>) -> Self {
        let texts = shortened(texts);
        match code {
            403 => Self::Forbidden,
            404 if texts.contains("no handler for route") => Self::NoRoute,
            404 => Self::NotFound(body.and_then(|body| body.pointer("/data/metadata/version")?.as_u64())),
            400 if texts.contains("check-and-set") => Self::Mismatch,
            300..=399 => Self::Redirect(code),
            472 => Self::NotActive("is a disaster recovery secondary"),
            473 => Self::NotActive("is a standby"),
            503 if texts.contains("sealed") => Self::NotActive("is sealed"),
            _ if texts.contains("too large") => Self::Refused(code, texts),
            429 | 500..=599 => Self::Fault(code, texts),
            _ => Self::Refused(code, texts),
        }
    }

    /// The error to show for `operation` at `place` (below the engine), which needs `capability`.
    pub(super) fn into_error(self, settings: &VaultSettings, asked: &Asked) -> StoreError {
        let VaultSettings { url, secret_engine, .. } = settings;
        let unavailable =
            |text: String| StoreError::Unavailable { reason: format!("Vault at {url} {text}"), source: None };
        let denied = |reason: String| StoreError::Denied {
            operation: asked.operation,
            path: format!("{secret_engine}/{}", asked.place),
            reason,
        };
        match self {
            Self::Transport(text) => unavailable(format!("does not answer: {text}")),
            Self::NotActive(state) => unavailable(state.to_owned()),
            Self::Fault(code, text) => unavailable(format!("answers with an error: {code} {text}")),
            Self::Garbage => unavailable("does not answer like Vault; is something else at this address?".to_owned()),
            Self::Redirect(code) => unavailable(format!(
                "answers with a redirect ({code}), which is not followed; give the address of the active node or of a \
                 standby that forwards"
            )),
            Self::Forbidden => denied(format!(
                "permission denied; the policy of the AppRole must allow {} on `{secret_engine}/{}` (and `{secret_engine}/` \
                 must be a KV version 2 engine)",
                asked.capability, asked.needs
            )),
            Self::NoRoute => denied(format!(
                "no secret engine is mounted at `{secret_engine}/`; check `storage.vault.secret_engine`"
            )),
            Self::NotFound(_) => denied("nothing is there".to_owned()),
            Self::Mismatch => denied("the version changed in between".to_owned()),
            Self::Refused(code, text) => denied(format!("Vault answered {code} {text}")),
            Self::NoSession(reason) => StoreError::Denied { operation: "log in", path: url.clone(), reason },
        }
    }
}

/// What was asked for, to explain a refusal.
pub(super) struct Asked {
    /// As in [`StoreError::Denied`].
    pub(super) operation: &'static str,
    /// Where, below the engine.
    pub(super) place: String,
    /// The capabilities that a policy must grant.
    pub(super) capability: &'static str,
    /// The path in the policy, below the engine.
    pub(super) needs: String,
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        use rustify::errors::ClientError as Rest;
        match error {
            ClientError::APIError { code, errors } => Self::answered(code, &errors.join("; "), None),
            ClientError::RestClientError { source } => match source {
                Rest::ServerResponseError { code, content } => {
                    let body = content.and_then(|content| serde_json::from_str(&content).ok());
                    Self::answered(code, "", body.as_ref())
                }
                Rest::RequestError { source, .. } | Rest::ResponseError { source } => Self::transport(&*source),
                _ => Self::Garbage,
            },
            _ => Self::Garbage,
        }
    }
}

fn shortened(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_TEXT).collect()
}
