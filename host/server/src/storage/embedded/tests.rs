use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::seal::{Record, Sealer, State};
use super::*;

fn sealer() -> Sealer {
    Sealer::new(&StoreKey::from_bytes([7; 32]))
}

#[test]
fn a_record_belongs_to_its_path_version_and_state() {
    let bytes = sealer().seal("a/b", 3, State::Live, b"text");
    let record = Record::parse(&bytes).unwrap();
    assert_eq!((record.version, record.state), (3, State::Live));
    assert_eq!(*sealer().open("a/b", &record).unwrap(), b"text");
    assert!(sealer().open("a/c", &record).is_err());
    let other = Sealer::new(&StoreKey::from_bytes([8; 32]));
    assert!(other.open("a/b", &record).is_err());
    for index in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[index] ^= 1;
        assert!(Record::parse(&changed).and_then(|record| sealer().open("a/b", &record)).is_err(), "byte {index}");
    }
    for length in 0..bytes.len() {
        let short = Record::parse(&bytes[..length]).and_then(|record| sealer().open("a/b", &record));
        assert!(short.is_err(), "length {length}");
    }
}

#[test]
fn the_same_text_never_looks_the_same() {
    assert_ne!(sealer().seal("a", 1, State::Live, b"text"), sealer().seal("a", 1, State::Live, b"text"));
}

#[test]
fn a_key_file_is_made_once_and_private() {
    let dir = tempfile::tempdir().unwrap();
    let (database, key_file) = (dir.path().join("d/store.redb"), dir.path().join("k/store.key"));
    let first = EmbeddedSettings::with_key_file(database.clone(), &key_file).unwrap();
    let second = EmbeddedSettings::with_key_file(database, &key_file).unwrap();
    assert_eq!(first.key.bytes(), second.key.bytes());
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&key_file), mode(key_file.parent().unwrap())), (0o600, 0o700));
    assert_eq!(fs::read_dir(key_file.parent().unwrap()).unwrap().count(), 1, "nothing unfinished is left");
}

#[test]
fn many_starters_agree_on_one_key() {
    let dir = tempfile::tempdir().unwrap();
    let key_file = dir.path().join("store.key");
    let keys: Vec<[u8; 32]> = std::thread::scope(|scope| {
        let starters: Vec<_> = (0..8).map(|_| scope.spawn(|| StoreKey::create(&key_file))).collect();
        starters.into_iter().map(|starter| *starter.join().unwrap().unwrap().bytes()).collect()
    });
    let stored = StoreKey::load(&key_file).unwrap().unwrap();
    assert!(keys.len() == 8 && keys.iter().all(|key| key == stored.bytes()));
}

#[test]
fn a_key_file_without_a_key_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let key_file = dir.path().join("store.key");
    for text in ["", "00", &"g".repeat(64), &"0".repeat(63), &"0".repeat(65)] {
        fs::write(&key_file, text).unwrap();
        let error = EmbeddedSettings::with_key_file(dir.path().join("store.redb"), &key_file).unwrap_err();
        assert!(matches!(&error, StoreError::Corrupt { path, .. } if path.ends_with("store.key")), "{error}");
    }
}
