//! Plugins in a registry of OCI artifacts.

use std::fmt;
use std::net::IpAddr;

use oci_client::Reference;
use secrecy::SecretString;

use super::plugin::Checksum;

/// An artifact, pinned by the digest of its manifest; `Display` is what stood in the config.
#[derive(Clone, PartialEq, Eq)]
pub struct Artifact {
    reference: Reference,
    digest: Checksum,
    is_loopback: bool,
}

/// Who the server is for a registry.
#[derive(Debug, Clone)]
pub struct RegistryUser {
    /// The user's name.
    pub name: String,
    /// The password, or a token in its place.
    pub password: SecretString,
}

/// What stands in front of a reference.
pub(super) const SCHEME: &str = "oci://";

const EXPECTED: &str = "expected oci://registry.example/namespace/name@sha256:<64 hex digits>";

impl Artifact {
    /// What to ask for.
    #[must_use]
    pub fn reference(&self) -> &Reference {
        &self.reference
    }

    /// The digest of the manifest.
    #[must_use]
    pub fn digest(&self) -> Checksum {
        self.digest
    }

    /// Whether the registry is on this machine: the only place that is asked by plain HTTP.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.is_loopback
    }

    /// Reads a reference without its scheme.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        // Without a host the library would mean a registry of its own choice.
        let (host, rest) = text.split_once('/').ok_or(EXPECTED)?;
        if !(host.contains(['.', ':']) || host == "localhost") || rest.is_empty() {
            return Err(format!("{EXPECTED}: the registry's host must be named"));
        }
        let reference: Reference = text.parse().map_err(|error| format!("{EXPECTED}: {error}"))?;
        if reference.registry() != host {
            return Err(EXPECTED.to_owned());
        }
        let Some(digest) = reference.digest() else {
            return Err(format!(
                "{SCHEME}{text} is not pinned, and what a tag means can change: get the digest, for example with \
                 `oras resolve {text}`, and write {SCHEME}{host}/{}@sha256:…",
                reference.repository()
            ));
        };
        let mut bytes = [0; 32];
        let digits = digest.strip_prefix("sha256:").ok_or(EXPECTED)?;
        hex::decode_to_slice(digits, &mut bytes).map_err(|_| EXPECTED)?;
        let is_loopback = is_loopback(host);
        Ok(Self { reference, digest: Checksum(bytes), is_loopback })
    }
}

fn is_loopback(host: &str) -> bool {
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let name = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

impl fmt::Display for Artifact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}", self.reference.whole())
    }
}

impl fmt::Debug for Artifact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Artifact({self})")
    }
}
