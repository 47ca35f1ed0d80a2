//! The HTTP transport under the ACME client: time limits, retries, trusted roots, size limits, no redirects.

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use instant_acme::{BodyWrapper, BytesResponse, HttpClient};
use rand::Rng;

use super::{AcmeError, IssuerSettings, Stage};

/// One request must be answered within this; an honest CA answers in seconds.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// The longest honest answer is a certificate chain of some 10 KiB.
const MAX_BODY: usize = 1024 * 1024;
/// A CA that asks to wait longer gets its answer as an error instead of a held request.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(60);

/// How failed requests are repeated.
#[derive(Debug, Clone)]
pub struct Retries {
    /// How often at most, besides the first attempt.
    pub max: u32,
    /// The first wait; each further one doubles.
    pub wait_min: Duration,
    /// The longest wait.
    pub wait_max: Duration,
    /// Statuses that are repeated besides 429 and 5xx (but 501).
    pub statuses: BTreeSet<u16>,
}

impl Default for Retries {
    fn default() -> Self {
        Self { max: 5, wait_min: Duration::from_secs(1), wait_max: Duration::from_secs(10), statuses: BTreeSet::new() }
    }
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum HttpError {
    #[error("{0}")]
    Unreachable(String),
    /// As `Unreachable`, and nothing but a changed setting can help.
    #[error("{0}")]
    Untrusted(String),
    #[error("{0}")]
    Garbage(String),
}

impl HttpError {
    pub(super) fn at(&self, stage: Stage) -> AcmeError {
        match self {
            Self::Unreachable(reason) | Self::Untrusted(reason) => {
                AcmeError::Unreachable { stage, reason: reason.clone() }
            }
            Self::Garbage(reason) => AcmeError::Garbage { stage, reason: reason.clone() },
        }
    }
}

/// The transport of one issuer.
#[derive(Debug, Clone)]
pub(super) struct AcmeHttp {
    client: reqwest::Client,
    directory: http::Uri,
    retries: Arc<Retries>,
}

impl AcmeHttp {
    pub(super) fn new(settings: &IssuerSettings) -> Result<Self, AcmeError> {
        let broken = |reason: String| AcmeError::Garbage { stage: Stage::Connection, reason };
        let mut roots = rustls::RootCertStore::empty();
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        for root in &settings.extra_roots {
            roots.add(root.clone()).map_err(|e| broken(format!("a CA root certificate cannot be used: {e}")))?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|e| broken(e.to_string()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("acme-manager/", env!("CARGO_PKG_VERSION")))
            .timeout(REQUEST_TIMEOUT)
            .connect_timeout(CONNECT_TIMEOUT)
            .build()
            .map_err(|e| broken(e.to_string()))?;
        let directory = settings.directory.as_str().parse().map_err(|_| broken("its address is none".to_owned()))?;
        Ok(Self { client, directory, retries: Arc::new(settings.retries.clone()) })
    }

    async fn send(self, request: Request<BodyWrapper<Bytes>>) -> Result<BytesResponse, HttpError> {
        let (parts, body) = request.into_parts();
        let body = body.collect().await.unwrap_or_else(|never| match never {}).to_bytes();
        let mut attempt = 0;
        loop {
            let result = self.attempt(&parts, body.clone()).await;
            let wait = match &result {
                Ok(answer) if self.repeat(answer.status()) => {
                    retry_after(answer).unwrap_or_else(|| self.backoff(attempt))
                }
                Err(HttpError::Unreachable(_)) => self.backoff(attempt),
                _ => return result.map(|answer| BytesResponse::from(answer.map(Full::new))),
            };
            if attempt >= self.retries.max || wait > MAX_RETRY_AFTER {
                return result.map(|answer| BytesResponse::from(answer.map(Full::new)));
            }
            attempt += 1;
            tracing::debug!(uri = %parts.uri, attempt, wait_ms = wait.as_millis(), "repeating a request to the CA");
            tokio::time::sleep(wait).await;
        }
    }

    async fn attempt(&self, parts: &http::request::Parts, body: Bytes) -> Result<Response<Bytes>, HttpError> {
        let url = parts.uri.to_string();
        if !self.is_allowed(&parts.uri) {
            return Err(HttpError::Garbage(format!("the CA gave the address {url}, which is not https")));
        }
        let mut headers = parts.headers.clone();
        headers.remove(http::header::USER_AGENT);
        let request = self.client.request(parts.method.clone(), &url).headers(headers).body(body);
        let mut answer = request.send().await.map_err(|e| failed(&url, &e))?;
        if answer.status().is_redirection() {
            let to = answer.headers().get(http::header::LOCATION).and_then(|v| v.to_str().ok()).unwrap_or("nowhere");
            return Err(HttpError::Garbage(format!(
                "{url} redirects to {to}; redirects are not followed, set ca_dir_url to the CA's own address"
            )));
        }
        let mut response = Response::new(Bytes::new());
        *response.status_mut() = answer.status();
        *response.headers_mut() = answer.headers().clone();
        let mut collected = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|e| HttpError::Unreachable(explain(&url, &e)))? {
            if collected.len() + chunk.len() > MAX_BODY {
                return Err(HttpError::Garbage(format!("{url} answers more than {MAX_BODY} bytes")));
            }
            collected.extend_from_slice(&chunk);
        }
        *response.body_mut() = collected.into();
        check_problem(&url, &response)?;
        Ok(response)
    }

    /// A CA's own addresses are HTTPS (RFC 8555 §6.1), except those of one whose directory is on this machine.
    fn is_allowed(&self, uri: &http::Uri) -> bool {
        uri.scheme_str() == Some("https")
            || (uri.scheme_str() == self.directory.scheme_str() && uri.host() == self.directory.host())
    }

    fn repeat(&self, status: StatusCode) -> bool {
        let server_fault = status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED;
        status == StatusCode::TOO_MANY_REQUESTS || server_fault || self.retries.statuses.contains(&status.as_u16())
    }

    fn backoff(&self, attempt: u32) -> Duration {
        let wait = self.retries.wait_min.saturating_mul(1 << attempt.min(10)).min(self.retries.wait_max);
        wait.mul_f64(rand::rng().random_range(0.8..1.0))
    }
}

impl HttpClient for AcmeHttp {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, instant_acme::Error>> + Send>> {
        let sending = self.clone().send(request);
        Box::pin(async move { sending.await.map_err(|e| instant_acme::Error::Other(Box::new(e))) })
    }
}

/// An error status without a problem document would otherwise surface as a JSON error without the status.
fn check_problem(url: &str, response: &Response<Bytes>) -> Result<(), HttpError> {
    let status = response.status();
    if status.is_success() || serde_json::from_slice::<instant_acme::Problem>(response.body()).is_ok() {
        return Ok(());
    }
    if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
        return Err(HttpError::Unreachable(format!("{url} answers {status}")));
    }
    Err(HttpError::Garbage(format!("{url} answers {status} without a problem document")))
}

fn retry_after(answer: &Response<Bytes>) -> Option<Duration> {
    let value = answer.headers().get(http::header::RETRY_AFTER)?.to_str().ok()?;
    value.trim().parse().ok().map(Duration::from_secs)
}

fn failed(url: &str, error: &reqwest::Error) -> HttpError {
    let text = explain(url, error);
    // A wrong certificate is as wrong a second later.
    if text.contains("invalid peer certificate") { HttpError::Untrusted(text) } else { HttpError::Unreachable(text) }
}

/// The error with its causes, without query strings: reqwest's own text stops at "error sending request".
fn explain(url: &str, error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return format!("{url} did not answer within {} s", REQUEST_TIMEOUT.as_secs());
    }
    let mut text = format!("{url}: ");
    let mut source = std::error::Error::source(error);
    let mut last = error.to_string();
    while let Some(cause) = source {
        last = cause.to_string();
        source = cause.source();
    }
    text.push_str(&last);
    if last.contains("UnknownIssuer") {
        text.push_str(" (set ca_root_file to the CA's root certificate)");
    }
    text
}
