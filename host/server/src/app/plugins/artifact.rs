//! Components from registries of OCI artifacts, kept by digest: asked for once, verified at each load, usable without
//! the registry afterwards.

use std::fs;
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::time::Duration;

use acme_manager_plugin_runtime::{PluginDigest, read_regular_file};
use bytes::Bytes;
use futures::TryStreamExt;
use oci_client::Client;
use oci_client::client::{ClientConfig, ClientProtocol};
use oci_client::manifest::{OCI_IMAGE_MEDIA_TYPE, OciDescriptor, OciImageManifest};
use oci_client::secrets::RegistryAuth;
use secrecy::ExposeSecret;

use crate::config::{Artifact, RegistryUser};

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
    let hidden = |error: String| {
        let secret = user.map(|user| user.password.expose_secret()).filter(|secret| !secret.is_empty());
        let reason = secret.map_or(error.clone(), |secret| error.replace(secret, "…"));
        ArtifactError::Registry { artifact: artifact.to_string(), reason: reason.chars().take(500).collect() }
    };
    let failed = |error: oci_client::errors::OciDistributionError| hidden(crate::certificates::chain(&error));
    let client = Client::try_from(ClientConfig {
        protocol: if artifact.is_loopback() { ClientProtocol::Http } else { ClientProtocol::Https },
        connect_timeout: Some(CONNECTING),
        read_timeout: Some(CONNECTING),
        platform_resolver: None,
        user_agent: concat!("acme-manager/", env!("CARGO_PKG_VERSION")),
        ..ClientConfig::default()
    })
    .map_err(failed)?;
    let auth = user.map_or(RegistryAuth::Anonymous, |user| {
        RegistryAuth::Basic(user.name.clone(), user.password.expose_secret().to_owned())
    });
    let reference = artifact.reference();
    let (manifest, _) = client.pull_manifest_raw(reference, &auth, &[OCI_IMAGE_MEDIA_TYPE]).await.map_err(failed)?;
    same(artifact, &manifest, PluginDigest::from(artifact.digest().0))?;
    let (digest, size) = component_of(artifact, &manifest)?;
    // By its digest alone: addresses that a manifest names are not asked.
    let layer = format!("sha256:{digest}");
    let mut stream = client.pull_blob_stream(reference, layer.as_str()).await.map_err(failed)?.stream;
    let mut component = Vec::with_capacity(size);
    while let Some(chunk) = stream.try_next().await.map_err(|error| hidden(error.to_string()))? {
        if component.len() + chunk.len() > size {
            return Err(shape(artifact, format!("the layer is larger than the {size} bytes of its manifest")));
        }
        component.extend_from_slice(&chunk);
    }
    same(artifact, &component, digest)?;
    Ok((manifest, component.into()))
}

/// Digest and size of the one layer that is a component.
fn component_of(artifact: &Artifact, manifest: &[u8]) -> Result<(PluginDigest, usize), ArtifactError> {
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
    let size = size.and_then(|size| usize::try_from(size).ok());
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
