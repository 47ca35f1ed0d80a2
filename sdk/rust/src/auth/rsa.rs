//! RSA signatures, of the kind RSASSA-PKCS1-v1_5 with SHA-256 (RFC 8017 §8.2).
//!
//! Keys are only signed with, in a sandbox whose timing nobody outside sees; the `rsa` crate computes with them in
//! constant time besides.

use ::rsa::pkcs1::DecodeRsaPrivateKey as _;
use ::rsa::pkcs1v15::SigningKey;
use ::rsa::pkcs8::DecodePrivateKey as _;
use ::rsa::signature::{SignatureEncoding as _, Signer as _};
use sha2::Sha256;

use super::base64_decode;
use crate::Error;

/// A private key.
#[derive(Clone)]
pub struct PrivateKey(SigningKey<Sha256>);

impl PrivateKey {
    /// Reads a key in PEM: `PRIVATE KEY` (PKCS#8) or `RSA PRIVATE KEY` (PKCS#1), without a passphrase. What stands
    /// before and after it is not looked at, and the length of lines does not matter.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) when it is something else. Nothing of the text is repeated.
    pub fn from_pem(text: &str) -> Result<Self, Error> {
        let (label, body) = block(text).ok_or_else(|| Error::config("the private key is not a PEM block"))?;
        if label.contains("ENCRYPTED") || body.contains("ENCRYPTED") {
            return Err(Error::config("the private key has a passphrase: store it without, `openssl pkey` removes it"));
        }
        let der = base64_decode(body).ok_or_else(|| Error::config("the private key's PEM block is not base64"))?;
        let key = match label {
            "PRIVATE KEY" => ::rsa::PrivateKey::from_pkcs8_der(&der).ok(),
            "RSA PRIVATE KEY" => ::rsa::PrivateKey::from_pkcs1_der(&der).ok(),
            _ => return Err(Error::config("the PEM block is not a PRIVATE KEY or RSA PRIVATE KEY")),
        };
        key.map(|key| Self(SigningKey::new(key))).ok_or_else(|| Error::config("the private key is not a valid RSA key"))
    }

    /// The signature of the SHA-256 digest of bytes; always the same for the same bytes.
    ///
    /// # Errors
    /// When the key's numbers do not fit together.
    pub fn sign_sha256(&self, bytes: impl AsRef<[u8]>) -> Result<Vec<u8>, Error> {
        let signature = self.0.try_sign(bytes.as_ref());
        signature.map(|signature| signature.to_vec()).map_err(|_| Error::config("the private key cannot sign"))
    }
}

/// The label of the first PEM block and what is between its borders (RFC 7468 §3).
fn block(text: &str) -> Option<(&str, &str)> {
    let (_, rest) = text.split_once("-----BEGIN ")?;
    let (label, rest) = rest.split_once("-----")?;
    let (body, end) = rest.split_once("-----END ")?;
    end.strip_prefix(label)?.starts_with("-----").then_some((label, body))
}

#[cfg(test)]
pub(super) const RFC_7515_KEY: &str = include_str!("rsa/rfc7515-a2.pkcs1.pem");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;
    use crate::auth::base64url;

    /// The signature of RFC 7515 appendix A.2.1.
    #[test]
    fn both_encodings_of_the_rfcs_key_make_its_signature() {
        let signed = "eyJhbGciOiJSUzI1NiJ9.\
            eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
        let pkcs8 = include_str!("rsa/rfc7515-a2.pkcs8.pem");
        // Oracle's console adds a line after the key, and some put all of it on one line.
        let labelled = format!("{pkcs8}\nOCI_API_KEY\n");
        let one_line = pkcs8.replace('\n', " ");
        for pem in [RFC_7515_KEY, pkcs8, &labelled, &one_line] {
            let signature = base64url(PrivateKey::from_pem(pem).unwrap().sign_sha256(signed).unwrap());
            assert!(
                signature.starts_with("cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Q")
            );
            assert!(signature.ends_with("rBp0igcN_IoypGlUPQGe77Rw"), "{signature}");
        }
    }

    #[test]
    fn what_is_no_plain_rsa_key_is_the_operators_to_mend() {
        let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIFHzBJ\n-----END ENCRYPTED PRIVATE KEY-----";
        let old = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n-----END RSA PRIVATE KEY-----";
        let other = "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEE\n-----END EC PRIVATE KEY-----";
        let broken = "-----BEGIN PRIVATE KEY-----\nMIIFHzBJ\n-----END PRIVATE KEY-----";
        let cut = "-----BEGIN PRIVATE KEY-----\nMIIFHzBJ\n";
        let reasons = [(encrypted, "passphrase"), (old, "passphrase"), (other, "not a PRIVATE KEY"), (broken, "valid")];
        for (text, reason) in reasons.into_iter().chain([(cut, "not a PEM block"), ("", "not a PEM block")]) {
            let error = PrivateKey::from_pem(text).err().unwrap();
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(error.message().contains(reason) && !error.message().contains("MIIF"), "{error}");
        }
    }
}
