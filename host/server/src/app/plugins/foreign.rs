//! The bytes of a foreign plugin: read once, and the very bytes that are checked are those that are loaded.

use std::path::Path;

use acme_manager_plugin_runtime::{LoadError, Origin, PluginDigest, read_component};
use bytes::Bytes;

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

/// Reads the file of an entry and checks it. Blocks.
pub(super) fn read(entry: &config::Plugin, allow_unverified: bool) -> Result<Origin, Refusal> {
    match &entry.source {
        PluginSource::Bundled => Err(load::no_such_bundled_plugin().into()),
        PluginSource::Broken { problem, .. } => Err(problem.clone().into()),
        PluginSource::Registry { artifact, .. } => Err(format!("{artifact} is not read from a file").into()),
        PluginSource::Unverified { path } if !allow_unverified => Err(no_checksum(path).into()),
        PluginSource::File { path, .. } | PluginSource::Unverified { path } => {
            check(entry, read_component(path)?.into())
        }
    }
}

/// Checks the bytes of an entry's component against its checksum and the trusted keys. Blocks.
pub(super) fn check(entry: &config::Plugin, bytes: Bytes) -> Result<Origin, Refusal> {
    let (from, expected, beside) = match &entry.source {
        PluginSource::Bundled | PluginSource::Broken { .. } => return Err(load::no_such_bundled_plugin().into()),
        PluginSource::File { path, checksum } => (path.display().to_string(), Some(*checksum), Some(path)),
        PluginSource::Unverified { path } => (path.display().to_string(), None, Some(path)),
        PluginSource::Registry { artifact, checksum } => (artifact.to_string(), *checksum, None),
    };
    let checksum = PluginDigest::of(&bytes);
    if let Some(expected) = expected.map(|expected| PluginDigest::from(expected.0))
        && expected != checksum
    {
        return Err(LoadError::Checksum { origin: from, expected, actual: checksum }.into());
    }
    if let PluginSource::Unverified { path } = &entry.source {
        tracing::warn!(plugin = %entry.name, path = %path.display(), %checksum, "loading a plugin without a checksum");
    }
    if !entry.trusted_keys.is_empty() {
        let file = entry.signature.clone().or_else(|| beside.map(|path| signature::beside(path)));
        let file = file.ok_or_else(|| no_signature(&from))?;
        let signed = signature::read(&file).and_then(|signed| signed.check(&bytes, &from, &entry.trusted_keys));
        let key = signed.map_err(|e| e.to_string())?;
        tracing::debug!(plugin = %entry.name, origin = from, %key, "the signature is good");
    }
    Ok(Origin::Bytes { from, bytes, checksum })
}

fn no_signature(from: &str) -> String {
    format!("{from} is not signed: keys are trusted, so that `signature` must name the file with its signature")
}

fn no_checksum(path: &Path) -> String {
    format!("it has no `checksum`: add the output of `acme-manager-server plugin checksum {}`", path.display())
}

#[cfg(test)]
mod tests;
