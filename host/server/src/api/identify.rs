//! Who asks: extractors that turn a credential into a proof, and refuse the request without one.
//!
//! A handler that needs a right takes [`Allowed`] as an argument, so it cannot run without it, and the refusal comes
//! before the body is read and before anything is looked up: an answer says nothing about what exists. Every refused
//! credential gets the same answer, whatever was wrong with it.

use std::sync::{Arc, OnceLock};

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;

use super::ApiState;
use super::error::{ApiError, Code, Scheme};
use crate::names::Owner;
use crate::tokens::{Admin, Authorized, Identity, Right, authorize};

/// The header of the API key.
const API_KEY: &str = "x-api-key";

/// Whose token was shown, if any: how the access log learns it.
#[derive(Debug, Clone, Default)]
pub(super) struct Caller(Arc<OnceLock<Owner>>);

impl Caller {
    /// The owner of the token, or nothing if none was accepted.
    pub(super) fn owner(&self) -> &str {
        self.0.get().map_or("", Owner::as_str)
    }
}

/// Somebody with a valid bearer token, whatever its scope.
#[derive(Debug)]
pub(super) struct Known(pub(super) Identity);

/// Somebody with a valid bearer token whose scope gives the right `R`.
#[derive(Debug)]
pub(super) struct Allowed<R>(pub(super) Authorized<R>);

/// Somebody with the API key.
#[derive(Debug)]
pub(super) struct KeyHolder(pub(super) Admin);

impl FromRequestParts<ApiState> for Known {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> Result<Self, ApiError> {
        state.require_started()?;
        let identity = state
            .tokens
            .authenticate(only(&parts.headers, AUTHORIZATION.as_str()))
            .map_err(|_| ApiError::unauthorized(Scheme::Bearer))?;
        if let Some(caller) = parts.extensions.get::<Caller>() {
            // A request has one credential, so a second look at it finds the same owner.
            let _ = caller.0.set(identity.owner().clone());
        }
        Ok(Self(identity))
    }
}

impl<R: Right + Send> FromRequestParts<ApiState> for Allowed<R> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> Result<Self, ApiError> {
        let Known(identity) = Known::from_request_parts(parts, state).await?;
        Ok(Self(authorize::<R>(&identity)?))
    }
}

impl FromRequestParts<ApiState> for KeyHolder {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> Result<Self, ApiError> {
        state.require_started()?;
        let key = only(&parts.headers, API_KEY);
        state.tokens.admin(key).map(Self).map_err(|_| ApiError::unauthorized(Scheme::ApiKey))
    }
}

impl ApiState {
    /// Says so while the stored tokens are not read yet: a refusal would make clients give up on good credentials.
    pub(super) fn require_started(&self) -> Result<(), ApiError> {
        let starting = || ApiError::new(Code::Starting, "the server is still reading what is stored");
        if *self.started.borrow() { Ok(()) } else { Err(starting()) }
    }
}

/// The value of a header that is there exactly once: of two credentials nobody can say which one counts.
fn only<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?;
    if values.next().is_some() { None } else { value.to_str().ok() }
}
