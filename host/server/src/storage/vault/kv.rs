//! The KV version 2 calls behind the store.

use std::sync::Arc;
use std::time::Duration;

use futures::{FutureExt, StreamExt, TryStreamExt, stream};
use serde_json::{Map, Value};
use vaultrs::api;
use vaultrs::api::kv2::requests::{ReadSecretRequest, SetSecretRequestOptions};
use vaultrs::error::ClientError;

use super::VaultSettings;
use super::caller::{Caller, backoff, logging_in};
use super::connection::Connection;
use super::failure::{Asked, Failure};
use super::session::{Session, Sessions};
use crate::names::SecretPath;
use crate::storage::{Expect, Secret, StoreError, Version, Versioned};

/// The only field of a tombstone: the version that a delete writes. No secret of ours has it.
const TOMBSTONE: &str = "acme-manager-deleted";
/// Folders listed at once: enough to hide the round trips, few enough not to trip a rate limit.
const CONCURRENT_LISTS: usize = 8;
/// `ping` must not hold up a readiness probe.
const PING_TIMEOUT: Duration = Duration::from_secs(5);

/// The newest version of a secret.
enum Newest {
    Never,
    /// Soft-deleted or destroyed.
    Deleted(u64),
    /// A tombstone that was not soft-deleted (yet).
    Tombstone(u64),
    Live(Versioned),
}

/// What became of a write without an answer.
enum Fate {
    Done,
    NotYet,
    Overtaken,
}

/// The engine, and who asks.
pub(super) struct Kv {
    connection: Arc<Connection>,
    caller: Caller,
}

impl Kv {
    pub(super) fn new(connection: Arc<Connection>, sessions: Arc<Sessions>) -> Self {
        Self { connection, caller: Caller::new(sessions) }
    }

    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }

    fn settings(&self) -> &VaultSettings {
        &self.connection.settings
    }

    fn engine(&self) -> &str {
        &self.settings().secret_engine
    }

    fn error(&self, failure: Failure, asked: &Asked) -> StoreError {
        failure.into_error(self.settings(), asked)
    }

    pub(super) async fn read(&self, path: &SecretPath) -> Result<Option<Versioned>, StoreError> {
        Ok(match self.newest(path).await? {
            Newest::Live(versioned) => Some(versioned),
            Newest::Never | Newest::Deleted(_) | Newest::Tombstone(_) => None,
        })
    }

    pub(super) async fn write(
        &self,
        path: &SecretPath,
        secret: &Secret,
        expect: Expect,
    ) -> Result<Version, StoreError> {
        let last = match (expect, self.newest(path).await?) {
            (Expect::Absent, Newest::Never) => 0,
            (Expect::Absent, Newest::Deleted(last) | Newest::Tombstone(last)) => last,
            (Expect::Version(wanted), Newest::Live(found)) if found.version == wanted => wanted.0,
            _ => return Err(StoreError::Conflict { path: path.clone() }),
        };
        self.put(path, &secret.0, last).await
    }

    pub(super) async fn delete(&self, path: &SecretPath, version: Version) -> Result<(), StoreError> {
        match self.newest(path).await? {
            Newest::Never | Newest::Deleted(_) => {}
            // An earlier delete got no further.
            Newest::Tombstone(last) => self.hide(path, last).await,
            Newest::Live(found) if found.version == version => {
                let tombstone = Map::from_iter([(TOMBSTONE.to_owned(), Value::Bool(true))]);
                let Version(last) = self.put(path, &tombstone, version.0).await?;
                self.hide(path, last).await;
            }
            Newest::Live(_) => return Err(StoreError::Conflict { path: path.clone() }),
        }
        Ok(())
    }

    pub(super) async fn destroy(&self, path: &SecretPath) -> Result<(), StoreError> {
        let destroy = |session: Arc<Session>| {
            async move { vaultrs::kv2::delete_metadata(session.client(), self.engine(), path.as_str()).await }.boxed()
        };
        match self.caller.call(self.settings(), &destroy).await {
            Ok(()) | Err(Failure::NotFound(_)) => Ok(()),
            Err(failure) => Err(self.error(failure, &asked("destroy", path, "`delete`", "metadata"))),
        }
    }

    pub(super) async fn list(&self, prefix: &str) -> Result<Vec<SecretPath>, StoreError> {
        let mut paths = Vec::new();
        let mut folders = vec![prefix.trim_matches('/').to_owned()];
        while !folders.is_empty() {
            let levels: Vec<(String, Vec<String>)> = stream::iter(folders.drain(..))
                .map(|folder| async move { self.list_folder(&folder).await.map(|keys| (folder, keys)) }.boxed())
                .buffer_unordered(CONCURRENT_LISTS)
                .try_collect()
                .await?;
            for (folder, keys) in levels {
                for key in keys {
                    let path = if folder.is_empty() { key } else { format!("{folder}/{key}") };
                    let (name, is_folder) = match path.strip_suffix('/') {
                        Some(name) => (name, true),
                        None => (path.as_str(), false),
                    };
                    // Secrets that somebody else put there under names we never write.
                    let Ok(name) = name.parse::<SecretPath>() else { continue };
                    if is_folder { folders.push(name.to_string()) } else { paths.push(name) }
                }
            }
        }
        Ok(paths)
    }

    /// Healthy, and logged in. Through a standby also whether it reaches the active node.
    pub(super) async fn ping(&self) -> Result<(), StoreError> {
        let in_time = tokio::time::timeout(PING_TIMEOUT, self.check()).await;
        let result = in_time.unwrap_or_else(|_| Err(Failure::Transport("no answer in time".to_owned())));
        result.map_err(|failure| self.error(failure, &logging_in()))
    }

    async fn check(&self) -> Result<(), Failure> {
        let (code, health) = self.connection.ask("sys/health?standbyok=true&perfstandbyok=true", None).await?;
        let is = |field: &str| health.get(field).and_then(Value::as_bool).unwrap_or(false);
        match code {
            _ if is("sealed") => return Err(Failure::NotActive("is sealed")),
            200 if health.get("sealed").is_some() => {}
            300..=399 => return Err(Failure::Redirect(code)),
            472 => return Err(Failure::NotActive("is a disaster recovery secondary")),
            501 => return Err(Failure::NotActive("is not initialised")),
            503 => return Err(Failure::NotActive("is sealed")),
            429 | 500..=599 => return Err(Failure::Fault(code, String::new())),
            _ => return Err(Failure::Garbage),
        }
        let session = self.caller.sessions().session().await?;
        if is("standby") {
            vaultrs::token::lookup_self(session.client()).await?;
        }
        Ok(())
    }

    async fn newest(&self, path: &SecretPath) -> Result<Newest, StoreError> {
        self.version(path, None).await
    }

    /// A version of the secret, the newest if none is given.
    async fn version(&self, path: &SecretPath, version: Option<u64>) -> Result<Newest, StoreError> {
        let read = |session: Arc<Session>| {
            async move {
                let request =
                    ReadSecretRequest { mount: self.engine().to_owned(), path: path.as_str().to_owned(), version };
                api::exec_with_result(session.client(), request).await
            }
            .boxed()
        };
        match self.caller.call(self.settings(), &read).await {
            Ok(found) => match found.data {
                Value::Object(fields) if fields.len() == 1 && fields.contains_key(TOMBSTONE) => {
                    Ok(Newest::Tombstone(found.metadata.version))
                }
                Value::Object(fields) => {
                    Ok(Newest::Live(Versioned { secret: Secret(fields), version: Version(found.metadata.version) }))
                }
                _ => Err(StoreError::Corrupt {
                    path: path.to_string(),
                    reason: "its data is not a JSON object".to_owned(),
                }),
            },
            Err(Failure::NotFound(None)) => Ok(Newest::Never),
            Err(Failure::NotFound(Some(version))) => Ok(Newest::Deleted(version)),
            Err(failure) => Err(self.error(failure, &asked("read", path, "`read`", "data"))),
        }
    }

    /// Writes the version after `last`. A write without an answer is never repeated blindly.
    async fn put(&self, path: &SecretPath, fields: &Map<String, Value>, last: u64) -> Result<Version, StoreError> {
        let conflict = || StoreError::Conflict { path: path.clone() };
        let asked = asked("write", path, "`create` and `update`", "data");
        let cas = u32::try_from(last).map_err(|_| conflict())?;
        let put = |session: Arc<Session>| {
            async move {
                let options = SetSecretRequestOptions { cas };
                vaultrs::kv2::set_with_options(session.client(), self.engine(), path.as_str(), fields, options).await
            }
            .boxed()
        };
        let mut unanswered = false;
        for tries in 0..=self.settings().retry_max {
            let failure = match self.caller.once(&put).await {
                Ok(written) => return Ok(Version(written.version)),
                Err(failure) => failure,
            };
            unanswered |= failure.outcome_unknown();
            let mismatch = matches!(failure, Failure::Mismatch);
            if (mismatch && !unanswered) || !(mismatch || failure.passing()) {
                return Err(if mismatch { conflict() } else { self.error(failure, &asked) });
            }
            if !mismatch && tries < self.settings().retry_max {
                tokio::time::sleep(backoff(self.settings(), tries)).await;
            }
            if unanswered {
                match self.fate(path, fields, last).await? {
                    Fate::Done => return Ok(Version(last + 1)),
                    Fate::Overtaken => return Err(conflict()),
                    Fate::NotYet if mismatch => return Err(conflict()),
                    Fate::NotYet => {}
                }
            }
            if tries == self.settings().retry_max {
                return Err(self.error(failure, &asked));
            }
        }
        unreachable!("the last try always returns")
    }

    /// Whether an unanswered write of `fields` after `last` happened.
    async fn fate(&self, path: &SecretPath, fields: &Map<String, Value>, last: u64) -> Result<Fate, StoreError> {
        let newest = match self.newest(path).await? {
            Newest::Never => 0,
            Newest::Deleted(version) | Newest::Tombstone(version) => version,
            Newest::Live(found) => found.version.0,
        };
        if newest <= last {
            return Ok(Fate::NotYet);
        }
        Ok(match self.version(path, Some(last + 1)).await? {
            Newest::Live(found) if found.secret.0 == *fields => Fate::Done,
            Newest::Tombstone(_) if fields.contains_key(TOMBSTONE) => Fate::Done,
            _ => Fate::Overtaken,
        })
    }

    /// Soft-deletes the tombstone and the version that it buries, so that other readers of Vault see nothing. The
    /// tombstone alone is the delete: that this failed is worth a line in the log, no more.
    async fn hide(&self, path: &SecretPath, tombstone: u64) {
        let versions = vec![tombstone.saturating_sub(1).max(1), tombstone];
        let hide = |session: Arc<Session>| {
            let versions = versions.clone();
            async move { vaultrs::kv2::delete_versions(session.client(), self.engine(), path.as_str(), versions).await }
                .boxed()
        };
        if let Err(failure) = self.caller.once(&hide).await {
            let error = self.error(failure, &asked("delete", path, "`update`", "delete"));
            tracing::warn!(%path, %error, "deleted by a tombstone; the old version stays visible in Vault");
        }
    }

    async fn list_folder(&self, folder: &str) -> Result<Vec<String>, StoreError> {
        let path = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        let list = |session: Arc<Session>| -> futures::future::BoxFuture<'_, Result<Vec<String>, ClientError>> {
            let path = &path;
            async move { vaultrs::kv2::list(session.client(), self.engine(), path).await }.boxed()
        };
        match self.caller.call(self.settings(), &list).await {
            Ok(keys) => Ok(keys),
            Err(Failure::NotFound(_)) => Ok(Vec::new()),
            Err(failure) => {
                let needs = format!("metadata/{path}*");
                let asked = Asked { operation: "list", place: folder.to_owned(), capability: "`list`", needs };
                Err(self.error(failure, &asked))
            }
        }
    }
}

fn asked(operation: &'static str, path: &SecretPath, capability: &'static str, area: &str) -> Asked {
    Asked { operation, place: path.to_string(), capability, needs: format!("{area}/{path}") }
}
