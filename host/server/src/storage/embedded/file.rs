//! The database file: opening it safely, and opening it again after the disk failed.
//!
//! After a failed write `redb` refuses everything until the database is opened again, so that a full disk would
//! make the store unreadable. Here the next call opens it again.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};

use redb::backends::FileBackend;
use redb::{Database, Durability, ReadableDatabase, StorageError, TableDefinition, TableHandle, WriteTransaction};

use super::key::{make_directory, sync_directory, unfinished};
use super::seal::Sealer;
use crate::names::SecretPath;
use crate::storage::StoreError;

pub(super) const SECRETS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("secrets");
const CHECK: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("check");
const CHECK_KEY: &str = "key";
/// The default of 1 GiB is far more than all secrets of a node.
const CACHE_BYTES: usize = 16 << 20;

/// Why work on the database failed.
pub(super) enum Failure {
    Database(redb::Error),
    Store(StoreError),
    Foreign(&'static str),
}

impl<E: Into<redb::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Database(error.into())
    }
}

impl Failure {
    pub(super) fn conflict(path: &SecretPath) -> Self {
        Self::Store(StoreError::Conflict { path: path.clone() })
    }

    pub(super) fn corrupt(path: &SecretPath, reason: &str) -> Self {
        Self::Store(StoreError::Corrupt { path: path.to_string(), reason: reason.to_owned() })
    }

    /// Something in the file was not written by this store.
    pub(super) fn foreign(reason: &'static str) -> Self {
        Self::Foreign(reason)
    }
}

/// The open database and what is needed to open it again.
pub(super) struct File {
    path: PathBuf,
    sealer: Sealer,
    database: RwLock<Option<Database>>,
}

impl File {
    pub(super) fn open(path: PathBuf, sealer: Sealer) -> Result<Self, StoreError> {
        if !exists(&path) {
            create(&path, &sealer)?;
        }
        let database = open_existing(&path, &sealer)?;
        Ok(Self { path, sealer, database: RwLock::new(Some(database)) })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Runs `work`; where an earlier call broke the database, opens it again first. Blocks.
    pub(super) fn with<T>(&self, work: impl Fn(&Database, &Sealer) -> Result<T, Failure>) -> Result<T, StoreError> {
        for fresh in [false, true] {
            self.reopen_if_closed()?;
            let result = match &*self.database.read().unwrap_or_else(PoisonError::into_inner) {
                Some(database) => work(database, &self.sealer),
                None => Err(Failure::from(StorageError::PreviousIo)),
            };
            let failure = match result {
                Ok(value) => return Ok(value),
                Err(failure) => failure,
            };
            let refused = matches!(&failure, Failure::Database(redb::Error::PreviousIo));
            if matches!(failure, Failure::Database(_)) {
                self.close();
            }
            // `PreviousIo` is another call's failure: this one has not begun.
            if fresh || !refused {
                return Err(explain(&self.path, failure));
            }
        }
        unreachable!("the second round always returns")
    }

    /// Closes the database; the next call opens it again.
    pub(super) fn close(&self) {
        *self.database.write().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn reopen_if_closed(&self) -> Result<(), StoreError> {
        if self.database.read().unwrap_or_else(PoisonError::into_inner).is_some() {
            return Ok(());
        }
        let mut database = self.database.write().unwrap_or_else(PoisonError::into_inner);
        if database.is_none() {
            *database = Some(open_existing(&self.path, &self.sealer)?);
        }
        Ok(())
    }
}

/// Whether something is at `path`: then it is never replaced, whatever it is.
pub(super) fn exists(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

/// A transaction whose commit is on the disk when it returns.
pub(super) fn begin_write(database: &Database) -> Result<WriteTransaction, Failure> {
    let mut write = database.begin_write()?;
    write.set_durability(Durability::Immediate).map_err(|error| Failure::Database(error.into()))?;
    Ok(write)
}

/// The error for a panic of the database, which it answers some damage with.
pub(super) fn broken(path: &Path) -> StoreError {
    StoreError::Corrupt {
        path: path.display().to_string(),
        reason: "the database engine gave up on the file, it is damaged; restore it from a backup".to_owned(),
    }
}

pub(super) fn unavailable(path: &Path, what: &str, error: io::Error) -> StoreError {
    let full = matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
    let hint = if full { " (free some space, the store goes on by itself)" } else { "" };
    let reason = format!("{what}: {}: {error}{hint}", path.display());
    StoreError::Unavailable { reason, source: Some(Box::new(error)) }
}

/// The database appears whole or not at all, so an empty file is never taken for a new store.
fn create(path: &Path, sealer: &Sealer) -> Result<(), StoreError> {
    make_directory(path).map_err(|error| refused(path, error))?;
    let unfinished = unfinished(path);
    let options = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&unfinished);
    let file = options.map_err(|error| refused(&unfinished, error))?;
    let made = fill(file, sealer).map_err(|failure| explain(&unfinished, failure));
    let linked = made.and_then(|()| match fs::hard_link(&unfinished, path) {
        // Another process was first: its database counts.
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(refused(path, error)),
        _ => Ok(()),
    });
    fs::remove_file(&unfinished).map_err(|error| refused(&unfinished, error))?;
    linked?;
    sync_directory(path).map_err(|error| refused(path, error))
}

fn fill(file: fs::File, sealer: &Sealer) -> Result<(), Failure> {
    let database = Database::builder().create_with_backend(FileBackend::new(file)?)?;
    let write = begin_write(&database)?;
    write.open_table(SECRETS)?;
    write.open_table(CHECK)?.insert(CHECK_KEY, sealer.check().as_slice())?;
    write.commit()?;
    database.close()?;
    Ok(())
}

fn open_existing(path: &Path, sealer: &Sealer) -> Result<Database, StoreError> {
    let file = OpenOptions::new().read(true).write(true).open(path).map_err(|error| refused(path, error))?;
    let metadata = file.metadata().map_err(|error| refused(path, error))?;
    if metadata.mode() & 0o077 != 0 {
        file.set_permissions(fs::Permissions::from_mode(0o600)).map_err(|error| refused(path, error))?;
    }
    if metadata.len() == 0 {
        return Err(explain(path, Failure::foreign("it is empty; restore it from a backup")));
    }
    let open = || -> Result<Database, Failure> {
        let backend = FileBackend::new(file)?;
        let mut builder = Database::builder();
        // Without the check some damage is found only later, as a panic.
        builder.set_cache_size(CACHE_BYTES).set_check_integrity_on_open(true);
        let database = builder.create_with_backend(backend)?;
        prove_key(&database, sealer)?;
        Ok(database)
    };
    open().map_err(|failure| explain(path, failure))
}

/// Compares the key with the check record.
fn prove_key(database: &Database, sealer: &Sealer) -> Result<(), Failure> {
    let tables: Vec<String> = database.begin_read()?.list_tables()?.map(|table| table.name().to_owned()).collect();
    if !tables.iter().any(|name| name == CHECK.name()) || !tables.iter().any(|name| name == SECRETS.name()) {
        return Err(Failure::foreign("it is a database of some other program"));
    }
    let table = database.begin_read()?.open_table(CHECK)?;
    match table.get(CHECK_KEY)? {
        Some(record) if sealer.proves(record.value()) => Ok(()),
        _ => Err(Failure::foreign(
            "the key does not fit: it was sealed with another key; put the right key file back, a new key cannot \
             open it",
        )),
    }
}

fn explain(path: &Path, failure: Failure) -> StoreError {
    let corrupt = |reason: String| StoreError::Corrupt { path: path.display().to_string(), reason };
    let error = match failure {
        Failure::Store(error) => return error,
        Failure::Foreign(reason) => return corrupt(reason.to_owned()),
        Failure::Database(error) => error,
    };
    match error {
        redb::Error::Io(error) if error.kind() == io::ErrorKind::InvalidData => {
            corrupt("it is not a database of acme-manager".to_owned())
        }
        redb::Error::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            corrupt("its end is missing; restore it from a backup".to_owned())
        }
        redb::Error::Io(error) => unavailable(path, "the disk failed", error),
        redb::Error::DatabaseAlreadyOpen | redb::Error::LockProtocolMismatch => {
            StoreError::Unavailable { reason: format!("{} is open in another process", path.display()), source: None }
        }
        redb::Error::PreviousIo | redb::Error::DatabaseClosed | redb::Error::LockPoisoned(_) => {
            StoreError::Unavailable {
                reason: format!("{} is being opened again after a failure of the disk", path.display()),
                source: None,
            }
        }
        other => corrupt(format!("{other}; restore it from a backup")),
    }
}

fn refused(path: &Path, error: io::Error) -> StoreError {
    match error.kind() {
        io::ErrorKind::PermissionDenied
        | io::ErrorKind::ReadOnlyFilesystem
        | io::ErrorKind::IsADirectory
        | io::ErrorKind::NotADirectory => StoreError::Denied {
            operation: "open",
            path: path.display().to_string(),
            reason: format!("{error}; the database must be a file that the server may read and write"),
        },
        _ => unavailable(path, "the file cannot be opened", error),
    }
}
