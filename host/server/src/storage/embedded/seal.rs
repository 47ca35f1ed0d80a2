//! How one secret looks on the disk: format, version and state in the clear, then nonce and sealed JSON.
//!
//! Path, version and state are associated data, so nobody can move a value to another path, replay an old version
//! under a new number or undo a delete without the key.

use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};
use zeroize::Zeroizing;

use super::StoreKey;

const FORMAT: u8 = 1;
const NONCE_BYTES: usize = 24;
const HEADER_BYTES: usize = 1 + 8 + 1 + NONCE_BYTES;
/// The path that the check record is sealed under; no secret can have it, because secret paths hold no controls.
const CHECK_PATH: &str = "\0check";
const CHECK_TEXT: &[u8] = b"acme-manager embedded store";

/// Whether the newest version is there or deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Live,
    Deleted,
}

/// A record as it was stored.
pub(super) struct Record<'a> {
    pub(super) version: u64,
    pub(super) state: State,
    nonce: &'a [u8],
    sealed: &'a [u8],
}

impl<'a> Record<'a> {
    /// Takes a record apart, or says what is wrong with it.
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self, &'static str> {
        let Some((header, sealed)) = bytes.split_at_checked(HEADER_BYTES) else {
            return Err("the record is too short");
        };
        if header[0] != FORMAT {
            return Err("the record has an unknown format");
        }
        let state = match header[9] {
            0 => State::Live,
            1 => State::Deleted,
            _ => return Err("the record has an unknown state"),
        };
        let version = header[1..9].try_into().map(u64::from_be_bytes).expect("the slice has 8 bytes");
        Ok(Self { version, state, nonce: &header[10..], sealed })
    }
}

/// Seals and opens records with the key of the store.
pub(super) struct Sealer(XChaCha20Poly1305);

impl Sealer {
    pub(super) fn new(key: &StoreKey) -> Self {
        Self(XChaCha20Poly1305::new(key.bytes().into()))
    }

    /// The bytes to store for `text`.
    pub(super) fn seal(&self, path: &str, version: u64, state: State, text: &[u8]) -> Vec<u8> {
        // 192 random bits: the same nonce never comes twice in the life of a key.
        let nonce: [u8; NONCE_BYTES] = rand::random();
        let payload = Payload { msg: text, aad: &associated(path, version, state) };
        let sealed = self
            .0
            .encrypt(XNonce::from_slice(&nonce), payload)
            .expect("sealing only fails beyond 256 GiB, and a secret fits into memory");
        let mut bytes = Vec::with_capacity(HEADER_BYTES + sealed.len());
        bytes.push(FORMAT);
        bytes.extend(version.to_be_bytes());
        bytes.push(state as u8);
        bytes.extend(nonce);
        bytes.extend(sealed);
        bytes
    }

    /// What was sealed, or what is wrong with the record.
    pub(super) fn open(&self, path: &str, record: &Record<'_>) -> Result<Zeroizing<Vec<u8>>, &'static str> {
        let payload = Payload { msg: record.sealed, aad: &associated(path, record.version, record.state) };
        self.0
            .decrypt(XNonce::from_slice(record.nonce), payload)
            .map(Zeroizing::new)
            .map_err(|_| "it was changed outside the store, or sealed with another key")
    }

    /// A record that only the same key can open.
    pub(super) fn check(&self) -> Vec<u8> {
        self.seal(CHECK_PATH, 1, State::Live, CHECK_TEXT)
    }

    /// Whether `bytes` is a check record made with this key.
    pub(super) fn proves(&self, bytes: &[u8]) -> bool {
        let opened = Record::parse(bytes).and_then(|record| self.open(CHECK_PATH, &record));
        opened.is_ok_and(|text| *text == CHECK_TEXT)
    }
}

fn associated(path: &str, version: u64, state: State) -> Vec<u8> {
    let mut bytes = vec![FORMAT, state as u8];
    bytes.extend(version.to_be_bytes());
    bytes.extend(path.as_bytes());
    bytes
}
