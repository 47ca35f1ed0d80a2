//! Where components come from: read once, no further than they may be long, and compared with their digest.

use std::{
    fs,
    io::{self, Read},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use flate2::read::ZlibDecoder;

use super::LoadError;
use crate::digest::PluginDigest;

/// Three times the largest component that any language's tool chain makes of a provider today.
pub(crate) const MAX_COMPONENT_BYTES: u64 = 64 << 20;

/// Where a component comes from.
#[derive(Clone)]
pub enum Origin {
    /// Part of the server binary.
    Bundled {
        /// The component, packed with zlib (RFC 1950).
        packed: &'static [u8],
        /// The component's digest, computed when the binary was built.
        digest: PluginDigest,
    },
    /// A file, which must have the given checksum.
    File {
        /// The file.
        path: PathBuf,
        /// What the operator expects it to be.
        checksum: PluginDigest,
    },
    /// Bytes that were read before, so that what was checked of them holds for what is loaded.
    Bytes {
        /// Where they come from, for errors.
        from: String,
        /// The component.
        bytes: Bytes,
        /// What it is expected to be.
        checksum: PluginDigest,
    },
}

/// A component's bytes, whose digest has been checked.
pub(crate) struct Source {
    pub(crate) origin: String,
    pub(crate) bytes: Bytes,
    pub(crate) digest: PluginDigest,
    /// Part of this program.
    pub(crate) is_bundled: bool,
}

impl Source {
    /// Bytes of unknown origin, as they are.
    pub(crate) fn unchecked(origin: String, bytes: Bytes) -> Result<Self, LoadError> {
        let size = bytes.len() as u64;
        if size > MAX_COMPONENT_BYTES {
            return Err(LoadError::TooLarge { origin, size, limit: MAX_COMPONENT_BYTES });
        }
        let digest = PluginDigest::of(&bytes);
        Ok(Self { origin, bytes, digest, is_bundled: false })
    }
}

pub(super) fn read(origin: &Origin, name: &str) -> Result<Source, LoadError> {
    let (text, bytes, expected) = match origin {
        Origin::Bundled { packed, digest } => {
            let text = format!("the bundled plugin `{name}`");
            let mut bytes = Vec::new();
            match ZlibDecoder::new(*packed).take(MAX_COMPONENT_BYTES + 1).read_to_end(&mut bytes) {
                Ok(_) => (text, bytes.into(), *digest),
                Err(source) => return Err(LoadError::Damaged { origin: text, source }),
            }
        }
        Origin::File { path, checksum } => (path.display().to_string(), read_component(path)?.into(), *checksum),
        Origin::Bytes { from, bytes, checksum } => (from.clone(), bytes.clone(), *checksum),
    };
    let mut source = Source::unchecked(text, bytes)?;
    source.is_bundled = matches!(origin, Origin::Bundled { .. });
    if source.digest != expected {
        return Err(LoadError::Checksum { origin: source.origin, expected, actual: source.digest });
    }
    Ok(source)
}

/// Reads a file that may be a component, as [`Engine::load`](crate::Engine::load) does: see [`read_regular_file`].
///
/// # Errors
/// When there is no such file, or it cannot be read, is of another type, or is too large.
pub fn read_component(path: &Path) -> Result<Vec<u8>, LoadError> {
    read_regular_file(path, MAX_COMPONENT_BYTES)
}

/// Reads a regular file of at most `limit` bytes. Opens once and reads what was opened, so that nothing can be
/// exchanged between the checks, and reads no more than the limit, however long the file says it is or becomes. Links
/// are followed. Blocks, but never for the other end of a pipe.
///
/// # Errors
/// When there is no such file, or it cannot be read, is of another type, or is too large.
pub fn read_regular_file(path: &Path, limit: u64) -> Result<Vec<u8>, LoadError> {
    let fail = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => LoadError::Missing { path: path.to_owned() },
        _ => LoadError::Unreadable { path: path.to_owned(), source },
    };
    let not_a_file = || LoadError::NotAFile { path: path.to_owned() };
    // Opening a device may have effects, so that most are not even opened; what counts is the second look, at the
    // opened file.
    if !fs::metadata(path).map_err(fail)?.is_file() {
        return Err(not_a_file());
    }
    // A pipe that took the file's place meanwhile must not make the opening wait for a writer.
    let file = fs::OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(path);
    read_opened(file.map_err(fail)?, path, limit)
}

/// The second half of [`read_regular_file`]: knows nothing but the opened file.
fn read_opened(file: fs::File, path: &Path, limit: u64) -> Result<Vec<u8>, LoadError> {
    let fail = |source: io::Error| LoadError::Unreadable { path: path.to_owned(), source };
    let metadata = file.metadata().map_err(fail)?;
    if !metadata.is_file() {
        return Err(LoadError::NotAFile { path: path.to_owned() });
    }
    let too_large = |size| LoadError::TooLarge { origin: path.display().to_string(), size, limit };
    if metadata.len() > limit {
        return Err(too_large(metadata.len()));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or_default());
    file.take(limit + 1).read_to_end(&mut bytes).map_err(fail)?;
    if bytes.len() as u64 > limit {
        return Err(too_large(bytes.len() as u64));
    }
    Ok(bytes)
}
