//! What is known of a request from outside: its id, its line in the access log, its metrics.
//!
//! The outermost layer. It writes the error bodies, because they hold the id. It never logs headers, queries or
//! bodies. The client's address is that of the peer: forwarding headers are whatever a client likes to write.

use std::net::SocketAddr;
use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use axum::extract::{ConnectInfo, MatchedPath, Request, State};
use axum::http::header::CONTENT_LENGTH;
use axum::http::{HeaderName, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::Response;
use tokio::time::Instant;
use tracing::Instrument;

use super::error::render;
use super::identify::Caller;
use crate::telemetry::Metrics;

/// The request's id, in both directions.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Longer ids are replaced: they are repeated in every log line.
const LONGEST_ID: usize = 128;
/// Of a longer path only the beginning is logged.
const LONGEST_PATH: usize = 512;
/// The route of everything that has none, as in the existing system.
const NO_ROUTE: &str = "/";

/// Answers a request under its id, and writes down that it did.
pub(super) async fn observe(State(metrics): State<Metrics>, mut request: Request, next: Next) -> Response {
    let id = request_id(&request);
    let caller = Caller::default();
    request.extensions_mut().insert(caller.clone());
    let span = tracing::info_span!("request", request_id = id);
    let head = request.method() == Method::HEAD;
    let entry = Entry::begin(&request, caller, metrics.clone());
    let _in_flight = metrics.request();
    async move {
        let response = next.run(request).await;
        let (mut response, _) = render(response, &id);
        let value = HeaderValue::from_str(&id).expect("an id is made of letters, digits, `.`, `_` and `-`");
        response.headers_mut().insert(REQUEST_ID, value);
        entry.end(&response);
        if head {
            *response.body_mut() = Body::empty();
        }
        response
    }
    .instrument(span)
    .await
}

/// The client's own id if it is a harmless word, else a new one.
fn request_id(request: &Request) -> String {
    let harmless = |id: &&str| {
        (1..=LONGEST_ID).contains(&id.len())
            && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
    };
    let given = request.headers().get(REQUEST_ID).and_then(|value| value.to_str().ok()).filter(harmless);
    given.map_or_else(|| format!("req_{}", hex::encode(rand::random::<[u8; 16]>())), str::to_owned)
}

/// A line of the access log in the making. Dropped before its end, it says that the client did not wait for it.
struct Entry {
    method: &'static str,
    route: String,
    path: String,
    client_ip: String,
    caller: Caller,
    metrics: Metrics,
    begin: Instant,
    ended: bool,
}

impl Entry {
    fn begin(request: &Request, caller: Caller, metrics: Metrics) -> Self {
        let path = request.uri().path();
        let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
        Self {
            method: method(request.method()),
            route: request.extensions().get::<MatchedPath>().map_or(NO_ROUTE, MatchedPath::as_str).to_owned(),
            path: path[..path.floor_char_boundary(LONGEST_PATH)].to_owned(),
            client_ip: peer.map(|ConnectInfo(address)| address.ip().to_string()).unwrap_or_default(),
            caller,
            metrics,
            begin: Instant::now(),
            ended: false,
        }
    }

    fn end(mut self, response: &Response) {
        self.ended = true;
        let length = response.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
        self.write(response.status().as_u16(), length.or_else(|| response.body().size_hint().exact()).unwrap_or(0));
    }

    fn write(&self, status_code: u16, length: u64) {
        let Self { method, route, path, client_ip, .. } = self;
        let took = self.begin.elapsed();
        let owner = self.caller.owner();
        let duration = milliseconds(took);
        self.metrics.answered(method, route, status_code, took.as_secs_f64());
        // Probes come every few seconds and say nothing as long as they succeed.
        if status_code < 400 && matches!(route.as_str(), "/health" | "/ready" | "/metrics") {
            tracing::debug!(target: "access", method, route, path, status_code, owner, duration, client_ip, length);
        } else {
            tracing::info!(target: "access", method, route, path, status_code, owner, duration, client_ip, length);
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        /// What nginx logs for a client that went away; it never goes over the wire.
        const CLIENT_GONE: u16 = 499;
        if !self.ended {
            self.write(CLIENT_GONE, 0);
        }
    }
}

fn milliseconds(took: Duration) -> u64 {
    u64::try_from(took.as_millis()).unwrap_or(u64::MAX)
}

/// The method as a label: a client may invent others without end.
fn method(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        "PATCH" => "PATCH",
        _ => "other",
    }
}
