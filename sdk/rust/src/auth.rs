//! Proving to a vendor who is asking: digests, signatures and access tokens.
//!
//! A plain token or a password needs nothing of this: see [`Client::bearer`](crate::http::Client::bearer) and
//! [`Client::basic`](crate::http::Client::basic). Each part is behind a feature of this crate, so that a provider
//! carries only what it uses:
//!
//! | feature | what it adds |
//! |---|---|
//! | `hash` | `sha1`, `sha256` |
//! | `hmac` | `hmac_sha1`, `hmac_sha224` to `hmac_sha512`, and `hash` |
//! | `sigv4` | `sigv4::Signer`: AWS Signature Version 4, and `hmac` |
//! | `rsa` | `rsa::PrivateKey`: signatures with a PEM key |
//! | `jwt` | `jwt::rs256`: signed JSON web tokens, and `rsa` |
//! | `oauth2` | `oauth2::TokenRequest`: access tokens for client credentials or a signed assertion |
//!
//! Where each request is signed, [`Client::sign_with`](crate::http::Client::sign_with) shows the finished request to
//! the provider before it is sent. [`time`](crate::time) has the present moment in the usual notations.
//!
//! [`session`] needs no feature: it logs in, finds the token wherever the vendor puts it, and logs out at the end.

#[cfg(feature = "hash")]
mod hash;
#[cfg(feature = "hmac")]
mod hmac;
#[cfg(feature = "jwt")]
pub mod jwt;
#[cfg(feature = "oauth2")]
pub mod oauth2;
#[cfg(feature = "rsa")]
pub mod rsa;
pub mod session;
#[cfg(feature = "sigv4")]
pub mod sigv4;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

#[cfg(feature = "hash")]
pub use hash::{sha1, sha256};
#[cfg(feature = "hmac")]
pub use hmac::{hmac_sha1, hmac_sha224, hmac_sha256, hmac_sha384, hmac_sha512};

/// Bytes in hexadecimal, lower case.
///
/// ```
/// assert_eq!(acme_manager_plugin::auth::hex([0, 171, 255]), "00abff");
/// ```
pub fn hex(bytes: impl AsRef<[u8]>) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = |byte: &u8| [byte >> 4, byte & 15].map(|half| char::from(DIGITS[usize::from(half)]));
    bytes.as_ref().iter().flat_map(digits).collect()
}

/// Bytes in base64 with padding (RFC 4648 §4).
///
/// ```
/// assert_eq!(acme_manager_plugin::auth::base64("foob"), "Zm9vYg==");
/// ```
pub fn base64(bytes: impl AsRef<[u8]>) -> String {
    STANDARD.encode(bytes)
}

/// Bytes in base64url without padding (RFC 4648 §5, RFC 7515 §2).
///
/// ```
/// assert_eq!(acme_manager_plugin::auth::base64url([3, 236, 255, 224, 193]), "A-z_4ME");
/// ```
pub fn base64url(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The bytes that base64 with padding stands for, blanks and line breaks left out of account; nothing where it is
/// not base64.
///
/// ```
/// assert_eq!(acme_manager_plugin::auth::base64_decode("Zm9v\nYg==").as_deref(), Some(b"foob".as_slice()));
/// ```
pub fn base64_decode(text: &str) -> Option<Vec<u8>> {
    let text: String = text.split_ascii_whitespace().collect();
    STANDARD.decode(text).ok()
}
