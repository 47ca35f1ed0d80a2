//! Parsed words: every name that crosses the edge of the server becomes one of these types exactly once.
//!
//! Past the edge a `String` means free text. Nothing here does input or output. Parsers say what was wrong with
//! the input and repeat it, so that an API answer or a config error can show the message as it is.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Why a word was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} {input:?} is not valid: {reason}")]
pub struct NameError {
    /// What the word was meant to be, for example `domain`.
    pub what: &'static str,
    /// The input, cut to 300 characters.
    pub input: String,
    /// What is wrong with it.
    pub reason: &'static str,
}

impl NameError {
    fn new(what: &'static str, input: &str, reason: &'static str) -> Self {
        Self { what, input: input.chars().take(300).collect(), reason }
    }
}

/// Declares a newtype over a checked string: `Display`, `FromStr`, serde through the same check.
macro_rules! word {
    ($(#[$doc:meta])* $name:ident, $what:literal, $check:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The word as it was given.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(input: &str) -> Result<Self, NameError> {
                let check: fn(&str) -> Result<(), &'static str> = $check;
                check(input).map_err(|reason| NameError::new($what, input, reason))?;
                Ok(Self(input.to_owned()))
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;

            fn try_from(input: String) -> Result<Self, NameError> {
                input.parse()
            }
        }

        impl From<$name> for String {
            fn from(word: $name) -> Self {
                word.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

word!(
    /// A DNS name as clients of the API write it: at most 253 characters, labels of at most 63 letters, digits,
    /// `-` and `_`, optionally one leading `*.`. Its spelling is kept, because it is part of the storage path.
    DomainName, "domain", check_domain
);
word!(
    /// The key of an issuer in the config: a path segment.
    IssuerName, "issuer", check_segment
);
word!(
    /// The user name of a token, which owns all certificates made with it: a path segment.
    Owner, "username", check_segment
);
word!(
    /// The optional name that identifies a certificate instead of issuer and domain: a path segment.
    CertificateName, "name", check_certificate_name
);
word!(
    /// The name of a DNS provider, as issuers and requests write it.
    ProviderName, "challenge provider", check_provider
);

impl DomainName {
    /// Whether the name is a wildcard (`*.example.com`).
    #[must_use]
    pub fn is_wildcard(&self) -> bool {
        self.0.starts_with("*.")
    }

    /// The name without `*.`: what an ACME authorization is about.
    #[must_use]
    pub fn base(&self) -> &str {
        self.0.strip_prefix("*.").unwrap_or(&self.0)
    }

    /// The IP address, if that is what the name spells.
    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        self.0.parse().ok()
    }
}

/// Identifies a token: a version 4 UUID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TokenId(uuid::Uuid);

impl TokenId {
    /// A new, random id.
    #[must_use]
    pub fn random() -> Self {
        Self(uuid::Uuid::new_v4())
    }
}

impl FromStr for TokenId {
    type Err = NameError;

    fn from_str(input: &str) -> Result<Self, NameError> {
        uuid::Uuid::parse_str(input).map(Self).map_err(|_| NameError::new("token id", input, "expected a UUID"))
    }
}

impl fmt::Display for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0.hyphenated(), f)
    }
}

/// What identifies a certificate among those of its owner.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CertificateKey {
    /// A certificate with a `name`: issuer and domain may change.
    Named(CertificateName),
    /// A certificate without one.
    Pair {
        /// The issuer.
        issuer: IssuerName,
        /// The first domain.
        domain: DomainName,
    },
}

/// Identifies a certificate in the whole installation.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct CertificateId {
    /// Whose it is.
    pub owner: Owner,
    /// Which one.
    pub key: CertificateKey,
}

impl CertificateId {
    /// The id of a certificate of `owner`: by `name` if there is one, else by issuer and domain.
    #[must_use]
    pub fn new(owner: Owner, issuer: IssuerName, domain: DomainName, name: Option<CertificateName>) -> Self {
        let key = match name {
            Some(name) => CertificateKey::Named(name),
            None => CertificateKey::Pair { issuer, domain },
        };
        Self { owner, key }
    }
}

impl fmt::Display for CertificateId {
    /// `<owner>/<issuer>/<domain>` or `<owner>/<name>`: also the storage path below the certificate prefix.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.key {
            CertificateKey::Named(name) => write!(f, "{}/{name}", self.owner),
            CertificateKey::Pair { issuer, domain } => write!(f, "{}/{issuer}/{domain}", self.owner),
        }
    }
}

/// A path of a secret below the mount: segments joined by `/`, none of them empty, `.` or `..`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SecretPath(String);

impl SecretPath {
    /// Joins a prefix (which may itself hold `/`) and a rest.
    ///
    /// # Errors
    /// When a segment is empty, `.`, `..` or holds a control character.
    pub fn new(prefix: &str, rest: &str) -> Result<Self, NameError> {
        let path = format!("{}/{}", prefix.trim_matches('/'), rest);
        path.parse()
    }

    /// The path as text, without leading or trailing `/`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What follows `prefix` and its `/`, if the path lies below it.
    #[must_use]
    pub fn below(&self, prefix: &str) -> Option<&str> {
        self.0.strip_prefix(prefix.trim_matches('/'))?.strip_prefix('/')
    }
}

impl FromStr for SecretPath {
    type Err = NameError;

    fn from_str(input: &str) -> Result<Self, NameError> {
        let fine = |segment: &str| {
            !matches!(segment, "" | "." | "..") && !segment.chars().any(|c| c.is_control() || c == '\\')
        };
        if input.len() > 1024 || !input.split('/').all(fine) {
            let reason = "expected segments joined by `/`, none of them empty, `.` or `..`";
            return Err(NameError::new("secret path", input, reason));
        }
        Ok(Self(input.to_owned()))
    }
}

impl fmt::Display for SecretPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn check_domain(input: &str) -> Result<(), &'static str> {
    if input.is_empty() || input.len() > 253 {
        return Err("expected 1 to 253 characters");
    }
    for (index, label) in input.split('.').enumerate() {
        if label == "*" && index == 0 && input.len() > 2 {
            continue;
        }
        if label.is_empty() || label.len() > 63 {
            return Err("every label must have 1 to 63 characters");
        }
        if label.starts_with('-') || label.ends_with('-') {
            return Err("a label must not start or end with `-`");
        }
        if !label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_') {
            return Err("labels are made of ASCII letters, digits, `-` and `_` (write other scripts as `xn--…`), \
                        and `*` may only be the whole first label");
        }
    }
    Ok(())
}

/// A segment starts with a letter or digit, so that no name of a user collides with `.acme-manager`.
fn check_segment(input: &str) -> Result<(), &'static str> {
    let good = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '@' | '+' | ' ');
    if input.is_empty() || input.len() > 128 {
        Err("expected 1 to 128 bytes")
    } else if !input.starts_with(char::is_alphanumeric) || !input.chars().all(good) {
        Err("expected letters, digits, `-`, `_`, `.`, `@`, `+` or spaces, beginning with a letter or digit")
    } else if input.ends_with(' ') {
        Err("must not end with a space")
    } else {
        Ok(())
    }
}

/// `metadata` is a path of the API, so a certificate of that name could never be read.
fn check_certificate_name(input: &str) -> Result<(), &'static str> {
    check_segment(input)?;
    if input == "metadata" { Err("the name is reserved") } else { Ok(()) }
}

fn check_provider(input: &str) -> Result<(), &'static str> {
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if input.is_empty() || input.len() > 64 || !input.chars().all(good) {
        Err("expected 1 to 64 ASCII letters, digits, `-`, `_` or `.`")
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn domains_are_checked_label_by_label() {
        for good in ["example.com", "*.example.com", "_acme.a-b.example", "Example.COM", "localhost", "10.0.0.1"] {
            assert_eq!(good.parse::<DomainName>().map(|d| d.to_string()), Ok(good.to_owned()));
        }
        let long = "a".repeat(64);
        for bad in ["", ".", "*", "*.", "a..b", "a.*.b", "-a.b", "a-.b", "ü.de", "a b.c", "a.b.", "**.a", &long] {
            assert!(bad.parse::<DomainName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn segments_cannot_leave_their_place() {
        for bad in ["", ".", "..", "a/b", "a\\b", ".acme-manager", "a\nb", "a "] {
            assert!(bad.parse::<Owner>().is_err(), "{bad:?}");
            assert!(bad.parse::<CertificateName>().is_err(), "{bad:?}");
        }
        assert!("metadata".parse::<CertificateName>().is_err());
        assert!("metadata".parse::<Owner>().is_ok());
    }

    #[test]
    fn a_certificate_id_is_its_path() {
        let id = |name: Option<&str>| {
            let name = name.map(|n| n.parse().expect("name"));
            CertificateId::new(
                "ops".parse().expect("owner"),
                "le".parse().expect("issuer"),
                "*.a.b".parse().expect("domain"),
                name,
            )
        };
        assert_eq!(id(None).to_string(), "ops/le/*.a.b");
        assert_eq!(id(Some("web")).to_string(), "ops/web");
    }

    #[test]
    fn secret_paths_have_no_holes() {
        assert_eq!(SecretPath::new("/certificates/", "a/b").expect("path").as_str(), "certificates/a/b");
        assert!(SecretPath::new("", "a").is_err());
        assert!(SecretPath::new("p", "a//b").is_err());
        assert!(SecretPath::new("p", "../b").is_err());
        let path: SecretPath = "certificates/a/b".parse().expect("path");
        assert_eq!(path.below("certificates"), Some("a/b"));
        assert_eq!(path.below("cert"), None);
    }
}
