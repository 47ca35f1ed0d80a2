//! An answer and what it means.

use serde::de::DeserializeOwned;

use super::request::RawResponse;
use crate::Error;

/// How much of a body an error repeats, in characters.
const EXCERPT: usize = 500;

/// An answer that was read to its end.
pub struct Response {
    /// The request, as `GET host/path`.
    what: String,
    raw: RawResponse,
}

impl Response {
    pub(super) fn new(what: String, raw: RawResponse) -> Self {
        Self { what, raw }
    }

    /// The status.
    pub fn status(&self) -> u16 {
        self.raw.status
    }

    /// Whether the status is 2xx.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.raw.status)
    }

    /// The first header of that name, whatever its case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.raw.headers.iter().find(|(present, _)| present.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// The value of the first cookie of that name that the answer sets (RFC 6265 §4.1.1).
    pub fn cookie(&self, name: &str) -> Option<&str> {
        let set = self.raw.headers.iter().filter(|(present, _)| present.eq_ignore_ascii_case("set-cookie"));
        let mut pairs = set.filter_map(|(_, cookie)| cookie.split(';').next()?.split_once('='));
        pairs.find(|(present, _)| present.trim() == name).map(|(_, value)| value.trim())
    }

    /// The request that it answers, as `GET host/path`.
    pub fn request(&self) -> &str {
        &self.what
    }

    /// The body.
    pub fn body(&self) -> &[u8] {
        &self.raw.body
    }

    /// The body as text; broken UTF-8 becomes U+FFFD.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.raw.body).into_owned()
    }

    /// The body read as JSON.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`](crate::ErrorKind::Unavailable) when it is something else: as a rule that is the
    /// error page of a proxy.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_slice(&self.raw.body).map_err(|error| {
            Error::unavailable(format!("{} answered {} with unexpected JSON: {error}", self.what, self.status()))
        })
    }

    /// The delay that `Retry-After` asks for, in seconds (RFC 9110 §10.2.3). The form with a date is not read: it
    /// would need a calendar, and the host backs off by itself.
    pub fn retry_after_seconds(&self) -> Option<u32> {
        self.header("retry-after")?.trim().parse().ok()
    }

    /// The answer as an error, by its status.
    pub fn to_error(&self) -> Error {
        self.to_error_with(&excerpt(&self.raw.body))
    }

    /// The answer as an error, with what the vendor's own error format says instead of the body's start.
    pub fn to_error_with(&self, detail: &str) -> Error {
        let colon = if detail.is_empty() { "" } else { ": " };
        let message = format!("{} answered {}{colon}{detail}", self.what, self.status());
        Error::from_status(self.status(), message).retry_after(self.retry_after_seconds())
    }
}

fn excerpt(body: &[u8]) -> String {
    // A character has at most four bytes, so nothing beyond this can be shown.
    let start = body.get(..EXCERPT * 4).unwrap_or(body);
    let text = String::from_utf8_lossy(start);
    let shown = text.trim().chars().take(EXCERPT);
    shown.map(|character| if character.is_control() { ' ' } else { character }).collect()
}
