//! The SHA-256 of a component: what `checksum` in the configuration means.

use std::{fmt, str::FromStr};

use sha2::{Digest, Sha256};

/// The SHA-256 digest of a component's bytes.
///
/// Parses from 64 hexadecimal digits of any case, with or without the prefix `sha256:`; displays as 64 lower-case
/// digits.
#[derive(Copy, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PluginDigest([u8; 32]);

/// Why a text is not a digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DigestParseError {
    /// The text has another length than 64 digits.
    #[error("a SHA-256 checksum has 64 hexadecimal digits, this one has {0}")]
    Length(usize),
    /// The text contains something that is no hexadecimal digit.
    #[error("a SHA-256 checksum consists of hexadecimal digits, this one contains `{0}`")]
    Digit(char),
}

impl PluginDigest {
    /// The digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl From<[u8; 32]> for PluginDigest {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl FromStr for PluginDigest {
    type Err = DigestParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let digits = match text.get(..7) {
            Some(prefix) if prefix.eq_ignore_ascii_case("sha256:") => &text[7..],
            _ => text,
        };
        if let Some(other) = digits.chars().find(|c| !c.is_ascii_hexdigit()) {
            return Err(DigestParseError::Digit(other));
        }
        let mut bytes = [0; 32];
        hex::decode_to_slice(digits, &mut bytes).map_err(|_| DigestParseError::Length(digits.len()))?;
        Ok(Self(bytes))
    }
}

impl fmt::Display for PluginDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for PluginDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PluginDigest({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn parses_every_usual_spelling() {
        let expected = PluginDigest::of(b"");
        for text in [
            EMPTY.to_owned(),
            EMPTY.to_uppercase(),
            format!("sha256:{EMPTY}"),
            format!("SHA256:{}", EMPTY.to_uppercase()),
            format!("  {EMPTY}\n"),
        ] {
            assert_eq!(text.parse::<PluginDigest>(), Ok(expected), "{text}");
        }
        assert_eq!(expected.to_string(), EMPTY);
    }

    #[test]
    fn says_what_is_wrong() {
        assert_eq!(EMPTY[1..].parse::<PluginDigest>(), Err(DigestParseError::Length(63)));
        assert_eq!(format!("{EMPTY}00").parse::<PluginDigest>(), Err(DigestParseError::Length(66)));
        assert_eq!("".parse::<PluginDigest>(), Err(DigestParseError::Length(0)));
        assert_eq!("md5:00".parse::<PluginDigest>(), Err(DigestParseError::Digit('m')));
        assert_eq!("Prüfsumme".parse::<PluginDigest>(), Err(DigestParseError::Digit('P')));
    }
}
