//! One call as a file: what it was asked, what went over HTTP, how it ended, without the secrets in it. Somebody who has
//! no account at the vendor can play it back to the component.
//!
//! Four things are taken out: the values that the environment keeps secret, in all their spellings; the values of header
//! fields that are not known to be harmless; the values of JSON and form fields that are named like a secret, because
//! a vendor hands out tokens of its own; and both of the latter wherever else they occur.
//!
//! DNS messages ([`exchange`](crate::bindings::exchange)) are not recorded.

mod tape;

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub(crate) use self::tape::{Mark, Tape};
use crate::{
    description::TxtRecord,
    error::CallError,
    redact::{MARK, Redactor},
    report::Function,
};

/// Told of every call when it is over; must not block.
pub type Recorder = Arc<dyn Fn(Recording) + Send + Sync>;

/// Shorter texts are flags and numbers; to hide them wherever they occur would hide everything.
const MIN_LEARNED_BYTES: usize = 8;
/// Parts of the names of fields whose values are secrets.
const SECRET_NAMES: [&str; 11] = [
    "token",
    "secret",
    "passw",
    "session",
    "credential",
    "cookie",
    "signature",
    "assertion",
    "apikey",
    "api_key",
    "authorization",
];
/// Header fields whose values are shown.
const OPEN_HEADERS: [&str; 15] = [
    "accept",
    "accept-encoding",
    "cache-control",
    "content-encoding",
    "content-length",
    "content-type",
    "date",
    "host",
    "link",
    "location",
    "retry-after",
    "server",
    "transfer-encoding",
    "user-agent",
    "www-authenticate",
];
const OPEN_HEADER_PREFIXES: [&str; 3] = ["ratelimit", "x-ratelimit", "x-rate-limit"];

/// One call, its secrets replaced by `[redacted]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Recording {
    /// The component.
    pub component: RecordedComponent,
    /// The environment; the values of secret keys are replaced.
    pub environment: BTreeMap<String, String>,
    /// The function: `check`, `present`, `cleanup` or `ready`.
    pub function: String,
    /// The record that it was called with.
    #[serde(default)]
    pub record: Option<TxtRecord>,
    /// The handle that it was called with.
    #[serde(default)]
    pub handle: Option<String>,
    /// The requests that reached a connection, in their order.
    #[serde(default)]
    pub exchanges: Vec<RecordedExchange>,
    /// How it ended; nothing for a success.
    #[serde(default)]
    pub error: Option<RecordedError>,
}

/// What was called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordedComponent {
    /// The name that the operator gave it.
    pub name: String,
    /// The SHA-256 of the file.
    pub digest: String,
}

/// A request and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordedExchange {
    /// `GET`, `POST`, ….
    pub method: String,
    /// The whole URL.
    pub url: String,
    /// Header fields in lower case, in their order.
    #[serde(default)]
    pub headers: Vec<(String, String)>,
    /// The body; what is no UTF-8 is replaced.
    #[serde(default)]
    pub body: String,
    /// The answer; nothing when none came.
    #[serde(default)]
    pub answer: Option<RecordedAnswer>,
    /// Why no answer, or only a part of it, came; nothing when the call ended before one did.
    #[serde(default)]
    pub failure: Option<String>,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordedAnswer {
    /// The HTTP status.
    pub status: u16,
    /// Header fields in lower case, in their order.
    #[serde(default)]
    pub headers: Vec<(String, String)>,
    /// What the component read of the body, up to 256 KiB.
    #[serde(default)]
    pub body: String,
}

/// How a call ended that did not succeed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordedError {
    /// [`CallError::class`].
    pub class: String,
    /// The whole sentence.
    pub message: String,
}

/// What a call was asked, as far as a recording tells it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) function: Function,
    pub(crate) record: Option<&'a TxtRecord>,
    pub(crate) handle: Option<&'a str>,
}

impl From<Function> for Asked<'_> {
    fn from(function: Function) -> Self {
        Self { function, record: None, handle: None }
    }
}

/// What the component was, for its recordings.
pub(crate) struct Subject<'a> {
    pub(crate) name: &'a str,
    pub(crate) digest: String,
    /// The environment, and whether each value is a secret.
    pub(crate) environment: Vec<(&'a str, &'a str, bool)>,
}

impl Recording {
    /// Takes the secrets out of what happened.
    pub(crate) fn new(
        subject: &Subject<'_>,
        asked: Asked<'_>,
        mut exchanges: Vec<RecordedExchange>,
        error: Option<&CallError>,
    ) -> Self {
        let own = subject.environment.iter().filter(|(_, _, secret)| *secret).map(|(_, value, _)| *value);
        let mut learned = Vec::new();
        for exchange in &mut exchanges {
            close(&mut exchange.headers, &mut learned);
            learn(&exchange.body, &mut learned);
            if let Some(answer) = &mut exchange.answer {
                close(&mut answer.headers, &mut learned);
                learn(&answer.body, &mut learned);
            }
        }
        learned.retain(|value| value.len() >= MIN_LEARNED_BYTES && value != MARK);
        let redactor = Redactor::new(own.chain(learned.iter().map(String::as_str)));
        let clean = |text: &str| redactor.redact(text).into_owned();
        for exchange in &mut exchanges {
            exchange.url = clean(&exchange.url);
            exchange.body = clean(&exchange.body);
            exchange.failure = exchange.failure.as_deref().map(clean);
            let answer = exchange.answer.as_mut();
            let fields = answer.into_iter().flat_map(|answer| {
                answer.body = clean(&answer.body);
                &mut answer.headers
            });
            for (_, value) in exchange.headers.iter_mut().chain(fields) {
                *value = clean(value);
            }
        }
        let open = |(name, value, secret): &(&str, &str, bool)| {
            ((*name).to_owned(), if *secret { MARK.to_owned() } else { clean(value) })
        };
        Self {
            component: RecordedComponent { name: subject.name.to_owned(), digest: subject.digest.clone() },
            environment: subject.environment.iter().map(open).collect(),
            function: asked.function.as_str().to_owned(),
            record: asked.record.cloned(),
            handle: asked.handle.map(clean),
            exchanges,
            error: error
                .map(|error| RecordedError { class: error.class().to_owned(), message: clean(&error.to_string()) }),
        }
    }
}

/// Hides the values of fields that are not known to be harmless.
fn close(headers: &mut [(String, String)], learned: &mut Vec<String>) {
    for (name, value) in headers {
        let open =
            OPEN_HEADERS.contains(&name.as_str()) || OPEN_HEADER_PREFIXES.iter().any(|prefix| name.starts_with(prefix));
        if !open {
            // `Bearer TOKEN`, `name=value; Path=/`: the parts turn up elsewhere by themselves.
            learned.extend(value.split([' ', ';', ',', '"']).map(str::to_owned));
            learned.push(std::mem::replace(value, MARK.to_owned()));
        }
    }
}

/// Remembers the values of fields that are named like secrets.
fn learn(body: &str, learned: &mut Vec<String>) {
    match serde_json::from_str::<Value>(body) {
        Ok(value) => learn_json(&value, false, learned),
        Err(_) => {
            let fields = url::form_urlencoded::parse(body.as_bytes()).filter(|(name, _)| is_secret(name));
            learned.extend(fields.map(|(_, value)| value.into_owned()));
        }
    }
}

fn learn_json(value: &Value, secret: bool, learned: &mut Vec<String>) {
    match value {
        Value::String(text) if secret => learned.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| learn_json(item, secret, learned)),
        Value::Object(fields) => fields.iter().for_each(|(name, item)| learn_json(item, is_secret(name), learned)),
        _ => {}
    }
}

fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SECRET_NAMES.iter().any(|part| name.contains(part))
}

#[cfg(test)]
mod tests;
