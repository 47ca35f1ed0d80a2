//! Signed JSON web tokens (RFC 7519), as assertions for [`oauth2`](super::oauth2) (RFC 7523).
//!
//! ```
//! use acme_manager_plugin::auth::{jwt, rsa::PrivateKey};
//! use acme_manager_plugin::time;
//! use serde::Serialize;
//!
//! #[derive(Serialize)]
//! struct Claims<'a> {
//!     iss: &'a str,
//!     aud: &'a str,
//!     iat: u64,
//!     exp: u64,
//! }
//!
//! # fn example(pem: &str) -> Result<String, acme_manager_plugin::Error> {
//! let key = PrivateKey::from_pem(pem)?;
//! let now = time::now().unix();
//! let claims = Claims { iss: "me", aud: "https://login.example.com/token", iat: now, exp: now + 600 };
//! let assertion = jwt::rs256(&key, Some("key-1"), &claims)?;
//! # Ok(assertion)
//! # }
//! ```

use serde::Serialize;

use super::base64url;
use super::rsa::PrivateKey;
use crate::Error;

#[derive(Serialize)]
struct Header<'a> {
    alg: &'a str,
    typ: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    kid: Option<&'a str>,
}

/// Claims as a token in compact form, signed with RSASSA-PKCS1-v1_5 and SHA-256 (RFC 7518 §3.3). `key_id` is the
/// vendor's name for the key.
///
/// # Errors
/// When the claims are no JSON or the key cannot sign.
pub fn rs256(key: &PrivateKey, key_id: Option<&str>, claims: &impl Serialize) -> Result<String, Error> {
    let unwritable = |error| Error::other(format!("cannot write JSON: {error}"));
    let header = serde_json::to_vec(&Header { alg: "RS256", typ: "JWT", kid: key_id }).map_err(unwritable)?;
    compact(key, &header, &serde_json::to_vec(claims).map_err(unwritable)?)
}

/// RFC 7515 §3.1
fn compact(key: &PrivateKey, header: &[u8], payload: &[u8]) -> Result<String, Error> {
    let mut token = format!("{}.{}", base64url(header), base64url(payload));
    let signature = key.sign_sha256(&token)?;
    token.push('.');
    token.push_str(&base64url(signature));
    Ok(token)
}

#[cfg(test)]
mod tests {
    use super::super::rsa::RFC_7515_KEY;
    use super::*;

    #[test]
    fn the_token_is_that_of_rfc_7515_appendix_a2() {
        let payload = "{\"iss\":\"joe\",\r\n \"exp\":1300819380,\r\n \"http://example.com/is_root\":true}";
        let token = compact(&PrivateKey::from_pem(RFC_7515_KEY).unwrap(), br#"{"alg":"RS256"}"#, payload.as_bytes());
        let expected = "eyJhbGciOiJSUzI1NiJ9.\
            eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.\
            cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdb\
            F9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383Lc\
            OLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtV\
            rBp0igcN_IoypGlUPQGe77Rw";
        assert_eq!(token.unwrap(), expected);
    }

    #[test]
    fn the_header_names_the_key() {
        let key = PrivateKey::from_pem(RFC_7515_KEY).unwrap();
        let token = rs256(&key, Some("k1"), &serde_json::json!({"iss": "a"})).unwrap();
        let header = base64url(br#"{"alg":"RS256","typ":"JWT","kid":"k1"}"#);
        assert!(token.starts_with(&format!("{header}.{}.", base64url(br#"{"iss":"a"}"#))), "{token}");
    }
}
