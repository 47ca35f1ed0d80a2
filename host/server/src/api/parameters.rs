//! What a request says in its path and query.

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use super::error::{ApiError, Code};

/// The variable segments of the path, percent-decoded.
#[derive(Debug)]
pub(super) struct InPath<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for InPath<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let wrong = |_| ApiError::new(Code::InvalidRequest, "the path is not percent-encoded UTF-8 (RFC 3986 §2.1)");
        Path::from_request_parts(parts, state).await.map(|Path(segments)| Self(segments)).map_err(wrong)
    }
}

/// The query. Unknown names are ignored and of a repeated one the first counts, as in the existing system.
#[derive(Debug)]
pub(super) struct InQuery(Vec<(String, String)>);

impl InQuery {
    /// The value of a name, if there is one and it is not empty.
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }
}

impl<S: Send + Sync> FromRequestParts<S> for InQuery {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        let query = parts.uri.query().unwrap_or_default();
        Ok(Self(url::form_urlencoded::parse(query.as_bytes()).into_owned().collect()))
    }
}
