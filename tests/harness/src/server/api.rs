//! A client of the server's REST API.

use std::time::Duration;

use acme_manager_api::{Certificate, CertificateParams, TokenCreated, TokenParams};
use anyhow::ensure;
use reqwest::{Method, RequestBuilder};
use serde_json::Value;

use crate::http;

/// The server cuts an issuance before that.
const ISSUANCE_DEADLINE: Duration = Duration::from_secs(320);

/// Calls of one server's API. A failure's text holds status and body.
#[derive(Clone, Debug)]
pub struct Api {
    url: String,
    api_key: String,
}

impl Api {
    pub(crate) fn new(url: &str, api_key: &str) -> Self {
        Self { url: url.to_owned(), api_key: api_key.to_owned() }
    }

    /// A request without credentials, for whatever the other calls do not offer; `path` starts with a slash.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        http::client().request(method, format!("{}{path}", self.url)).timeout(ISSUANCE_DEADLINE)
    }

    /// Makes a token, with the API key.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn create_token(&self, params: &TokenParams) -> anyhow::Result<TokenCreated> {
        let request = self.request(Method::POST, "/api/v1/token").header("X-API-Key", &self.api_key);
        Ok(serde_json::from_value(http::expect_success(request.json(params)).await?)?)
    }

    /// The bearer credential of a new token with every scope, for the owner `username`.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn bearer(&self, username: &str) -> anyhow::Result<String> {
        let scope = ["create", "read", "update", "delete"].map(str::to_owned).to_vec();
        let params = TokenParams { username: username.to_owned(), scope, ..TokenParams::default() };
        Ok(self.create_token(&params).await?.token)
    }

    /// `POST /api/v1/certificate`
    ///
    /// # Errors
    /// When the server refuses or the CA does.
    pub async fn create_certificate(&self, bearer: &str, params: &CertificateParams) -> anyhow::Result<Certificate> {
        certificate(self.request(Method::POST, "/api/v1/certificate").bearer_auth(bearer).json(params)).await
    }

    /// `PUT /api/v1/certificate`
    ///
    /// # Errors
    /// When the server refuses or the CA does.
    pub async fn update_certificate(&self, bearer: &str, params: &CertificateParams) -> anyhow::Result<Certificate> {
        certificate(self.request(Method::PUT, "/api/v1/certificate").bearer_auth(bearer).json(params)).await
    }

    /// `GET /api/v1/certificate/{key}`, where `key` is `issuer/domain` or a name.
    ///
    /// # Errors
    /// When there is no such certificate.
    pub async fn certificate(&self, bearer: &str, key: &str) -> anyhow::Result<Certificate> {
        certificate(self.request(Method::GET, &format!("/api/v1/certificate/{key}")).bearer_auth(bearer)).await
    }

    /// `DELETE /api/v1/certificate/{key}`, where `key` is `issuer/domain` or a name, `?revoke=true` included.
    ///
    /// # Errors
    /// When the answer is another than 204.
    pub async fn delete_certificate(&self, bearer: &str, key: &str) -> anyhow::Result<()> {
        let request = self.request(Method::DELETE, &format!("/api/v1/certificate/{key}")).bearer_auth(bearer);
        let (status, body) = http::exchange(request).await?;
        ensure!(status == 204, "status {status}: {body}");
        Ok(())
    }

    /// The list of plugins, with the API key.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn plugins(&self) -> anyhow::Result<Value> {
        let request = self.request(Method::GET, "/api/v1/plugins").header("X-API-Key", &self.api_key);
        Ok(request.send().await?.error_for_status()?.json().await?)
    }

    /// `GET /api/v1/certificate/metadata`
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn metadata(&self, bearer: &str) -> anyhow::Result<Value> {
        http::expect_success(self.request(Method::GET, "/api/v1/certificate/metadata").bearer_auth(bearer)).await
    }
}

async fn certificate(request: RequestBuilder) -> anyhow::Result<Certificate> {
    Ok(serde_json::from_value(http::expect_success(request).await?)?)
}
