//! The section `storage`: Vault (or OpenBao) for an installation of several nodes, one encrypted file for a single one.

use std::path::PathBuf;

use secrecy::SecretString;
use url::Url;

use super::common::{self, Retry};
use super::endpoint;
use super::section::{Notes, Section};
use crate::names::SecretPath;

pub(super) const KEYS: &[&str] = &["vault", "embedded"];
pub(super) const VAULT_KEYS: &[&str] = &[
    "url",
    "role_id",
    "secret_id",
    "secret_engine",
    "mount_path",
    "certificate_prefix",
    "token_prefix",
    "retry_max",
    "retry_wait_min",
    "retry_wait_max",
    "ca_file",
];
pub(super) const EMBEDDED_KEYS: &[&str] = &["path", "key_file"];

/// Where certificates, tokens and accounts are kept.
#[derive(Debug, Clone)]
pub enum Storage {
    /// The KV version 2 engine of Vault or OpenBao.
    Vault(Box<Vault>),
    /// One file of this machine.
    Embedded(Embedded),
}

/// How to reach Vault and where the secrets lie in it.
#[derive(Debug, Clone)]
pub struct Vault {
    /// HTTPS, or HTTP to the loopback.
    pub url: Url,
    /// AppRole role id.
    pub role_id: String,
    /// AppRole secret id.
    pub secret_id: SecretString,
    /// Mount of the KV engine, without `/` at the ends.
    pub secret_engine: String,
    /// Mount of the AppRole method, without `/` at the ends.
    pub mount_path: String,
    /// Certificates lie below this.
    pub certificate_prefix: SecretPath,
    /// Tokens lie below this; neither prefix lies below the other.
    pub token_prefix: SecretPath,
    /// Retries of requests to Vault.
    pub retry: Retry,
    /// PEM file with the roots that Vault's certificate is checked against, instead of the public ones.
    pub ca_file: Option<PathBuf>,
}

/// The file of the embedded store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Embedded {
    /// The database.
    pub path: PathBuf,
    /// The file with the key that the values are encrypted with.
    pub key_file: PathBuf,
}

impl Embedded {
    /// The store at `path` with its key beside it, in `<path>.key`.
    fn at(path: PathBuf, key_file: Option<PathBuf>) -> Self {
        let key_file = key_file.unwrap_or_else(|| {
            let mut name = path.clone().into_os_string();
            name.push(".key");
            PathBuf::from(name)
        });
        Self { path, key_file }
    }
}

const EMBEDDED_PATH: &str = "acme-manager.redb";

pub(super) fn read(root: &Section<'_>, notes: &Notes) -> Storage {
    let nothing = || Storage::Embedded(Embedded::at(PathBuf::from(EMBEDDED_PATH), None));
    let storage = root.child("storage");
    if let Some(storage) = &storage {
        storage.only(KEYS, &[("storage.vault", VAULT_KEYS), ("storage.embedded", EMBEDDED_KEYS)]);
    }
    let child = |key: &str| {
        let storage = storage.as_ref()?;
        storage.node(key).map(|node| Section::new(&storage.path_of(key), node, notes))
    };
    match (child("vault"), child("embedded")) {
        (Some(vault), embedded) => {
            if let Some(embedded) = embedded {
                read_embedded(&embedded);
                root.mistake("storage", "only one of `vault` and `embedded` may be given");
            }
            read_vault(&vault).map_or_else(nothing, |vault| Storage::Vault(Box::new(vault)))
        }
        (None, Some(embedded)) => read_embedded(&embedded).map_or_else(nothing, Storage::Embedded),
        (None, None) => {
            let message = format!("nothing is configured: everything is kept in the file {EMBEDDED_PATH}");
            root.warning("storage", message);
            nothing()
        }
    }
}

fn read_embedded(section: &Section<'_>) -> Option<Embedded> {
    section.only(EMBEDDED_KEYS, &[("storage.vault", VAULT_KEYS)]);
    if !section.has("path") {
        section.missing("path");
    }
    let path = section.file("path");
    let key_file = section.file("key_file");
    if path.is_some() && path == key_file {
        section.mistake("key_file", "must not be the database itself");
    }
    Some(Embedded::at(path?, key_file))
}

fn read_vault(section: &Section<'_>) -> Option<Vault> {
    section.only(VAULT_KEYS, &[("storage.embedded", EMBEDDED_KEYS)]);
    let url = endpoint::read(section, "url", endpoint::PlainHttp::Anywhere);
    let role_id = section.required_text("role_id");
    let secret_id = section.required_secret("secret_id");
    let secret_engine = read_mount(section, "secret_engine", "secret");
    let mount_path = read_mount(section, "mount_path", "approle");
    let (certificate_prefix, token_prefix) = read_prefixes(section);
    let retry = common::read_retry(section, "retry", 3);
    let ca_file = section.file("ca_file");
    Some(Vault {
        url: url?,
        role_id: role_id?,
        secret_id: secret_id?,
        secret_engine,
        mount_path,
        certificate_prefix,
        token_prefix,
        retry,
        ca_file,
    })
}

/// A mount is a path too; slashes at its ends are how Vault's own tools print it.
fn read_mount(section: &Section<'_>, key: &str, default: &str) -> String {
    let mount = section.text(key).and_then(|text| read_path(section, key, &text));
    mount.map_or_else(|| default.to_owned(), |mount| mount.as_str().to_owned())
}

/// Without a prefix the Go server walks the whole engine when it lists or cleans up, so an absent one gets a name:
/// `certificates` as in the administrators' documentation, `token` because that is what the Go server writes to.
fn read_prefixes(section: &Section<'_>) -> (SecretPath, SecretPath) {
    const CERTIFICATE: &str = "certificate_prefix";
    const TOKEN: &str = "token_prefix";
    let read = |key: &str, default: &str| {
        let given = section.text(key).and_then(|text| read_path(section, key, &text));
        given.unwrap_or_else(|| default.parse().expect("a constant word is a path"))
    };
    let certificates = read(CERTIFICATE, "certificates");
    let tokens = read(TOKEN, "token");
    if !section.has(CERTIFICATE) {
        let message = "not set: `certificates` is used; certificates stored without a prefix are not seen";
        section.warning(CERTIFICATE, message);
    }
    let (one, other) = (certificates.as_str(), tokens.as_str());
    if one == other {
        section.mistake(TOKEN, "must differ from `certificate_prefix`");
    } else if tokens.below(one).is_some() || certificates.below(other).is_some() {
        section.mistake(TOKEN, "neither of `certificate_prefix` and `token_prefix` may lie below the other");
    }
    (certificates, tokens)
}

fn read_path(section: &Section<'_>, key: &str, text: &str) -> Option<SecretPath> {
    // What the server keeps for itself lies below a segment with a leading dot.
    let path = text.trim_matches('/').parse::<SecretPath>().ok().filter(|path| !path.as_str().starts_with('.'));
    if path.is_none() {
        let expected = "expected a path such as `team/certificates`, not starting with a dot and without empty parts";
        section.mistake(key, format!("{expected}, got {text:?}"));
    }
    path
}
