//! Detached signatures, as minisign makes them.

use std::path::{Path, PathBuf};

use acme_manager_plugin_runtime::{LoadError, read_regular_file};
use minisign_verify::Signature;

use crate::certificates::chain;
use crate::config::{Distrust, KeyId, TrustedKey};

/// A signature has four lines; the comments may be long, but not so long.
const LONGEST: u64 = 16 << 10;

/// A signature file that was read.
pub(in crate::app) struct Signed {
    file: PathBuf,
    signature: Signature,
    by: KeyId,
}

/// Why a component does not count as signed. Every text names the files and keys, and says what to do.
#[derive(Debug, thiserror::Error)]
pub(in crate::app) enum SignatureError {
    /// There is no signature file.
    #[error(
        "it is not signed: there is no file {}; fetch it from where the plugin came from, or make it with \
         `acme-manager-server plugin sign`", .0.display()
    )]
    Missing(PathBuf),
    /// The file cannot be read.
    #[error("its signature cannot be read: {0}")]
    Unreadable(String),
    /// The file holds something else.
    #[error("{} is no signature of minisign: fetch it again from where the plugin came from", .0.display())]
    Malformed(PathBuf),
    /// None of the trusted keys made it.
    #[error(
        "{origin} is signed with the key {by} ({}), which is not trusted; trusted: {trusted}. If you mean to trust its \
         owner, add that public key to `trusted_keys`", .file.display()
    )]
    OtherKey { origin: String, file: PathBuf, by: KeyId, trusted: String },
    /// The right key, but no longer an accepted kind.
    #[error(
        "the signature {} by the key {by} is of minisign's legacy kind: sign {origin} again, with minisign 0.10 or \
         later and without -l, or with `acme-manager-server plugin sign`", .file.display()
    )]
    Legacy { origin: String, file: PathBuf, by: KeyId },
    /// The right key, but other bytes.
    #[error(
        "the signature {} by the key {by} does not fit {origin}: one of the two was changed or is of another version; \
         fetch both again from where the plugin came from", .file.display()
    )]
    Forged { origin: String, file: PathBuf, by: KeyId },
}

/// Where the signature of `component` lies unless the config says otherwise.
pub(in crate::app) fn beside(component: &Path) -> PathBuf {
    let mut name = component.as_os_str().to_owned();
    name.push(".minisig");
    name.into()
}

/// Reads a signature file. Blocks.
pub(in crate::app) fn read(file: &Path) -> Result<Signed, SignatureError> {
    let bytes = read_regular_file(file, LONGEST).map_err(|error| match error {
        LoadError::Missing { path } => SignatureError::Missing(path),
        error => SignatureError::Unreadable(chain(&error)),
    })?;
    let malformed = || SignatureError::Malformed(file.to_owned());
    let text = String::from_utf8(bytes).map_err(|_| malformed())?;
    let signature = Signature::decode(&text).map_err(|_| malformed())?;
    let by = text.lines().nth(1).and_then(KeyId::of).ok_or_else(malformed)?;
    Ok(Signed { file: file.to_owned(), signature, by })
}

impl Signed {
    /// The key of `trusted` that signed `bytes`, which came from `origin`.
    pub(in crate::app) fn check(
        &self,
        bytes: &[u8],
        origin: &str,
        trusted: &[TrustedKey],
    ) -> Result<KeyId, SignatureError> {
        let (origin, file, by) = (origin.to_owned(), self.file.clone(), self.by);
        let mut found = Distrust::OtherKey;
        for key in trusted {
            match key.verify(bytes, &self.signature) {
                Ok(()) => return Ok(key.id()),
                Err(Distrust::OtherKey) => {}
                Err(reason) => found = reason,
            }
        }
        Err(match found {
            Distrust::Legacy => SignatureError::Legacy { origin, file, by },
            Distrust::Forged => SignatureError::Forged { origin, file, by },
            Distrust::OtherKey => {
                let trusted: Vec<String> = trusted.iter().map(|key| key.id().to_string()).collect();
                SignatureError::OtherKey { origin, file, by, trusted: trusted.join(", ") }
            }
        })
    }

    /// The comment that the signature covers.
    pub(in crate::app) fn comment(&self) -> &str {
        self.signature.trusted_comment()
    }
}
