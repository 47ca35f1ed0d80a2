//! The store of a cluster: a KV version 2 engine of Vault or OpenBao.
//!
//! Logs in by AppRole when first needed and keeps the token alive; writes only by check-and-set; tries passing faults
//! again within bounds, and looks what became of a write before it writes again. A delete first writes a tombstone by
//! check-and-set, because Vault's own soft delete compares nothing. Never follows redirects, never shows secrets.
//! Layout as of the Go system: one secret per certificate or token, its fields plain strings, so `vault kv` reads it.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use secrecy::SecretString;
use tokio::task::JoinSet;

use self::connection::Connection;
use self::kv::Kv;
use self::session::Sessions;
use super::{Expect, Secret, Store, StoreError, Version, Versioned};
use crate::names::SecretPath;

mod caller;
mod connection;
mod failure;
mod kv;
mod session;
#[cfg(test)]
mod tests;

/// How to reach Vault and as whom.
#[derive(Debug, Clone)]
pub struct VaultSettings {
    /// `http://` or `https://` address, with a path if Vault is served below one.
    pub url: String,
    /// Role ID of the AppRole.
    pub role_id: String,
    /// Secret ID of the AppRole.
    pub secret_id: SecretString,
    /// Where the AppRole auth method is mounted, for example `approle`.
    pub mount_path: String,
    /// Where the KV version 2 engine is mounted, for example `secret`.
    pub secret_engine: String,
    /// PEM file of CA certificates to trust beside the public ones.
    pub ca_file: Option<PathBuf>,
    /// How many times a call is tried again after a passing fault.
    pub retry_max: u32,
    /// Shortest wait before a retry.
    pub retry_wait_min: Duration,
    /// Longest wait before a retry.
    pub retry_wait_max: Duration,
    /// Limit of one request, connecting included.
    pub request_timeout: Duration,
}

/// What was done to a secret, for the metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// A read; of an absent secret too.
    Get,
    /// A write.
    Put,
    /// A delete or a destroy.
    Delete,
}

/// Told of every operation on a secret when it ends, and whether it succeeded.
pub type VaultObserver = Arc<dyn Fn(Operation, &SecretPath, bool) + Send + Sync>;

/// Secrets in Vault. See the module.
pub struct VaultStore {
    kv: Kv,
    observer: VaultObserver,
    /// Renews the token; ends with the store.
    _renewal: JoinSet<()>,
}

impl fmt::Debug for VaultStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("VaultStore").field(&self.describe()).finish()
    }
}

impl VaultStore {
    /// Prepares the store without any request: the first call logs in. Must run inside a Tokio runtime.
    ///
    /// # Errors
    /// `Denied` naming the setting that cannot work.
    pub fn connect(settings: VaultSettings, observer: VaultObserver) -> Result<Self, StoreError> {
        let connection = Arc::new(Connection::new(settings)?);
        let sessions = Arc::new(Sessions::new(Arc::clone(&connection)));
        let mut renewal = JoinSet::new();
        renewal.spawn(session::keep_alive(Arc::clone(&sessions)));
        Ok(Self { kv: Kv::new(connection, sessions), observer, _renewal: renewal })
    }

    fn observed<T>(
        &self,
        operation: Operation,
        path: &SecretPath,
        result: Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        (self.observer)(operation, path, result.is_ok());
        result
    }
}

#[async_trait]
impl Store for VaultStore {
    async fn read(&self, path: &SecretPath) -> Result<Option<Versioned>, StoreError> {
        let result = self.kv.read(path).await;
        self.observed(Operation::Get, path, result)
    }

    async fn write(&self, path: &SecretPath, secret: &Secret, expect: Expect) -> Result<Version, StoreError> {
        let result = self.kv.write(path, secret, expect).await;
        self.observed(Operation::Put, path, result)
    }

    async fn delete(&self, path: &SecretPath, version: Version) -> Result<(), StoreError> {
        let result = self.kv.delete(path, version).await;
        self.observed(Operation::Delete, path, result)
    }

    async fn destroy(&self, path: &SecretPath) -> Result<(), StoreError> {
        let result = self.kv.destroy(path).await;
        self.observed(Operation::Delete, path, result)
    }

    async fn list(&self, prefix: &str) -> Result<Vec<SecretPath>, StoreError> {
        self.kv.list(prefix).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.kv.ping().await
    }

    fn describe(&self) -> String {
        let settings = &self.kv.connection().settings;
        format!("vault at {}, engine {}", settings.url, settings.secret_engine)
    }
}
