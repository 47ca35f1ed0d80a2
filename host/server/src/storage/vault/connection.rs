//! The HTTP side: checked settings, TLS roots, and clients that carry a token.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use reqwest::redirect::Policy;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use url::Url;
use vaultrs::api::EndpointMiddleware;
use vaultrs::client::{VaultClient, VaultClientSettings};

use super::VaultSettings;
use super::failure::Failure;
use crate::storage::StoreError;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Health and mount answers are under 2 KB; anything much longer is not from Vault.
const MAX_SMALL_ANSWER_BYTES: usize = 64 << 10;

/// Everything that does not change between logins.
pub(super) struct Connection {
    /// With `url`, `mount_path` and `secret_engine` free of slashes at their ends.
    pub(super) settings: VaultSettings,
    url: Url,
    http: reqwest::Client,
}

impl Connection {
    pub(super) fn new(settings: VaultSettings) -> Result<Self, StoreError> {
        let trimmed = |text: &str| text.trim_matches('/').to_owned();
        let settings = VaultSettings {
            url: settings.url.trim_end_matches('/').to_owned(),
            mount_path: trimmed(&settings.mount_path),
            secret_engine: trimmed(&settings.secret_engine),
            retry_wait_max: settings.retry_wait_max.max(settings.retry_wait_min),
            ..settings
        };
        let url = checked_url(&settings)?;
        let http = http_client(&settings, &url)?;
        Ok(Self { settings, url, http })
    }

    /// A client of the API that sends `token`, or none when it is empty.
    pub(super) fn client(&self, token: &SecretString) -> VaultClient {
        let mut origin = self.url.clone();
        origin.set_path("");
        let middle = EndpointMiddleware {
            token: token.expose_secret().to_owned(),
            version: self.api_root(),
            wrap: None,
            namespace: None,
        };
        let settings = VaultClientSettings {
            address: origin.clone(),
            ca_certs: Vec::new(),
            identity: None,
            timeout: Some(self.settings.request_timeout),
            token: String::new(),
            verify: true,
            version: 1,
            wrapping: false,
            namespace: None,
            proxy: None,
        };
        let http = rustify::Client::new(origin.as_str(), self.http.clone());
        VaultClient { http, middle, settings }
    }

    /// The client puts this in front of every path; a path in the URL comes before the API's version.
    fn api_root(&self) -> String {
        format!("{}/v1", self.url.path().trim_matches('/')).trim_start_matches('/').to_owned()
    }

    /// GETs an endpoint that `vaultrs` does not have: the status and the JSON, `Null` if it is none.
    pub(super) async fn ask(&self, path: &str, token: Option<&str>) -> Result<(u16, Value), Failure> {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let mut url = self.url.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().push("v1").extend(path.split('/'));
        }
        url.set_query(Some(query).filter(|query| !query.is_empty()));
        let mut request = self.http.get(url).header("X-Vault-Request", "true");
        if let Some(token) = token {
            request = request.header("X-Vault-Token", token);
        }
        let mut answer = request.send().await.map_err(|error| Failure::transport(&error))?;
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| Failure::transport(&error))? {
            if body.len() + chunk.len() > MAX_SMALL_ANSWER_BYTES {
                return Err(Failure::Garbage);
            }
            body.extend_from_slice(&chunk);
        }
        Ok((answer.status().as_u16(), serde_json::from_slice(&body).unwrap_or(Value::Null)))
    }
}

fn unusable(setting: &str, reason: impl Into<String>) -> StoreError {
    StoreError::Denied { operation: "log in", path: format!("storage.vault.{setting}"), reason: reason.into() }
}

fn checked_url(settings: &VaultSettings) -> Result<Url, StoreError> {
    for (setting, value) in [
        ("role_id", settings.role_id.as_str()),
        ("secret_id", settings.secret_id.expose_secret()),
        ("mount_path", &settings.mount_path),
        ("secret_engine", &settings.secret_engine),
    ] {
        if value.is_empty() {
            return Err(unusable(setting, "the setting is empty"));
        }
    }
    // The URL is not repeated: until it is checked it may hold a password.
    let url = Url::parse(&settings.url).map_err(|error| unusable("url", format!("it is not a URL: {error}")))?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(unusable("url", "it must begin with `https://` or `http://` and name a host"));
    }
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
        return Err(unusable("url", "it must not hold a user, a password, a query or a fragment"));
    }
    Ok(url)
}

fn http_client(settings: &VaultSettings, url: &Url) -> Result<reqwest::Client, StoreError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider supports TLS 1.2 and 1.3")
        .with_root_certificates(roots(settings.ca_file.as_deref())?)
        .with_no_client_auth();
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(Policy::none())
        // Frames of HTTP/2 can be traced with all their headers, the token among them.
        .http1_only()
        .connect_timeout(CONNECT_TIMEOUT.min(settings.request_timeout))
        .timeout(settings.request_timeout)
        .build()
        .map_err(|_| unusable("url", format!("no HTTP client can be made for {url}")))
}

fn roots(ca_file: Option<&Path>) -> Result<RootCertStore, StoreError> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let Some(path) = ca_file else { return Ok(roots) };
    let wrong = |reason: String| unusable("ca_file", format!("{}: {reason}", path.display()));
    let pem = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
    let mut count = 0;
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|error| wrong(format!("it is not PEM: {error}")))?;
        roots.add(certificate).map_err(|error| wrong(format!("a certificate cannot be used: {error}")))?;
        count += 1;
    }
    if count == 0 {
        return Err(wrong("it holds no certificate".to_owned()));
    }
    Ok(roots)
}
