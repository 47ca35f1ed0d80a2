//! Where a plugin comes from.

use std::fmt;
use std::path::{Path, PathBuf};

use secrecy::ExposeSecret;

use super::resolve;
use crate::config::artifact::{self, Artifact, RegistryUser};
use crate::config::section::Section;

/// Where a plugin comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PluginSource {
    /// The entry has no `path`: the name must be that of a bundled plugin.
    Bundled,
    /// A file that must have this digest.
    File {
        /// Absolute.
        path: PathBuf,
        /// What its content must hash to.
        checksum: Checksum,
    },
    /// An artifact of a registry.
    Registry {
        /// Which one; its digest pins the component.
        artifact: Artifact,
        /// What the component must hash to, if the config says so as well.
        checksum: Option<Checksum>,
    },
    /// A file without `checksum`, for servers that were started with `-allow-unverified-plugins`.
    Unverified {
        /// Absolute.
        path: PathBuf,
    },
    /// The entry can never be loaded; the server runs on without this plugin.
    Broken {
        /// As far as it is known.
        path: PathBuf,
        /// What is wrong, for the operator.
        problem: String,
    },
}

impl PluginSource {
    /// The file, if it is one.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Bundled | Self::Registry { .. } => None,
            // The place of a broken entry may be in a registry.
            Self::Broken { path, .. } if !path.is_absolute() => None,
            Self::File { path, .. } | Self::Unverified { path } | Self::Broken { path, .. } => Some(path),
        }
    }

    /// What a file must hash to.
    #[must_use]
    pub fn checksum(&self) -> Option<Checksum> {
        match self {
            Self::File { checksum, .. } => Some(*checksum),
            _ => None,
        }
    }
}

/// A SHA-256 digest; `Display` is 64 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Checksum(pub [u8; 32]);

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Checksum({self})")
    }
}

/// A digest that cannot be right breaks this one plugin, not the config: a half-edited entry must not keep the
/// server, with all its other issuers, from starting.
pub(super) fn read_source(section: &Section<'_>, is_signed_for_nobody: bool) -> Option<PluginSource> {
    let checksum = section.optional_text("checksum");
    if !section.has("path") {
        for key in ["checksum", "signature", "trusted_keys", "registry_username", "registry_password"] {
            if section.has(key) && (key != "checksum" || checksum.is_some()) {
                section.mistake(key, "has no meaning without `path`: bundled plugins are part of the server");
            }
        }
        return Some(PluginSource::Bundled);
    }
    let place = section.text("path")?;
    let artifact = place.strip_prefix(artifact::SCHEME).map(Artifact::parse);
    let artifact = match artifact.transpose() {
        Ok(artifact) => artifact,
        Err(problem) => {
            section.mistake("path", problem);
            return None;
        }
    };
    if artifact.is_none() {
        for key in ["registry_username", "registry_password"] {
            if section.has(key) {
                section.mistake(key, "has no meaning without a `path` that begins with oci://");
            }
        }
    }
    let path = if artifact.is_some() { PathBuf::from(place) } else { absolute_file(section, "path")? };
    if is_signed_for_nobody {
        let problem = "nothing would check the signature: name the public key in `trusted_keys`, or in \
                       `plugin_trusted_keys` of `common` for all plugins";
        section.warning("signature", format!("{problem}; the plugin stays off"));
        return Some(PluginSource::Broken { path, problem: problem.to_owned() });
    }
    if let (Some(artifact), None) = (&artifact, &checksum) {
        return Some(PluginSource::Registry { artifact: artifact.clone(), checksum: None });
    }
    let Some(checksum) = checksum else {
        section.warning("checksum", "not set: the plugin is loaded only with -allow-unverified-plugins");
        return Some(PluginSource::Unverified { path });
    };
    let mut digest = [0; 32];
    if hex::decode_to_slice(&checksum, &mut digest).is_ok() {
        let checksum = Checksum(digest);
        return Some(match artifact {
            Some(artifact) => PluginSource::Registry { artifact, checksum: Some(checksum) },
            None => PluginSource::File { path, checksum },
        });
    }
    let problem = format!("expected the SHA-256 digest of the file, 64 hex digits, got {checksum:?}");
    section.warning("checksum", format!("{problem}: the plugin stays off"));
    Some(PluginSource::Broken { path, problem })
}

/// Both keys, or neither.
pub(super) fn read_registry_user(section: &Section<'_>) -> Option<RegistryUser> {
    let (name_key, password_key) = ("registry_username", "registry_password");
    for (key, other) in [(name_key, password_key), (password_key, name_key)] {
        if section.has(key) && !section.has(other) {
            section.mistake(key, format!("has no meaning without `{other}`"));
        }
    }
    let name = section.text(name_key);
    let password = section.optional_secret(password_key)?;
    match resolve(password.expose_secret()) {
        Ok(password) => Some(RegistryUser { name: name?, password }),
        Err(problem) => {
            section.mistake(password_key, problem);
            None
        }
    }
}

pub(super) fn absolute_file(section: &Section<'_>, key: &str) -> Option<PathBuf> {
    if !section.has(key) {
        return None;
    }
    let path = section.file(key)?;
    if !path.is_absolute() {
        section.mistake(key, format!("expected an absolute path, got {:?}", path.display().to_string()));
        return None;
    }
    Some(path)
}
