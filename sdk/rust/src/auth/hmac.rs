//! Keyed message authentication codes (RFC 2104).

use ::hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;
use sha2::{Sha224, Sha256, Sha384, Sha512};

const ANY_LENGTH: &str = "HMAC takes keys of every length";

/// HMAC-SHA1 of bytes under a key.
///
/// ```
/// use acme_manager_plugin::auth::{base64, hmac_sha1};
/// assert_eq!(base64(hmac_sha1("Jefe", "what do ya want for nothing?")), "7/zfauXrL6LSdBbV8YTfnCWafHk=");
/// ```
pub fn hmac_sha1(key: impl AsRef<[u8]>, bytes: impl AsRef<[u8]>) -> [u8; 20] {
    let mac = Hmac::<Sha1>::new_from_slice(key.as_ref()).expect(ANY_LENGTH);
    mac.chain_update(bytes).finalize().into_bytes().into()
}

/// HMAC-SHA256 of bytes under a key.
///
/// ```
/// use acme_manager_plugin::auth::{hex, hmac_sha256};
/// assert_eq!(
///     hex(hmac_sha256("Jefe", "what do ya want for nothing?")),
///     "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
/// );
/// ```
pub fn hmac_sha256(key: impl AsRef<[u8]>, bytes: impl AsRef<[u8]>) -> [u8; 32] {
    let mac = Hmac::<Sha256>::new_from_slice(key.as_ref()).expect(ANY_LENGTH);
    mac.chain_update(bytes).finalize().into_bytes().into()
}

/// HMAC-SHA224 of bytes under a key.
pub fn hmac_sha224(key: impl AsRef<[u8]>, bytes: impl AsRef<[u8]>) -> [u8; 28] {
    let mac = Hmac::<Sha224>::new_from_slice(key.as_ref()).expect(ANY_LENGTH);
    mac.chain_update(bytes).finalize().into_bytes().into()
}

/// HMAC-SHA384 of bytes under a key.
pub fn hmac_sha384(key: impl AsRef<[u8]>, bytes: impl AsRef<[u8]>) -> [u8; 48] {
    let mac = Hmac::<Sha384>::new_from_slice(key.as_ref()).expect(ANY_LENGTH);
    mac.chain_update(bytes).finalize().into_bytes().into()
}

/// HMAC-SHA512 of bytes under a key.
pub fn hmac_sha512(key: impl AsRef<[u8]>, bytes: impl AsRef<[u8]>) -> [u8; 64] {
    let mac = Hmac::<Sha512>::new_from_slice(key.as_ref()).expect(ANY_LENGTH);
    mac.chain_update(bytes).finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::hex;

    /// RFC 4231 §4.3.
    #[test]
    fn the_other_lengths_of_sha2() {
        let (key, data) = ("Jefe", "what do ya want for nothing?");
        assert_eq!(hex(hmac_sha224(key, data)), "a30e01098bc6dbbf45690f3a7e9e6d0f8bbea2a39e6148008fd05e44");
        assert!(hex(hmac_sha384(key, data)).starts_with("af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47"));
        assert!(hex(hmac_sha512(key, data)).starts_with("164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd6"));
    }

    /// RFC 2202 §3, test cases 1, 3 and 6.
    #[test]
    fn sha1_codes_are_those_of_rfc_2202() {
        assert_eq!(hex(hmac_sha1([0x0b; 20], "Hi There")), "b617318655057264e28bc0b6fb378c8ef146be00");
        assert_eq!(hex(hmac_sha1([0xaa; 20], [0xdd; 50])), "125d7342b9ac11cd91a39af48aa17b4f63f175d3");
        let long = hmac_sha1([0xaa; 80], "Test Using Larger Than Block-Size Key - Hash Key First");
        assert_eq!(hex(long), "aa4ae5e15272d00e95705637ce8a3b55ed402112");
    }

    /// RFC 4231 §4, test cases 1, 3 and 6.
    #[test]
    fn sha256_codes_are_those_of_rfc_4231() {
        let code = hmac_sha256([0x0b; 20], "Hi There");
        assert_eq!(hex(code), "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
        let code = hmac_sha256([0xaa; 20], [0xdd; 50]);
        assert_eq!(hex(code), "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe");
        let code = hmac_sha256([0xaa; 131], "Test Using Larger Than Block-Size Key - Hash Key First");
        assert_eq!(hex(code), "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    }
}
