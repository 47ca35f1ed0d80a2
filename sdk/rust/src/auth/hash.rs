//! SHA-1 and SHA-256 (FIPS 180-4).

use sha1::Sha1;
use sha2::{Digest as _, Sha256};

/// The SHA-1 digest of bytes. Broken for everything but vendors whose signatures are made of it.
///
/// ```
/// use acme_manager_plugin::auth::{hex, sha1};
/// assert_eq!(hex(sha1("abc")), "a9993e364706816aba3e25717850c26c9cd0d89d");
/// ```
pub fn sha1(bytes: impl AsRef<[u8]>) -> [u8; 20] {
    Sha1::digest(bytes).into()
}

/// The SHA-256 digest of bytes.
///
/// ```
/// use acme_manager_plugin::auth::{hex, sha256};
/// assert_eq!(hex(sha256("abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
/// ```
pub fn sha256(bytes: impl AsRef<[u8]>) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::hex;

    /// The two-block message of FIPS 180-2, appendices A.2 and B.2.
    const TWO_BLOCKS: &str = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";

    #[test]
    fn digests_are_those_of_the_standard() {
        assert_eq!(hex(sha1("")), "da39a3ee5e6b4b0d3255bfef95601890afd80709");
        assert_eq!(hex(sha1(TWO_BLOCKS)), "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
        assert_eq!(hex(sha256("")), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        assert_eq!(hex(sha256(TWO_BLOCKS)), "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    }
}
