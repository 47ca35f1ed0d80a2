//! An answer and what it means.

use std::sync::Arc;

use serde::de::DeserializeOwned;

use super::request::RawResponse;
use crate::Error;

/// How much of a body an error repeats, in characters.
const EXCERPT: usize = 500;

/// What decides for a client whether an answer is a success.
pub(super) type Judge = Arc<dyn Fn(&Response) -> Result<(), Error> + Send + Sync>;

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
        serde_json::from_slice(&self.raw.body).map_err(|error| self.unexpected_json(&format!(": {error}")))
    }

    /// A part of the body read as JSON, by its JSON pointer (RFC 6901): `/domain/id`, `/records/0`. A part that is not
    /// there counts as `null`, so that an [`Option`] reads it as nothing.
    ///
    /// ```
    /// # let api = acme_manager_plugin::testing::MockApi::new();
    /// # let client = acme_manager_plugin::http::Client::new("https://api.example.com").unwrap();
    /// # api.expect("GET", "https://api.example.com/records").answer(200, r#"{"records": ["a", "b"], "meta": {"total": 2}}"#);
    /// // {"records": ["a", "b"], "meta": {"total": 2}}
    /// let answer = client.get("records").send().unwrap();
    /// assert_eq!(answer.json_at::<Vec<String>>("/records").unwrap(), ["a", "b"]);
    /// assert_eq!(answer.json_at::<u32>("/meta/total").unwrap(), 2);
    /// assert_eq!(answer.json_at::<Option<String>>("/meta/next").unwrap(), None);
    /// ```
    ///
    /// # Errors
    /// As [`json`](Self::json), also when the part is missing and must not be.
    pub fn json_at<T: DeserializeOwned>(&self, pointer: &str) -> Result<T, Error> {
        let mut body: serde_json::Value = self.json()?;
        let part = body.pointer_mut(pointer).map(serde_json::Value::take).unwrap_or_default();
        serde_json::from_value(part).map_err(|error| self.unexpected_json(&format!(" at {pointer}: {error}")))
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

    fn unexpected_json(&self, problem: &str) -> Error {
        Error::unavailable(format!("{} answered {} with unexpected JSON{problem}", self.what, self.status()))
    }
}

fn excerpt(body: &[u8]) -> String {
    // A character has at most four bytes, so nothing beyond this can be shown.
    let start = body.get(..EXCERPT * 4).unwrap_or(body);
    let text = String::from_utf8_lossy(start);
    let shown = text.trim().chars().take(EXCERPT);
    shown.map(|character| if character.is_control() { ' ' } else { character }).collect()
}
