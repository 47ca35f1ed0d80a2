//! Machine code on disk. It is run without a second look, so it comes only from a folder that nobody but this user can
//! write to, and from files whose content is what was written.

use std::{
    fs::{self, DirBuilder, OpenOptions},
    hash::{Hash, Hasher},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
    time::SystemTime,
};

use sha2::{Digest, Sha256};
use wasmtime::Engine;

use crate::digest::PluginDigest;

const SUFFIX: &str = "machine-code";
/// Of all the components that an installation used, the latest.
const MAX_ENTRIES: usize = 256;
const DIGEST_BYTES: usize = 32;
const MAX_ENTRY_BYTES: u64 = 256 << 20;

/// A folder of compiled components.
pub(crate) struct Cache {
    folder: PathBuf,
}

/// The name of an entry: what it was made of, and for which engine on which processor.
pub(crate) struct Key(String);

impl Key {
    pub(crate) fn new(digest: PluginDigest, engine: &Engine) -> Self {
        struct Sink(Sha256);
        impl Hasher for Sink {
            fn write(&mut self, bytes: &[u8]) {
                self.0.update(bytes);
            }

            fn finish(&self) -> u64 {
                0
            }
        }
        let mut sink = Sink(Sha256::new());
        engine.precompile_compatibility_hash().hash(&mut sink);
        Self(format!("{digest}-{}.{SUFFIX}", hex::encode(&sink.0.finalize()[..8])))
    }
}

impl Cache {
    /// The cache in a folder, which is made if it is not there.
    ///
    /// # Errors
    /// In words, when it cannot be made, is a link, or others own it or can write to it.
    pub(crate) fn open(folder: &Path) -> Result<Self, String> {
        if !folder.is_absolute() {
            return Err("the path is not absolute".into());
        }
        let said = |error: io::Error| error.to_string();
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(said)?;
        let found = fs::symlink_metadata(folder).map_err(said)?;
        if !found.is_dir() {
            return Err("it is a link to another folder; name that one".into());
        }
        if found.uid() != rustix::process::geteuid().as_raw() {
            return Err(format!("it belongs to the user {}; give it to the one that the server runs as", found.uid()));
        }
        let mode = found.permissions().mode();
        if mode & 0o022 != 0 {
            return Err(format!("others can write to it (mode {:o}); `chmod 700` it", mode & 0o777));
        }
        Ok(Self { folder: folder.to_owned() })
    }

    /// What was put there, if it is still whole.
    pub(crate) fn get(&self, key: &Key) -> Option<Vec<u8>> {
        let file = OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(self.path(key));
        let file = file.ok()?;
        let found = file.metadata().ok()?;
        let is_ours = found.uid() == rustix::process::geteuid().as_raw() && found.permissions().mode() & 0o022 == 0;
        let mut bytes = Vec::new();
        if is_ours && found.is_file() && found.len() <= MAX_ENTRY_BYTES {
            file.take(MAX_ENTRY_BYTES).read_to_end(&mut bytes).ok()?;
            if let Some((digest, code)) = bytes.split_at_checked(DIGEST_BYTES)
                && Sha256::digest(code).as_slice() == digest
            {
                bytes.drain(..DIGEST_BYTES);
                return Some(bytes);
            }
        }
        tracing::warn!(entry = key.0, "a compiled component in the cache is damaged or not ours; it is compiled again");
        self.remove(key);
        None
    }

    /// Keeps `code`. That it could not be kept is a line in the log: the next start takes longer.
    pub(crate) fn put(&self, key: &Key, code: &[u8]) {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let partial = self.folder.join(format!("{}-{number}.partial", std::process::id()));
        let written =
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(&partial).and_then(|mut file| {
                file.write_all(&Sha256::digest(code))?;
                file.write_all(code)
            });
        let kept = written.and_then(|()| fs::rename(&partial, self.path(key))).and_then(|()| self.prune());
        if let Err(error) = kept {
            let _ = fs::remove_file(&partial);
            tracing::warn!(folder = %self.folder.display(), %error, "a compiled component cannot be kept");
        }
    }

    pub(crate) fn remove(&self, key: &Key) {
        let _ = fs::remove_file(self.path(key));
    }

    fn path(&self, key: &Key) -> PathBuf {
        self.folder.join(&key.0)
    }

    /// Removes the oldest beyond the most, and what a process that died left half written a day ago.
    #[expect(clippy::disallowed_methods, reason = "files have the time of the machine")]
    fn prune(&self) -> io::Result<()> {
        const STALE_SECONDS: u64 = 24 * 60 * 60;
        let mut entries = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            let path = entry.path();
            let made = entry.metadata().and_then(|found| found.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
            let age = SystemTime::now().duration_since(made).unwrap_or_default();
            match path.extension().and_then(|extension| extension.to_str()) {
                Some(SUFFIX) => entries.push((made, path)),
                Some("partial") if age.as_secs() > STALE_SECONDS => fs::remove_file(path)?,
                _ => {}
            }
        }
        entries.sort_unstable();
        let surplus = entries.len().saturating_sub(MAX_ENTRIES);
        entries.iter().take(surplus).try_for_each(|(_, path)| fs::remove_file(path))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn key(name: &str) -> Key {
        Key(format!("{name}.{SUFFIX}"))
    }

    #[test]
    fn what_was_put_is_got_and_what_was_changed_is_not() {
        let place = tempfile::tempdir().expect("a folder");
        let folder = place.path().join("cache");
        let cache = Cache::open(&folder).expect("a cache");
        cache.put(&key("a"), b"machine code");
        assert_eq!(cache.get(&key("a")).as_deref(), Some(b"machine code".as_slice()));
        assert_eq!(cache.get(&key("b")), None);
        let file = folder.join(&key("a").0);
        assert_eq!(file.metadata().expect("a file").permissions().mode() & 0o777, 0o600);
        let whole = fs::read(&file).expect("a file");
        for bit in 0..whole.len() * 8 {
            let mut flipped = whole.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            fs::write(&file, flipped).expect("written");
            assert_eq!(cache.get(&key("a")), None, "bit {bit}");
            assert!(!file.exists(), "it is not tried again");
        }
        for length in 0..whole.len() {
            fs::write(&file, &whole[..length]).expect("written");
            assert_eq!(cache.get(&key("a")), None, "{length} bytes");
        }
    }

    #[test]
    fn entries_of_others_are_not_used() {
        let place = tempfile::tempdir().expect("a folder");
        let cache = Cache::open(&place.path().join("cache")).expect("a cache");
        cache.put(&key("a"), b"machine code");
        let file = cache.path(&key("a"));
        fs::set_permissions(&file, fs::Permissions::from_mode(0o666)).expect("ours");
        assert_eq!(cache.get(&key("a")), None, "others could have written it");
        cache.put(&key("b"), b"machine code");
        fs::rename(cache.path(&key("b")), place.path().join("elsewhere")).expect("moved");
        symlink(place.path().join("elsewhere"), cache.path(&key("b"))).expect("a link");
        assert_eq!(cache.get(&key("b")), None, "a link");
    }

    #[test]
    fn folders_of_others_are_refused() {
        let place = tempfile::tempdir().expect("a folder");
        let told = |folder: &Path| Cache::open(folder).map(drop).expect_err("refused");
        symlink(place.path(), place.path().join("link")).expect("a link");
        assert!(told(&place.path().join("link")).contains("it is a link"));
        assert!(told(Path::new("relative")).contains("not absolute"));
        fs::write(place.path().join("file"), "").expect("written");
        told(&place.path().join("file"));
        let open = place.path().join("open");
        fs::create_dir(&open).expect("made");
        fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).expect("ours");
        assert!(told(&open).contains("others can write to it (mode 777)"));
    }

    #[test]
    fn the_oldest_make_room() {
        let place = tempfile::tempdir().expect("a folder");
        let cache = Cache::open(&place.path().join("cache")).expect("a cache");
        for number in 0..MAX_ENTRIES {
            cache.put(&key(&number.to_string()), b"code");
        }
        let old = OpenOptions::new().write(true).open(cache.path(&key("7"))).expect("a file");
        old.set_modified(SystemTime::UNIX_EPOCH).expect("ours");
        cache.put(&key("new"), b"code");
        assert!(cache.get(&key("7")).is_none() && cache.get(&key("new")).is_some() && cache.get(&key("0")).is_some());
    }
}
