//! Service accounts: the key, and the access token that is had for it.
//!
//! Reference: <https://developers.google.com/identity/protocols/oauth2/service-account#httprest>

use acme_manager_plugin::auth::jwt;
use acme_manager_plugin::auth::oauth2::TokenRequest;
use acme_manager_plugin::auth::rsa::PrivateKey;
use acme_manager_plugin::{Error, http, time};
use serde::{Deserialize, Serialize};

const SCOPE: &str = "https://www.googleapis.com/auth/ndev.clouddns.readwrite";
const TOKEN_URI: &str = "https://oauth2.googleapis.com/token";
/// In seconds. Longer than any call; Google takes up to an hour.
const LIFETIME: u64 = 600;

/// A service account that can ask for tokens.
pub(crate) struct ServiceAccount {
    pub(crate) project: Option<String>,
    email: String,
    key: PrivateKey,
    key_id: Option<String>,
    token_uri: String,
}

/// What Google calls a service account key file.
#[derive(Deserialize)]
struct KeyFile {
    r#type: String,
    project_id: Option<String>,
    private_key_id: Option<String>,
    #[serde(default)]
    private_key: String,
    #[serde(default)]
    client_email: String,
    token_uri: Option<String>,
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    scope: &'a str,
    aud: &'a str,
    iat: u64,
    exp: u64,
}

impl ServiceAccount {
    pub(crate) fn from_json(json: &str) -> Result<Self, Error> {
        // The reader's own words are left out: they may repeat the key.
        let file: KeyFile = serde_json::from_str(json).map_err(|_| {
            Error::config(format!(
                "{0} is not a key in JSON; the path of a file stands after file:, or in {0}_FILE",
                super::ACCOUNT
            ))
        })?;
        if file.r#type != "service_account" {
            return Err(Error::config(format!("{} is a {}, not a service_account", super::ACCOUNT, file.r#type)));
        }
        let key = PrivateKey::from_pem(&file.private_key).map_err(|error| error.context(super::ACCOUNT))?;
        Ok(Self {
            project: file.project_id,
            email: file.client_email,
            key,
            key_id: file.private_key_id,
            token_uri: file.token_uri.unwrap_or_else(|| TOKEN_URI.to_owned()),
        })
    }

    /// An access token for Cloud DNS.
    pub(crate) fn token(&self) -> Result<String, Error> {
        let now = time::now().unix();
        let claims = Claims { iss: &self.email, scope: SCOPE, aud: &self.token_uri, iat: now, exp: now + LIFETIME };
        let assertion = jwt::rs256(&self.key, self.key_id.as_deref(), &claims)?;
        TokenRequest::jwt_bearer(&assertion).fetch(&http::Client::new(&self.token_uri)?, "")
    }
}
