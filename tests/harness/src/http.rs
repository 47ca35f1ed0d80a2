//! HTTP clients of the tests: a deadline on each, and no roots of trust but the given ones.

use std::time::Duration;

use anyhow::{Context, bail};
use reqwest::{Certificate, Client, ClientBuilder, RequestBuilder, StatusCode};
use serde_json::Value;

const REQUEST_DEADLINE: Duration = Duration::from_secs(60);

/// A client for plain HTTP; it trusts no TLS server.
pub fn client() -> Client {
    build(builder().tls_certs_only([]))
}

/// A client that trusts the certificates of `roots_pem` alone.
///
/// # Errors
/// When `roots_pem` is not PEM.
pub fn client_trusting(roots_pem: &str) -> anyhow::Result<Client> {
    let roots = Certificate::from_pem_bundle(roots_pem.as_bytes()).context("cannot read the roots of trust")?;
    Ok(build(builder().tls_certs_only(roots)))
}

/// Sends `request` and returns status and JSON body; an empty body is `null`.
///
/// # Errors
/// When nothing comes back, or something else than JSON.
pub async fn exchange(request: RequestBuilder) -> anyhow::Result<(StatusCode, Value)> {
    let response = request.send().await?;
    let status = response.status();
    let text = response.text().await?;
    if text.is_empty() {
        return Ok((status, Value::Null));
    }
    let body =
        serde_json::from_str(&text).with_context(|| format!("status {status} with a body other than JSON: {text}"))?;
    Ok((status, body))
}

/// As [`exchange`], for requests that must succeed.
///
/// # Errors
/// Also when the status is not 2xx; with the body.
pub async fn expect_success(request: RequestBuilder) -> anyhow::Result<Value> {
    let (status, body) = exchange(request).await?;
    if !status.is_success() {
        bail!("status {status}: {body}");
    }
    Ok(body)
}

fn builder() -> ClientBuilder {
    // The one that runs first in the process wins; all of them install the same provider.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder().timeout(REQUEST_DEADLINE).no_proxy()
}

fn build(builder: ClientBuilder) -> Client {
    builder.build().expect("a client without system roots and proxies has nothing to fail on")
}
