//! Where secrets live: one contract, two stores.
//!
//! [`Store`] keeps small JSON objects under paths, each with a version number that check-and-set writes compare.
//! `vault` keeps them in a KV version 2 engine of Vault or OpenBao, `embedded` in one encrypted file. Both behave
//! the same; the conformance suite in `host/server/tests/stores/` says how. Called by the rules (`tokens`, `certificates`) and by
//! `certificates` for accounts, never by the API. Nothing here knows what the objects mean.

use std::fmt;

use async_trait::async_trait;
use serde_json::{Map, Value};
use zeroize::Zeroize;

use crate::names::SecretPath;

pub mod embedded;
pub mod vault;

/// The fields of one secret. They hold private keys, so `Debug` shows only the names of the fields. Vault rounds
/// numbers beyond 2^53: write such as text.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Secret(pub Map<String, Value>);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Secret").field(&self.0.keys().collect::<Vec<_>>()).finish()
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        for (_, value) in &mut self.0 {
            if let Value::String(text) = value {
                text.zeroize();
            }
        }
    }
}

/// The version of a secret: counts from 1 and grows by 1 with every write and with every delete, which takes a
/// number of its own. So a writer that read before a delete can never bring the old state back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(pub u64);

/// What is stored at a path.
#[derive(Debug, Clone, PartialEq)]
pub struct Versioned {
    /// The newest version's fields.
    pub secret: Secret,
    /// Its number, for the next check-and-set.
    pub version: Version,
}

/// What a write expects to find.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// Nothing is there: never written, deleted or destroyed.
    Absent,
    /// Exactly this version is the newest and is not deleted.
    Version(Version),
}

/// Why the store did not do it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Somebody else wrote in between: read again and decide again.
    #[error("the secret {path} was changed by somebody else in between")]
    Conflict {
        /// Which secret.
        path: SecretPath,
    },
    /// The store does not answer, is sealed, or is a standby; trying later may help.
    #[error("the store is not available: {reason}")]
    Unavailable {
        /// What was seen, for example `Vault at https://… is sealed`. Never holds a secret.
        reason: String,
        /// The cause, if a library reported one.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// The store answered and refused: credentials, policy, mount. Only the operator can mend it.
    #[error("the store refused {operation} at {path}: {reason}")]
    Denied {
        /// What was tried: `read`, `write`, `list`, `delete`, `destroy`, `log in`.
        operation: &'static str,
        /// Where.
        path: String,
        /// What it said and what to do, for example which capability the policy lacks.
        reason: String,
    },
    /// What is stored cannot be understood: a torn file, a wrong key, a foreign shape.
    #[error("what is stored at {path} cannot be read: {reason}")]
    Corrupt {
        /// Where.
        path: String,
        /// What is wrong.
        reason: String,
    },
}

impl StoreError {
    /// Whether the same call may succeed later without anybody doing anything.
    #[must_use]
    pub fn retryable(&self) -> bool {
        match self {
            Self::Unavailable { .. } => true,
            Self::Conflict { .. } | Self::Denied { .. } | Self::Corrupt { .. } => false,
        }
    }
}

/// A keeper of secrets. Every method is one attempt from the caller's view; bounded retries of passing faults are
/// the store's own business. Concurrent calls are allowed.
#[async_trait]
pub trait Store: Send + Sync + fmt::Debug {
    /// The newest version, or `None` when nothing is there (never written, deleted or destroyed).
    async fn read(&self, path: &SecretPath) -> Result<Option<Versioned>, StoreError>;

    /// Writes a new version if `expect` holds, durably: after `Ok` it survives a power cut. `Conflict` otherwise.
    async fn write(&self, path: &SecretPath, secret: &Secret, expect: Expect) -> Result<Version, StoreError>;

    /// Marks the secret deleted if its newest version is `version`, so that `read` gives `None`. Nothing there is
    /// a success; another version is a `Conflict`. The number goes on counting.
    async fn delete(&self, path: &SecretPath, version: Version) -> Result<(), StoreError>;

    /// Removes all versions and all traces. Nothing there is a success.
    async fn destroy(&self, path: &SecretPath) -> Result<(), StoreError>;

    /// All paths below `prefix` at any depth that `read` would find, in no order. In Vault a path whose newest
    /// version is deleted may still be listed; `read` then gives `None`.
    async fn list(&self, prefix: &str) -> Result<Vec<SecretPath>, StoreError>;

    /// Whether reads and writes can work right now: reachable, unsealed, active, logged in. Called before a CA
    /// is bothered and by `/ready`; cheap.
    async fn ping(&self) -> Result<(), StoreError>;

    /// For logs: `vault at https://…, engine secret` or `embedded store /var/lib/….redb`.
    fn describe(&self) -> String;
}
