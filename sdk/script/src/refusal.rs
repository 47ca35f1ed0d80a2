//! What an API in trouble answers to everything, and what a plugin must make of it.

use serde::Deserialize;
use serde_json::Value;

use crate::{Answer, ExpectedError, Rcode, hook::FAILED};

/// An API that answers the same to every request.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refusal {
    /// What it shows: `401`, `429`, `500`, or a name of the script's own.
    pub name: String,
    /// The answer.
    pub response: Answer,
    /// What the call must make of it.
    pub error: ExpectedError,
}

impl Refusal {
    /// What every provider must understand: 401, 429 with `Retry-After`, 500.
    #[must_use]
    pub fn defaults() -> Vec<Self> {
        let refusal = |status: u16, kind: &str, retry_after: Option<u32>| Self {
            name: status.to_string(),
            response: Answer {
                headers: retry_after
                    .map(|seconds| ("retry-after".to_owned(), seconds.to_string()))
                    .into_iter()
                    .collect(),
                json: Some(Value::Object(serde_json::Map::new())),
                ..Answer::of(status)
            },
            error: ExpectedError { kind: kind.to_owned(), contains: None, retry_after },
        };
        vec![
            refusal(401, "unauthorized", None),
            refusal(429, "rate-limited", Some(7)),
            refusal(500, "unavailable", None),
        ]
    }

    /// What name servers in trouble say.
    pub(crate) fn defaults_of_name_servers() -> Vec<Self> {
        let refusal = |name: &str, rcode: Rcode, kind: &str| Self {
            name: name.to_owned(),
            response: Answer { rcode: Some(rcode), ..Answer::of(0) },
            error: ExpectedError { kind: kind.to_owned(), contains: None, retry_after: None },
        };
        vec![refusal("REFUSED", Rcode::Refused, "unauthorized"), refusal("SERVFAIL", Rcode::ServFail, "unavailable")]
    }

    /// A service in trouble neither allows an order nor refuses it.
    pub(crate) fn leaves_open(&mut self) {
        FAILED.clone_into(&mut self.error.kind);
        self.error.retry_after = None;
    }
}
