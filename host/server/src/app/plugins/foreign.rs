//! The bytes of a foreign plugin: read once, and the very bytes that are checked are those that are loaded.

use std::path::Path;

use acme_manager_plugin_runtime::{LoadError, Origin, PluginDigest, read_component};

use super::{load, signature};
use crate::certificates::chain;
use crate::config::{self, PluginSource};

/// Why a component is not handed to the engine, in words for the operator.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    /// There is no such file.
    #[error("{0}")]
    Missing(String),
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

impl From<String> for Refusal {
    fn from(reason: String) -> Self {
        Self::Other(reason)
    }
}

impl From<LoadError> for Refusal {
    fn from(error: LoadError) -> Self {
        let reason = chain(&error);
        if matches!(error, LoadError::Missing { .. }) { Self::Missing(reason) } else { Self::Other(reason) }
    }
}

/// Reads the component of an entry and checks it against the checksum and the trusted keys. Blocks.
pub(super) fn read(entry: &config::Plugin, allow_unverified: bool) -> Result<Origin, Refusal> {
    let (path, expected) = match &entry.source {
        PluginSource::Bundled => return Err(load::no_such_bundled_plugin().into()),
        PluginSource::Broken { problem, .. } => return Err(problem.clone().into()),
        PluginSource::File { path, checksum } => (path, Some(PluginDigest::from(checksum.0))),
        PluginSource::Unverified { path } if allow_unverified => (path, None),
        PluginSource::Unverified { path } => return Err(no_checksum(path).into()),
    };
    let bytes = read_component(path)?;
    let from = path.display().to_string();
    let checksum = PluginDigest::of(&bytes);
    match expected {
        Some(expected) if expected != checksum => {
            return Err(LoadError::Checksum { origin: from, expected, actual: checksum }.into());
        }
        Some(_) => {}
        None => {
            tracing::warn!(plugin = %entry.name, path = %path.display(), %checksum, "loading a plugin without a checksum");
        }
    }
    if !entry.trusted_keys.is_empty() {
        let file = entry.signature.clone().unwrap_or_else(|| signature::beside(path));
        let signed = signature::read(&file).and_then(|signed| signed.check(&bytes, &from, &entry.trusted_keys));
        let key = signed.map_err(|e| e.to_string())?;
        tracing::debug!(plugin = %entry.name, path = %path.display(), %key, "the signature is good");
    }
    Ok(Origin::Bytes { from, bytes: bytes.into(), checksum })
}

fn no_checksum(path: &Path) -> String {
    format!("it has no `checksum`: add the output of `acme-manager-server plugin checksum {}`", path.display())
}

#[cfg(test)]
mod tests;
