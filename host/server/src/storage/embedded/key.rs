//! The key of the embedded store and the file that holds it: 32 random bytes as 64 hexadecimal digits.

use std::fmt;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rand::TryRngCore;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::file::unavailable;
use crate::storage::StoreError;

const KEY_BYTES: usize = 32;

/// The key that seals the values of the embedded store. Never shown; wiped when dropped.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct StoreKey([u8; KEY_BYTES]);

impl fmt::Debug for StoreKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StoreKey")
    }
}

impl StoreKey {
    /// A key from its bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; KEY_BYTES]) -> Self {
        Self(bytes)
    }

    pub(super) fn bytes(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }

    /// The key in `path`, or `None` when there is no such file.
    pub(super) fn load(path: &Path) -> Result<Option<Self>, StoreError> {
        let denied = |error: &io::Error| StoreError::Denied {
            operation: "read",
            path: path.display().to_string(),
            reason: format!("the key file cannot be read: {error}"),
        };
        let text = match fs::read(path) {
            Ok(text) => Zeroizing::new(text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(denied(&error)),
        };
        let mode = fs::metadata(path).map_err(|error| denied(&error))?.mode();
        if mode & 0o077 != 0 {
            tracing::warn!(path = %path.display(), mode = format!("{:o}", mode & 0o777), "others can read the key file");
        }
        let mut key = [0; KEY_BYTES];
        hex::decode_to_slice(text.trim_ascii(), &mut key).map_err(|_| StoreError::Corrupt {
            path: path.display().to_string(),
            reason: "the key file must hold 64 hexadecimal digits".to_owned(),
        })?;
        Ok(Some(Self(key)))
    }

    /// Makes a new key and writes it to `path`. If another process was first, its key counts.
    pub(super) fn create(path: &Path) -> Result<Self, StoreError> {
        let failed = |error: io::Error| unavailable(path, "the key file cannot be written", error);
        let mut key = [0; KEY_BYTES];
        rand::rngs::OsRng.try_fill_bytes(&mut key).map_err(|error| failed(io::Error::other(error)))?;
        let key = Self(key);
        make_directory(path).map_err(failed)?;
        match key.write(path) {
            Ok(()) => Ok(key),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                Self::load(path)?.ok_or_else(|| failed(io::Error::from(io::ErrorKind::NotFound)))
            }
            Err(error) => Err(failed(error)),
        }
    }

    /// A hard link appears with the whole content or not at all, and never replaces a file.
    fn write(&self, path: &Path) -> io::Result<()> {
        let unfinished = unfinished(path);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished)?;
        let text = Zeroizing::new(format!("{}\n", Zeroizing::new(hex::encode(self.0)).as_str()));
        let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
        let linked = written.and_then(|()| fs::hard_link(&unfinished, path));
        fs::remove_file(&unfinished)?;
        linked?;
        sync_directory(path)
    }
}

/// A name beside `path` that nobody else uses.
pub(super) fn unfinished(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".new-{:016x}", rand::random::<u64>()));
    PathBuf::from(name)
}

/// Makes the directory of `path` (mode 0700) unless it exists.
pub(super) fn make_directory(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => DirBuilder::new().recursive(true).mode(0o700).create(parent),
        _ => Ok(()),
    }
}

/// Makes a new name in the directory of `path` survive a power cut.
pub(super) fn sync_directory(path: &Path) -> io::Result<()> {
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    fs::File::open(parent)?.sync_all()
}
