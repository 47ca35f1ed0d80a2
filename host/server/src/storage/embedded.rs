//! The store of a single node: one encrypted file.
//!
//! A `redb` database holds every secret under its path, sealed with XChaCha20-Poly1305 under a key from a key file,
//! so a stolen database file tells the paths and nothing else. Acknowledged writes are on the disk. One process at
//! a time; a second one is refused with the file's name. Never makes a new key for a database that exists.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use redb::{ReadableDatabase, ReadableTable};
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use self::file::{Failure, File, SECRETS};
pub use self::key::StoreKey;
use self::seal::{Record, Sealer, State};
use super::{Expect, Secret, Store, StoreError, Version, Versioned};
use crate::names::SecretPath;

mod file;
mod key;
mod seal;
#[cfg(test)]
mod tests;

/// Threads that may wait for the disk at once: writes run one after the other anyway, and a flood of callers must
/// not take the whole blocking pool.
const MAX_CONCURRENT_CALLS: usize = 32;

/// What the embedded store needs to open.
#[derive(Debug)]
pub struct EmbeddedSettings {
    /// The database file. Its directory is made (mode 0700) when it does not exist.
    pub path: PathBuf,
    /// The key that all values are sealed with.
    pub key: StoreKey,
}

impl EmbeddedSettings {
    /// Settings with the key from `key_file`. When neither the key file nor the database exists, a new key is made
    /// and written there (mode 0600).
    ///
    /// # Errors
    /// `Denied` when the database exists and its key file does not or cannot be read, `Corrupt` when the key file
    /// holds no key, `Unavailable` when a new key cannot be written.
    pub fn with_key_file(path: PathBuf, key_file: &Path) -> Result<Self, StoreError> {
        let key = match StoreKey::load(key_file)? {
            Some(key) => key,
            None if file::exists(&path) => {
                return Err(StoreError::Denied {
                    operation: "open",
                    path: path.display().to_string(),
                    reason: format!(
                        "its key file {} is missing; put the key file back from the backup (without it the \
                         database cannot be read), or move the database away to begin with an empty one",
                        key_file.display()
                    ),
                });
            }
            None => StoreKey::create(key_file)?,
        };
        Ok(Self { path, key })
    }
}

/// Secrets in one encrypted file. See the module.
pub struct EmbeddedStore {
    file: Arc<File>,
    calls: Semaphore,
}

impl fmt::Debug for EmbeddedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmbeddedStore").field("path", &self.file.path()).finish_non_exhaustive()
    }
}

impl EmbeddedStore {
    /// Opens the database, or makes an empty one. Checks the whole file and proves the key.
    ///
    /// # Errors
    /// `Unavailable` when another process has it open or the disk fails, `Denied` without the permission,
    /// `Corrupt` when the file is torn or foreign, or was written with another key.
    pub async fn open(settings: EmbeddedSettings) -> Result<Self, StoreError> {
        let EmbeddedSettings { path, key } = settings;
        let sealer = Sealer::new(&key);
        let name = path.clone();
        let opened = tokio::task::spawn_blocking(move || File::open(path, sealer)).await;
        let file = opened.unwrap_or_else(|_| Err(file::broken(&name)))?;
        Ok(Self { file: Arc::new(file), calls: Semaphore::new(MAX_CONCURRENT_CALLS) })
    }

    /// Runs `work` on a thread that may block.
    async fn run<T, W>(&self, work: W) -> Result<T, StoreError>
    where
        T: Send + 'static,
        W: Fn(&redb::Database, &Sealer) -> Result<T, Failure> + Send + 'static,
    {
        let _permit = self.calls.acquire().await.expect("the semaphore is never closed");
        let file = Arc::clone(&self.file);
        let done = tokio::task::spawn_blocking(move || file.with(work)).await;
        done.unwrap_or_else(|_| {
            self.file.close();
            Err(file::broken(self.file.path()))
        })
    }

    /// Replaces the record at `path` by what `change` makes of the one there, in one durable transaction.
    async fn replace<C>(&self, path: &SecretPath, change: C) -> Result<Change, StoreError>
    where
        C: Fn(Option<Record<'_>>, &Sealer) -> Result<Change, Failure> + Send + 'static,
    {
        let attempt = Arc::new(Mutex::new(Change::Keep));
        let (made, name) = (Arc::clone(&attempt), path.clone());
        let result = self
            .run(move |database, sealer| {
                let write = file::begin_write(database)?;
                let change = {
                    let mut table = write.open_table(SECRETS)?;
                    let change = {
                        let found = table.get(name.as_str())?;
                        let record = found.as_ref().map(|bytes| Record::parse(bytes.value())).transpose();
                        change(record.map_err(|reason| Failure::corrupt(&name, reason))?, sealer)?
                    };
                    match &change {
                        Change::Keep => {}
                        Change::Put(_, bytes) => drop(table.insert(name.as_str(), bytes.as_slice())?),
                        Change::Remove => drop(table.remove(name.as_str())?),
                    }
                    change
                };
                *made.lock().unwrap_or_else(PoisonError::into_inner) = change.clone();
                if !matches!(change, Change::Keep) {
                    write.commit()?;
                }
                Ok(change)
            })
            .await;
        match result {
            Err(error) if error.retryable() => self.look_after(path, &attempt, error).await,
            result => result,
        }
    }

    /// A commit that fails on a full disk may have happened all the same; opening the file again made it durable.
    async fn look_after(
        &self,
        path: &SecretPath,
        attempt: &Mutex<Change>,
        error: StoreError,
    ) -> Result<Change, StoreError> {
        let change = attempt.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Change::Put(version, bytes) = change else { return Err(error) };
        let (name, sealed) = (path.clone(), bytes.clone());
        let there = self.run(move |database, _| {
            let table = database.begin_read()?.open_table(SECRETS)?;
            // Every sealing has a nonce of its own, so equal bytes are this very write.
            Ok(table.get(name.as_str())?.is_some_and(|found| found.value() == sealed))
        });
        if matches!(there.await, Ok(true)) { Ok(Change::Put(version, bytes)) } else { Err(error) }
    }
}

/// What becomes of a record.
#[derive(Clone)]
enum Change {
    Keep,
    /// The new version and its sealed bytes.
    Put(Version, Vec<u8>),
    Remove,
}

#[async_trait]
impl Store for EmbeddedStore {
    async fn read(&self, path: &SecretPath) -> Result<Option<Versioned>, StoreError> {
        let path = path.clone();
        self.run(move |database, sealer| {
            let table = database.begin_read()?.open_table(SECRETS)?;
            let Some(bytes) = table.get(path.as_str())? else { return Ok(None) };
            let corrupt = |reason| Failure::corrupt(&path, reason);
            let record = Record::parse(bytes.value()).map_err(corrupt)?;
            let text = sealer.open(path.as_str(), &record).map_err(corrupt)?;
            if record.state == State::Deleted {
                return Ok(None);
            }
            let fields = serde_json::from_slice(&text).map_err(|_| corrupt("it is not a JSON object"))?;
            Ok(Some(Versioned { secret: Secret(fields), version: Version(record.version) }))
        })
        .await
    }

    async fn write(&self, path: &SecretPath, secret: &Secret, expect: Expect) -> Result<Version, StoreError> {
        let text = serde_json::to_vec(&secret.0).map(Zeroizing::new).expect("a map of JSON values always serialises");
        let name = path.clone();
        let put = self.replace(path, move |record, sealer| {
            let last = match (expect, &record) {
                (Expect::Absent, None) => 0,
                (Expect::Absent, Some(record)) if record.state == State::Deleted => record.version,
                (Expect::Version(Version(wanted)), Some(record))
                    if record.state == State::Live && record.version == wanted =>
                {
                    wanted
                }
                _ => return Err(Failure::conflict(&name)),
            };
            Ok(Change::Put(Version(last + 1), sealer.seal(name.as_str(), last + 1, State::Live, &text)))
        });
        match put.await? {
            Change::Put(version, _) => Ok(version),
            Change::Keep | Change::Remove => unreachable!("a write only puts"),
        }
    }

    async fn delete(&self, path: &SecretPath, version: Version) -> Result<(), StoreError> {
        let name = path.clone();
        self.replace(path, move |record, sealer| match record {
            None => Ok(Change::Keep),
            Some(record) if record.state == State::Deleted => Ok(Change::Keep),
            Some(record) if record.version == version.0 => {
                let next = version.0 + 1;
                Ok(Change::Put(Version(next), sealer.seal(name.as_str(), next, State::Deleted, b"")))
            }
            Some(_) => Err(Failure::conflict(&name)),
        })
        .await
        .map(drop)
    }

    async fn destroy(&self, path: &SecretPath) -> Result<(), StoreError> {
        self.replace(path, |record, _| Ok(if record.is_some() { Change::Remove } else { Change::Keep })).await.map(drop)
    }

    async fn list(&self, prefix: &str) -> Result<Vec<SecretPath>, StoreError> {
        let prefix = prefix.trim_matches('/').to_owned();
        self.run(move |database, _| {
            let table = database.begin_read()?.open_table(SECRETS)?;
            // `0` follows `/` in ASCII: the range holds exactly what lies below the prefix.
            let range = match prefix.as_str() {
                "" => table.range::<&str>(..)?,
                below => table.range(format!("{below}/").as_str()..format!("{below}0").as_str())?,
            };
            let mut paths = Vec::new();
            for entry in range {
                let (key, bytes) = entry?;
                let path: SecretPath =
                    key.value().parse().map_err(|_| Failure::foreign("a path in it is not valid"))?;
                let record = Record::parse(bytes.value()).map_err(|reason| Failure::corrupt(&path, reason))?;
                if record.state == State::Live {
                    paths.push(path);
                }
            }
            Ok(paths)
        })
        .await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.run(|database, _| {
            let table = database.begin_read()?.open_table(SECRETS)?;
            table.first()?;
            Ok(())
        })
        .await
    }

    fn describe(&self) -> String {
        format!("embedded store {}", self.file.path().display())
    }
}
