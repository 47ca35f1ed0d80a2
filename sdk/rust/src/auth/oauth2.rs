//! Access tokens (RFC 6749) for programs: with client credentials (§4.4) or a signed assertion (RFC 7523 §2.1).
//!
//! Each call of a provider is a fresh instance, so each asks for a token of its own.
//!
//! ```
//! use acme_manager_plugin::auth::oauth2::TokenRequest;
//! use acme_manager_plugin::http::Client;
//! use acme_manager_plugin::testing::MockApi;
//!
//! # let api = MockApi::new();
//! # api.expect("POST", "https://login.example.com/token").answer(200, r#"{"access_token": "t", "token_type": "Bearer"}"#);
//! # api.expect("GET", "https://api.example.com/zones").header("authorization", "Bearer t").answer(200, "");
//! let login = Client::new("https://login.example.com").unwrap();
//! let token = TokenRequest::client_credentials("id", "secret").scope("dns").fetch(&login, "token").unwrap();
//! let api = Client::new("https://api.example.com").unwrap().bearer(&token);
//! api.get("zones").send().unwrap();
//! ```

use serde::Deserialize;

use crate::http::{Client, Response, segment};
use crate::{Error, ErrorKind};

/// A request to a token endpoint.
#[derive(Clone)]
pub struct TokenRequest {
    basic: Option<(String, String)>,
    form: Vec<(String, String)>,
}

/// RFC 6749 §5.1
#[derive(Deserialize)]
struct Granted {
    access_token: String,
    #[serde(default)]
    token_type: String,
}

/// RFC 6749 §5.2
#[derive(Deserialize)]
struct Refused {
    error: String,
    #[serde(default)]
    error_description: String,
}

impl TokenRequest {
    /// Asks with an id and a secret in the header `Authorization`, as every server must understand it (§2.3.1).
    pub fn client_credentials(id: &str, secret: &str) -> Self {
        let request = Self { basic: Some((segment(id), segment(secret))), form: Vec::new() };
        request.parameter("grant_type", "client_credentials")
    }

    /// Asks with an id and a secret among the parameters, for servers that want them there.
    pub fn client_credentials_in_body(id: &str, secret: &str) -> Self {
        let request = Self { basic: None, form: Vec::new() };
        request
            .parameter("grant_type", "client_credentials")
            .parameter("client_id", id)
            .parameter("client_secret", secret)
    }

    /// Asks with a signed token, as `jwt::rs256` makes it.
    pub fn jwt_bearer(assertion: &str) -> Self {
        let request = Self { basic: None, form: Vec::new() };
        request.parameter("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer").parameter("assertion", assertion)
    }

    /// What the token is to be good for; several scopes are parted by blanks.
    #[must_use]
    pub fn scope(self, scope: &str) -> Self {
        self.parameter("scope", scope)
    }

    /// A parameter that this vendor wants besides.
    #[must_use]
    pub fn parameter(mut self, name: &str, value: &str) -> Self {
        self.form.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Fetches an access token from the endpoint at a path below the client's base URL.
    ///
    /// # Errors
    /// [`ErrorKind::Unauthorized`] when the credentials are refused, whatever status says so; otherwise as
    /// [`Request::send`](crate::http::Request::send).
    pub fn fetch(&self, client: &Client, path: &str) -> Result<String, Error> {
        let mut request = client.post(path);
        if let Some((id, secret)) = &self.basic {
            request = request.basic(id, secret);
        }
        let form = self.form.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let response = request.form(form).send_any()?;
        if !response.is_success() {
            return Err(refusal(&response));
        }
        let granted: Granted = response.json()?;
        if !granted.token_type.is_empty() && !granted.token_type.eq_ignore_ascii_case("bearer") {
            // RFC 6749 §7.1: a token of an unknown type must not be used.
            return Err(Error::other(format!("the token is of the type {}, not bearer", granted.token_type)));
        }
        Ok(granted.access_token)
    }
}

fn refusal(response: &Response) -> Error {
    let Ok(refused) = response.json::<Refused>() else {
        return response.to_error();
    };
    let error = response.to_error_with(format!("{} {}", refused.error, refused.error_description).trim_end());
    match refused.error.as_str() {
        // Most servers say this with status 400.
        "access_denied" | "invalid_client" | "invalid_grant" | "unauthorized_client" => {
            error.with_kind(ErrorKind::Unauthorized)
        }
        "server_error" | "temporarily_unavailable" => error.with_kind(ErrorKind::Unavailable),
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::MockApi;

    const URL: &str = "https://server.example.com/token";

    fn fetch(request: &TokenRequest) -> Result<String, Error> {
        request.fetch(&Client::new("https://server.example.com").unwrap(), "token")
    }

    /// The request and the answer of RFC 6749 §4.4.2 and §4.4.3.
    #[test]
    fn client_credentials_are_sent_as_in_the_rfc() {
        let api = MockApi::new();
        api.expect("POST", URL)
            .header("authorization", "Basic czZCaGRSa3F0MzpnWDFmQmF0M2JW")
            .header("content-type", "application/x-www-form-urlencoded")
            .containing("grant_type=client_credentials")
            .answer(
                200,
                r#"{"access_token":"2YotnFZFEjr1zCsicMWpAA","token_type":"example","expires_in":3600,
                    "example_parameter":"example_value"}"#,
            );
        let request = TokenRequest::client_credentials("s6BhdRkqt3", "gX1fBat3bV");
        let error = fetch(&request).unwrap_err();
        assert!(error.message().contains("of the type example"), "{error}");
        api.expect("POST", URL).answer(200, r#"{"access_token":"2YotnFZFEjr1zCsicMWpAA","token_type":"Bearer"}"#);
        assert_eq!(fetch(&request).unwrap(), "2YotnFZFEjr1zCsicMWpAA");
    }

    /// The parameters of RFC 7523 §2.1.
    #[test]
    fn assertions_are_sent_as_in_the_rfc() {
        let api = MockApi::new();
        api.expect("POST", URL)
            .containing("grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=a.b.c&scope=x%20y")
            .answer(200, r#"{"access_token":"t"}"#);
        assert_eq!(fetch(&TokenRequest::jwt_bearer("a.b.c").scope("x y")).unwrap(), "t");
    }

    #[test]
    fn refusals_are_told_apart() {
        let api = MockApi::new();
        let request = TokenRequest::client_credentials_in_body("id", "s3cr3t");
        let refused = |status: u16, body: &str| {
            api.expect("POST", URL).containing("client_id=id&client_secret=s3cr3t").answer(status, body);
            fetch(&request).unwrap_err()
        };
        let error = refused(400, r#"{"error":"invalid_client","error_description":"wrong secret"}"#);
        assert_eq!(error.kind(), ErrorKind::Unauthorized);
        assert_eq!(error.message(), "POST server.example.com/token answered 400: invalid_client wrong secret");
        assert_eq!(refused(400, r#"{"error":"invalid_scope"}"#).kind(), ErrorKind::Rejected);
        assert_eq!(refused(503, "<html>").kind(), ErrorKind::Unavailable);
        assert_eq!(refused(400, r#"{"error":"temporarily_unavailable"}"#).kind(), ErrorKind::Unavailable);
    }
}
