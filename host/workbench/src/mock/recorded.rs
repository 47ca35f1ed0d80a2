//! An API that says again what was recorded of it.

use std::collections::VecDeque;

use acme_manager_plugin_runtime::{RecordedAnswer, RecordedExchange};
use acme_manager_plugin_script::{Sent, matches};
use bytes::Bytes;
use futures::stream;
use http::Response;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;

use super::{Body, Broken, GAP, following, respond, whole};

pub(super) enum Next {
    Answer(Response<Body>),
    /// The connection ended.
    Break,
    /// Nothing came.
    Silence,
}

/// The exchange that comes next, if the request goes where the recorded one went. What else is different is only told:
/// dates and signatures always are.
pub(super) fn next(
    left: &mut VecDeque<RecordedExchange>,
    sent: &Sent<'_>,
    difference: &mut Option<String>,
    surplus: &mut Vec<String>,
    remarks: &mut Vec<String>,
) -> Option<RecordedExchange> {
    let exchange = following(left, sent, difference.as_ref(), surplus)?;
    let RecordedExchange { method, url, body, .. } = &exchange;
    let pattern = |text: &str| text.replace(GAP, "*");
    let path = |url: &str| url.split('?').next().unwrap_or_default().to_owned();
    if method != sent.method || !matches(&pattern(&path(url)), &path(sent.url)) {
        *difference = Some(format!("{method} {url} was recorded, {} {} came", sent.method, sent.url));
        return None;
    }
    if !matches(&pattern(url), sent.url) {
        remarks.push(format!("{method} {url} was recorded; the query that came is another: {}", sent.url));
    }
    if !matches(&pattern(body), &String::from_utf8_lossy(sent.body)) {
        remarks.push(format!("{method} {url} came with another body than was recorded"));
    }
    Some(exchange)
}

pub(super) fn answer(exchange: &RecordedExchange) -> Next {
    match (&exchange.answer, &exchange.failure) {
        (Some(answer), None) => Next::Answer(again(answer, whole(answer.body.clone().into_bytes()))),
        (Some(answer), Some(_)) => {
            let begun = Frame::data(Bytes::from(answer.body.clone().into_bytes()));
            let body = StreamBody::new(stream::iter([Ok(begun), Err(Broken)])).boxed_unsync();
            Next::Answer(again(answer, body))
        }
        (None, Some(_)) => Next::Break,
        (None, None) => Next::Silence,
    }
}

fn again(answer: &RecordedAnswer, body: Body) -> Response<Body> {
    respond(answer.status, answer.headers.iter().map(|(name, value)| (name, value)), body)
}
