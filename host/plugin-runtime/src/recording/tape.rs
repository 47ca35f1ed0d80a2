//! What goes over HTTP during one call, as it goes. Only calls that are recorded have a tape.

use std::sync::{Mutex, MutexGuard, PoisonError};

use http::{HeaderMap, Request};

use super::{RecordedAnswer, RecordedExchange};

/// Enough to see what an API said; the rest of a longer body is left out.
pub const MAX_BODY_BYTES: usize = 256 << 10;
/// All bodies of a call together, so that a recording stays a file that can be sent around.
const MAX_BYTES: usize = 4 << 20;

/// The exchanges so far, secrets included: for [`Recording::new`](super::Recording) alone.
#[derive(Default)]
pub(crate) struct Tape(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    exchanges: Vec<(RecordedExchange, Vec<u8>)>,
    held_bytes: usize,
}

/// A place on the tape.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mark(usize);

impl Tape {
    /// A request is about to be sent to `origin`.
    pub(crate) fn request<B>(&self, origin: &str, request: &Request<B>, body: &[u8]) -> Mark {
        let mut inner = self.lock();
        let body = inner.take(body, 0);
        let exchange = RecordedExchange {
            method: request.method().to_string(),
            url: format!("{origin}{}", request.uri()),
            headers: fields(request.headers()),
            body: String::from_utf8_lossy(body).into_owned(),
            answer: None,
            failure: None,
        };
        inner.exchanges.push((exchange, Vec::new()));
        Mark(inner.exchanges.len() - 1)
    }

    /// The head of the answer is there.
    pub(crate) fn answer(&self, mark: Mark, status: u16, headers: &HeaderMap) {
        if let Some((exchange, _)) = self.lock().exchanges.get_mut(mark.0) {
            exchange.answer = Some(RecordedAnswer { status, headers: fields(headers), body: String::new() });
        }
    }

    /// A piece of the answer's body passed.
    pub(crate) fn piece(&self, mark: Mark, bytes: &[u8]) {
        let mut inner = self.lock();
        let held = inner.exchanges.get(mark.0).map_or(0, |(_, body)| body.len());
        let kept = inner.take(bytes, held);
        if let Some((_, body)) = inner.exchanges.get_mut(mark.0) {
            body.extend_from_slice(kept);
        }
    }

    /// No answer came, or its body broke off.
    pub(crate) fn failure(&self, mark: Mark, reason: String) {
        if let Some((exchange, _)) = self.lock().exchanges.get_mut(mark.0) {
            exchange.failure = Some(reason);
        }
    }

    /// Everything, once the call is over.
    pub(crate) fn take(&self) -> Vec<RecordedExchange> {
        let exchanges = std::mem::take(&mut self.lock().exchanges);
        let whole = exchanges.into_iter().map(|(mut exchange, body)| {
            if let Some(answer) = &mut exchange.answer {
                answer.body = String::from_utf8_lossy(&body).into_owned();
            }
            exchange
        });
        whole.collect()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// As much of `bytes` as there is room for beside the `held` of the same body.
    fn take<'a>(&mut self, bytes: &'a [u8], held: usize) -> &'a [u8] {
        let room = MAX_BODY_BYTES.saturating_sub(held).min(MAX_BYTES.saturating_sub(self.held_bytes));
        let kept = &bytes[..bytes.len().min(room)];
        self.held_bytes += kept.len();
        kept
    }
}

fn fields(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect()
}
