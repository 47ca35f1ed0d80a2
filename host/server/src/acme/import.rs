//! Takes over accounts of the existing system: `<rootpath_account>/<issuer>/private_key.pem` and `account.json`.

use std::path::Path;

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use super::{AccountKey, AcmeError};
use crate::names::IssuerName;

/// The account key of `issuer` in the existing layout, or `None` when there is none.
///
/// # Errors
/// When the file is there and cannot be used: unreadable, not a key, or of a kind other than ECDSA P-256. A key that
/// is skipped silently would mean a new account and other rate limits.
pub async fn account_key(root: &Path, issuer: &IssuerName) -> Result<Option<AccountKey>, AcmeError> {
    let path = root.join(issuer.as_str()).join("private_key.pem");
    let pem = match tokio::fs::read(&path).await {
        Ok(pem) => zeroize::Zeroizing::new(pem),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(refused(&path, &e.to_string())),
    };
    let der = PrivateKeyDer::from_pem_slice(&pem).map_err(|_| refused(&path, "it holds no private key in PEM"))?;
    let pkcs8 = match der {
        PrivateKeyDer::Pkcs8(der) => der,
        PrivateKeyDer::Sec1(der) => PrivatePkcs8KeyDer::from(pkcs8_from_sec1(der.secret_sec1_der())),
        _ => return Err(refused(&path, UNSUPPORTED)),
    };
    let key = AccountKey::from_der(pkcs8);
    key.pair().map_err(|_| refused(&path, UNSUPPORTED))?;
    Ok(Some(key))
}

const UNSUPPORTED: &str = "only ECDSA P-256 account keys are supported; remove the file to let the server register a \
                           new account, or roll the account over to a P-256 key first";

fn refused(path: &Path, reason: &str) -> AcmeError {
    AcmeError::Import { path: path.display().to_string(), reason: reason.to_owned() }
}

/// Wraps an `ECPrivateKey` (RFC 5915) of curve P-256 in PKCS#8 (RFC 5208): constant bytes before the key. A key of
/// another curve is refused when it is parsed.
fn pkcs8_from_sec1(sec1: &[u8]) -> Vec<u8> {
    // SEQUENCE { INTEGER 0, SEQUENCE { OID ecPublicKey, OID prime256v1 }, OCTET STRING { sec1 } }
    const ALGORITHM: [u8; 24] = [
        0x02, 0x01, 0x00, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86,
        0x48, 0xce, 0x3d, 0x03, 0x01, 0x07,
    ];
    let mut inner = ALGORITHM.to_vec();
    inner.push(0x04);
    push_length(&mut inner, sec1.len());
    inner.extend_from_slice(sec1);
    let mut outer = vec![0x30];
    push_length(&mut outer, inner.len());
    outer.extend_from_slice(&inner);
    outer
}

/// A DER length (X.690 §8.1.3) of up to two bytes.
fn push_length(der: &mut Vec<u8>, length: usize) {
    let [high, low] = u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes();
    match length {
        0..=0x7f => der.push(low),
        0x80..=0xff => der.extend([0x81, low]),
        _ => der.extend([0x82, high, low]),
    }
}
