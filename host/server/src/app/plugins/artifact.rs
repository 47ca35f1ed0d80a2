//! Components from registries of OCI artifacts, kept by digest: asked for once, verified at each load, usable without
//! the registry afterwards.

use std::fs;
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::time::Duration;

use acme_manager_plugin_runtime::{PluginDigest, read_regular_file};
use bytes::Bytes;
use oci_client::manifest::{OciDescriptor, OciImageManifest};

use self::registry::Registry;
use crate::config::{Artifact, RegistryUser};

mod registry;

/// What the layer with the component is called.
const COMPONENT: &str = "application/wasm";

/// Registries allow manifests of 4 MiB; one of a component has some hundred bytes.
const LONGEST_MANIFEST: u64 = 4 << 20;
const LARGEST_COMPONENT: u64 = 64 << 20;

/// All of one download.
const PATIENCE: Duration = Duration::from_secs(60);
const CONNECTING: Duration = Duration::from_secs(10);

/// Why there is no component. Every text names the artifact.
#[derive(Debug, thiserror::Error)]
pub(super) enum ArtifactError {
    /// The registry does not hand it out.
    #[error(
        "{artifact} cannot be fetched: {reason}; look whether the registry can be reached, knows this digest and wants \
         `registry_username` and `registry_password`"
    )]
    Registry { artifact: String, reason: String },
    /// The registry takes too long.
    #[error("{artifact} cannot be fetched: the registry took longer than {} s", PATIENCE.as_secs())]
    Slow { artifact: String },
    /// The registry sends without end.
    #[error(
        "{artifact} cannot be fetched: {what} from {from} is larger than the {limit} bytes it may have; look whether \
         `path` names the right registry, and push the artifact there again"
    )]
    Long { artifact: String, from: String, what: &'static str, limit: usize },
    /// The registry sends us to where we do not go.
    #[error(
        "{artifact} cannot be fetched: {from} sends to {to}, which {why}; nothing was sent there: correct the addresses \
         that the registry gives out, or let `path` name the registry that is meant"
    )]
    Astray { artifact: String, from: String, to: String, why: &'static str },
    /// It is something else than a component.
    #[error("{artifact} is no plugin: {reason}")]
    Shape { artifact: String, reason: String },
    /// The registry hands out something else.
    #[error("the registry answers with other bytes than {artifact} names (wanted {expected}, got {actual})")]
    Forged { artifact: String, expected: PluginDigest, actual: PluginDigest },
}

/// The component of an artifact, from `folder` if it is there, else from the registry.
pub(super) async fn fetch(
    artifact: &Artifact,
    user: Option<&RegistryUser>,
    folder: Option<&Path>,
) -> Result<Bytes, ArtifactError> {
    let digest = PluginDigest::from(artifact.digest().0);
    if let Some(folder) = folder {
        let (folder, artifact) = (folder.to_owned(), artifact.clone());
        let kept = tokio::task::spawn_blocking(move || {
            let manifest = kept(&folder, digest, LONGEST_MANIFEST)?;
            let (layer, _) = component_of(&artifact, &manifest).ok()?;
            kept(&folder, layer, LARGEST_COMPONENT)
        });
        if let Ok(Some(component)) = kept.await {
            return Ok(component);
        }
    }
    let slow = |_| ArtifactError::Slow { artifact: artifact.to_string() };
    let (manifest, component) = tokio::time::timeout(PATIENCE, download(artifact, user)).await.map_err(slow)??;
    if let Some(folder) = folder {
        let (folder, component) = (folder.to_owned(), component.clone());
        let written = tokio::task::spawn_blocking(move || {
            // The component first: whoever finds the manifest finds both.
            keep(&folder, &component).and_then(|()| keep(&folder, &manifest))
        });
        if let Ok(Err(error)) = written.await {
            tracing::warn!(%artifact, %error, "cannot keep the plugin: the next start needs the registry again");
        }
    }
    Ok(component)
}

async fn download(artifact: &Artifact, user: Option<&RegistryUser>) -> Result<(Bytes, Bytes), ArtifactError> {
    let registry = Registry::connect(artifact, user).await?;
    let expected = PluginDigest::from(artifact.digest().0);
    let manifest = registry.manifest(expected).await?;
    same(artifact, &manifest, expected)?;
    let (digest, size) = component_of(artifact, &manifest)?;
    let component = registry.blob(digest, size).await?;
    same(artifact, &component, digest)?;
    Ok((manifest, component))
}

/// Digest and size of the one layer that is a component.
fn component_of(artifact: &Artifact, manifest: &[u8]) -> Result<(PluginDigest, u64), ArtifactError> {
    let manifest: OciImageManifest = serde_json::from_slice(manifest).map_err(|_| {
        shape(artifact, "the digest names no image manifest; name that of one artifact, not of an index")
    })?;
    let layers: Vec<&OciDescriptor> = manifest.layers.iter().filter(|layer| layer.media_type == COMPONENT).collect();
    let [layer] = layers.as_slice() else {
        let found: Vec<&str> = manifest.layers.iter().map(|layer| layer.media_type.as_str()).take(5).collect();
        let reason = format!("it must have one layer of the type {COMPONENT}, it has [{}]", found.join(", "));
        return Err(shape(artifact, reason));
    };
    let size = u64::try_from(layer.size).ok().filter(|size| *size <= LARGEST_COMPONENT);
    let size = size.ok_or_else(|| shape(artifact, "its component is larger than 64 MiB"))?;
    let digest = layer.digest.strip_prefix("sha256:").and_then(|digest| digest.parse().ok());
    Ok((digest.ok_or_else(|| shape(artifact, "its layer has no SHA-256 digest"))?, size))
}

fn shape(artifact: &Artifact, reason: impl Into<String>) -> ArtifactError {
    ArtifactError::Shape { artifact: artifact.to_string(), reason: reason.into() }
}

fn same(artifact: &Artifact, bytes: &[u8], expected: PluginDigest) -> Result<(), ArtifactError> {
    let actual = PluginDigest::of(bytes);
    if actual == expected {
        return Ok(());
    }
    Err(ArtifactError::Forged { artifact: artifact.to_string(), expected, actual })
}

/// What was kept under its digest, if it still is what it was. Blocks.
fn kept(folder: &Path, digest: PluginDigest, limit: u64) -> Option<Bytes> {
    let bytes = read_regular_file(&folder.join(format!("sha256-{digest}")), limit).ok()?;
    (PluginDigest::of(&bytes) == digest).then(|| bytes.into())
}

/// Writes bytes under their digest, in one step. Blocks.
fn keep(folder: &Path, bytes: &[u8]) -> std::io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let target = folder.join(format!("sha256-{}", PluginDigest::of(bytes)));
    let new = folder.join(format!(".{}.new", uuid::Uuid::new_v4()));
    let written = fs::OpenOptions::new().write(true).create_new(true).open(&new).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&new, &target)
    });
    if written.is_err() {
        let _ = fs::remove_file(&new);
    }
    written
}

#[cfg(test)]
mod tests;
