//! The REST interface: certificates, tokens, HTTP-01 answers, probes, metrics, and the document that describes them.
//!
//! Paths, JSON names and statuses are those of the existing system, with one exception that no client relies on: a
//! wrong method on a known path is 405 with `Allow`, where that system gives 404. Every answer with a status of 400
//! or more is an [`acme_manager_api::ErrorBody`].
//!
//! A request passes `observe` (id, log, metrics), `limits` (time, places, panics), `identify` (credential and
//! right), then one handler, which parses names and calls the rules. Nothing here decides anything about
//! certificates, and nothing here may put a secret into a log line or an error.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::HeaderValue;
use axum::http::header::{CACHE_CONTROL, X_CONTENT_TYPE_OPTIONS};
use axum::middleware::{from_fn_with_state, map_response};
use axum::response::Response;
use tokio::sync::{Semaphore, watch};
use tokio_util::task::TaskTracker;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::certificates::Certificates;
use crate::challenges::http01::Http01;
use crate::cluster::Leadership;
use crate::telemetry::Metrics;
use crate::tokens::Tokens;

mod body;
mod certificates;
mod challenge;
mod error;
mod health;
mod identify;
mod limits;
mod metrics;
mod mutation;
mod observe;
mod openapi;
mod parameters;
mod plugins;
mod ready;
mod root;
mod tokens;

pub use error::Code;
pub use openapi::document;

/// What the handlers call.
#[derive(Clone)]
pub struct ApiState {
    /// The rules of certificates.
    pub certificates: Arc<Certificates>,
    /// The rules of tokens.
    pub tokens: Arc<Tokens>,
    /// The HTTP-01 answers of this node.
    pub http01: Arc<Http01>,
    /// Counters, and what `/metrics` shows.
    pub metrics: Metrics,
    /// Whether this node may change anything.
    pub leadership: Leadership,
    /// Whether everything stored was read once: before that nobody knows which tokens there are.
    pub started: watch::Receiver<bool>,
    /// Where changes run; shutdown waits for it.
    pub tasks: TaskTracker,
}

impl fmt::Debug for ApiState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiState").finish_non_exhaustive()
    }
}

/// What one request, and all of them together, may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ApiLimits {
    /// The longest body of a request. A certificate request for a hundred names has about 10 KiB.
    pub body_bytes: usize,
    /// The longest time until an answer; above the time that a request waits for its certificate.
    pub request_timeout: Duration,
    /// Requests that are answered at once, probes and metrics not counted.
    pub concurrent_requests: usize,
}

impl Default for ApiLimits {
    fn default() -> Self {
        Self { body_bytes: 1024 * 1024, request_timeout: Duration::from_secs(300), concurrent_requests: 1024 }
    }
}

/// The whole interface. Serve it with the peer's address as
/// [`ConnectInfo<SocketAddr>`](axum::extract::ConnectInfo), which the access log shows.
pub fn router(state: ApiState, limits: ApiLimits) -> Router {
    let places = Arc::new(Semaphore::new(limits.concurrent_requests.min(Semaphore::MAX_PERMITS)));
    let metrics = state.metrics.clone();
    let (service, _) = service().split_for_parts();
    let (operations, _) = operations().split_for_parts();
    let routes = service
        .layer(from_fn_with_state(places, limits::admit))
        .layer(map_response(private))
        .merge(operations)
        .with_state(state)
        .merge(openapi::pages());
    surrounded(routes, metrics, limits)
}

/// Routes within what every request passes.
fn surrounded(routes: Router, metrics: Metrics, limits: ApiLimits) -> Router {
    routes
        .layer(DefaultBodyLimit::max(limits.body_bytes))
        .layer(from_fn_with_state(limits.request_timeout, limits::guard))
        .layer(from_fn_with_state(metrics, observe::observe))
        .layer(map_response(as_declared))
}

/// What clients come for.
fn service() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(certificates::create::create, certificates::update::update))
        .routes(routes!(certificates::metadata::metadata))
        .routes(routes!(certificates::read::by_issuer, certificates::delete::by_issuer))
        .routes(routes!(certificates::read::by_name, certificates::delete::by_name))
        .routes(routes!(tokens::create::create, tokens::replace::replace))
        .routes(routes!(tokens::own::own))
        .routes(routes!(tokens::read::read, tokens::delete::delete))
        .routes(routes!(challenge::answer))
        .routes(routes!(plugins::list))
}

/// What operators and their probes come for: it has to answer when the server is busy, too.
fn operations() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(root::root))
        .routes(routes!(health::health))
        .routes(routes!(ready::ready))
        .routes(routes!(metrics::metrics))
        .routes(routes!(openapi::read))
}

/// Certificates come with keys, tokens with credentials: no cache on the way may keep an answer.
async fn private(mut response: Response) -> Response {
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// A browser must not guess at what an answer is.
async fn as_declared(mut response: Response) -> Response {
    response.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

#[cfg(test)]
mod tests;
