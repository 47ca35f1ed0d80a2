//! What a request says in its body: one JSON object, whatever its content type claims.
//!
//! Unknown fields are ignored and `null` counts as absent, because the existing system's clients rely on both. A
//! body that cannot be read is answered with the place and the field, never with a piece of the body: it may hold a
//! credential that went to the wrong route.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, Request};
use axum::response::IntoResponse;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::error::Category;

use super::error::{ApiError, Code};

/// The bodies are small: whoever needs longer keeps a connection busy for nothing.
const ARRIVAL: Duration = Duration::from_secs(30);

/// The body as `T`.
#[derive(Debug)]
pub(super) struct InBody<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for InBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        match tokio::time::timeout(ARRIVAL, Bytes::from_request(request, state)).await {
            Ok(Ok(bytes)) => parse(&bytes).map(Self),
            Ok(Err(rejection)) => Err(unread(rejection)),
            Err(_) => {
                Err(ApiError::new(Code::BodyTimeout, format!("the body did not arrive within {} s", ARRIVAL.as_secs())))
            }
        }
    }
}

/// Reads a JSON object into `T`.
///
/// # Errors
/// [`Code::InvalidJson`], with line and column where the grammar is broken, with the field where a type is wrong.
pub(super) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    match bytes.iter().find(|byte| !byte.is_ascii_whitespace()) {
        Some(b'{') => {}
        None => return Err(wrong("the body is empty; a JSON object is expected")),
        Some(_) => return Err(wrong("the body is not a JSON object")),
    }
    let (error, path) = match directly(bytes) {
        Ok(parsed) => return Ok(parsed),
        Err(failure) => failure,
    };
    let place = format!("line {}, column {}", error.line(), error.column());
    match error.classify() {
        Category::Data => without_nulls(bytes).map_err(|(field, expected)| {
            // Unless a `null` came first, the first reading stopped at the same field and knows the place.
            let place = if path == field { format!(" at {place}") } else { String::new() };
            wrong(&format!("the field {field:?}{place} is wrong: expected {expected}"))
        }),
        Category::Eof => Err(wrong(&format!("the body is not valid JSON: it ends too early, at {place}"))),
        Category::Syntax | Category::Io => Err(wrong(&format!("the body is not valid JSON at {place}"))),
    }
}

/// Reads all of the body as it is. Says what is wrong, and in which field.
fn directly<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, (serde_json::Error, String)> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let parsed = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = error.path().to_string();
        (error.into_inner(), path)
    })?;
    reader.end().map_err(|error| (error, String::new()))?;
    Ok(parsed)
}

/// Reads again, with the fields that are `null` left out. Says the field that is wrong and what it should be.
fn without_nulls<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, (String, String)> {
    let mut value: Value =
        serde_json::from_slice(bytes).map_err(|_| (".".to_owned(), "valid JSON throughout".to_owned()))?;
    if let Value::Object(fields) = &mut value {
        fields.retain(|_, value| !value.is_null());
    }
    serde_path_to_error::deserialize(value).map_err(|error| {
        let message = error.inner().to_string();
        // serde writes `invalid type: <what the body holds>, expected <type>`; only the end is ours.
        let expected = message.rsplit_once(", expected ").map_or("another value", |(_, expected)| expected);
        (error.path().to_string(), expected.to_owned())
    })
}

fn unread(rejection: BytesRejection) -> ApiError {
    let too_large = rejection.into_response().status() == Code::BodyTooLarge.status();
    if too_large { ApiError::new(Code::BodyTooLarge, "the body is too large") } else { wrong("the body broke off") }
}

fn wrong(text: &str) -> ApiError {
    ApiError::new(Code::InvalidJson, text)
}

#[cfg(test)]
mod tests;
