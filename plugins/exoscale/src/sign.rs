//! Signed requests, `EXO2-HMAC-SHA256`.
//!
//! Reference: <https://openapi-v2.exoscale.com/topic/topic-api-request-signature>

use acme_manager_plugin::{auth, http, time};

/// How long a signature counts. The clocks may differ by as much.
const VALID_SECONDS: u64 = 600;

/// An API key with its secret.
pub(crate) struct Signer {
    pub(crate) key: String,
    pub(crate) secret: String,
}

impl Signer {
    /// Signs the method, the path and the body. Requests of the DNS API have no query.
    pub(crate) fn sign(&self, request: &mut http::Unsigned<'_>) {
        let expires = time::now().unix().saturating_add(VALID_SECONDS);
        let start = format!("{} {}\n", request.method(), request.path());
        // After the body the values of a query and of signed headers, of which there are none.
        let end = format!("\n\n\n{expires}");
        let message = [start.as_bytes(), request.body(), end.as_bytes()].concat();
        let signature = auth::base64(auth::hmac_sha256(&self.secret, message));
        let key = &self.key;
        let value = format!("EXO2-HMAC-SHA256 credential={key},expires={expires},signature={signature}");
        request.set_header("authorization", &value);
    }
}
