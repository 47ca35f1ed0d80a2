//! One call as a file: what it was asked, what went over HTTP, how it ended, without the secrets in it. Somebody who has
//! no account at the vendor can play it back to the component.
//!
//! Taken out are the values that the environment keeps secret, in all their spellings; the values of header fields that are
//! not known to be harmless; the values of JSON and form fields and of parameters in URLs that are named like a secret,
//! because a vendor hands out tokens of its own; users in URLs; and all of these wherever else they occur.
//!
//! DNS messages ([`exchange`](crate::bindings::exchange)) are not recorded.

mod secrets;
mod tape;

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};

use self::secrets::Learned;
pub use self::tape::MAX_BODY_BYTES as MAX_RECORDED_BODY_BYTES;
pub(crate) use self::tape::{Mark, Tape};
use crate::{
    description::TxtRecord,
    error::CallError,
    hook::ProposedOrder,
    redact::{MARK, Redactor},
    report::Function,
};

/// Told of every call when it is over; must not block.
pub type Recorder = Arc<dyn Fn(Recording) + Send + Sync>;

/// One call, its secrets replaced by `[redacted]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Recording {
    /// The component.
    pub component: RecordedComponent,
    /// The environment; the values of secret keys are replaced.
    pub environment: BTreeMap<String, String>,
    /// The function: `check`, `present`, `cleanup` or `ready` of a provider, `review` of a hook.
    pub function: String,
    /// The record that it was called with.
    #[serde(default)]
    pub record: Option<TxtRecord>,
    /// The handle that it was called with.
    #[serde(default)]
    pub handle: Option<String>,
    /// The order that it was asked about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<ProposedOrder>,
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
    pub(crate) order: Option<&'a ProposedOrder>,
}

impl From<Function> for Asked<'_> {
    fn from(function: Function) -> Self {
        Self { function, record: None, handle: None, order: None }
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
    /// Takes the secrets out of what happened. Nothing where there are more than can be looked for: an API that hands out
    /// so much has other things in mind.
    pub(crate) fn new(
        subject: &Subject<'_>,
        asked: Asked<'_>,
        mut exchanges: Vec<RecordedExchange>,
        error: Option<&CallError>,
    ) -> Option<Self> {
        let own = subject.environment.iter().filter(|(_, _, secret)| *secret).map(|(_, value, _)| *value);
        let mut learned = Learned::default();
        for exchange in &mut exchanges {
            exchange.url = learned.url(&exchange.url);
            learned.close(&mut exchange.headers);
            learned.body(&exchange.body);
            if let Some(answer) = &mut exchange.answer {
                learned.close(&mut answer.headers);
                learned.body(&answer.body);
            }
        }
        let redactor = Redactor::new(own.chain(learned.values()?));
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
        Some(Self {
            component: RecordedComponent { name: subject.name.to_owned(), digest: subject.digest.clone() },
            environment: subject.environment.iter().map(open).collect(),
            function: asked.function.as_str().to_owned(),
            record: asked.record.cloned(),
            handle: asked.handle.map(clean),
            order: asked.order.cloned(),
            exchanges,
            error: error
                .map(|error| RecordedError { class: error.class().to_owned(), message: clean(&error.to_string()) }),
        })
    }
}

#[cfg(test)]
mod tests;
