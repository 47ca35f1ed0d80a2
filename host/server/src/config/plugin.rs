//! The list `common.plugins`: components to load, and grants and limits of bundled ones.

#[cfg(test)]
mod documented;
mod grants;
mod kind;
mod source;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::IpNet;
use secrecy::SecretString;
use zeroize::Zeroizing;

use super::artifact::RegistryUser;
use super::section::{Notes, Section, scalar};
use super::text_file;
use super::tree::Show;
use super::trusted_key::{self, TrustedKey};
use crate::names::ProviderName;
use grants::{parse_host, parse_name_server, parse_network, read_items};
pub use kind::{FileContent, PluginKind, Role};
use kind::{read_content, read_kind};
pub use source::{Checksum, PluginSource};
use source::{absolute_file, read_registry_user, read_source};

pub(super) const KEYS: &[&str] = &[
    "name",
    "kind",
    "path",
    "checksum",
    "signature",
    "trusted_keys",
    "registry_username",
    "registry_password",
    "timeout",
    "env",
    "allowed_hosts",
    "allowed_dns_servers",
    "allowed_cidrs",
    "memory_mb",
    "fuel",
    "max_concurrency",
    "dns_rate_limit",
    "record_failures",
];

/// One entry of `common.plugins`.
#[derive(Debug, Clone)]
pub struct Plugin {
    /// Unique among the entries; what issuers and requests name.
    pub name: ProviderName,
    /// What the entry says that it is for; bundled plugins are what they are.
    pub kind: Option<PluginKind>,
    /// What its file was found to be when the config was read.
    pub content: FileContent,
    /// What to load.
    pub source: PluginSource,
    /// The detached signature, absolute; `None` stands for the file with `.minisig` behind its name.
    pub signature: Option<PathBuf>,
    /// Who the server is for the registry that the plugin comes from; references are resolved.
    pub registry_user: Option<RegistryUser>,
    /// If there are any, one of these keys must have signed the component: its own, or else those of `common`.
    pub trusted_keys: Vec<TrustedKey>,
    /// Wall-clock limit of one call.
    pub timeout: Duration,
    /// The whole environment of the plugin; references are resolved.
    pub env: BTreeMap<String, SecretString>,
    /// Those of them that were read from files: secrets, whatever the component says of them.
    pub env_from_files: BTreeSet<String>,
    /// Hosts it may talk to: `[https://|http://]host[:port]`, the host may begin with `*.`.
    pub allowed_hosts: Vec<String>,
    /// Name servers that it may exchange DNS messages with: `host`, `host:port` or `[IPv6]:port`.
    pub allowed_dns_servers: Vec<String>,
    /// Private, loopback or link-local networks it may reach nonetheless.
    pub allowed_cidrs: Vec<IpNet>,
    /// Memory of one instance, in MiB.
    pub memory_mb: u32,
    /// Instructions of one call, in wasmtime's fuel units; `None` leaves it to the runtime.
    pub fuel: Option<u64>,
    /// Calls at one time; `None` leaves it to the runtime.
    pub max_concurrency: Option<u32>,
    /// Calls per second for one provider account; `None` for no bound.
    pub dns_rate_limit: Option<u32>,
    /// Where recordings of failed calls go; absolute.
    pub record_failures: Option<PathBuf>,
}

const TIMEOUT: Duration = Duration::from_secs(30);
const MEMORY_MB: u32 = 64;

/// A referenced file holds a credential; anything longer is a wrong path.
const LONGEST_REFERENCE: u64 = 64 * 1024;

pub(super) fn read_all(common: &Section<'_>, notes: &Notes) -> Vec<Plugin> {
    let mut plugins: Vec<Plugin> = Vec::new();
    let for_all = trusted_key::read_list(common, notes, "plugin_trusted_keys");
    for (path, node) in common.list("plugins") {
        let section = Section::new(&path, node, notes);
        let Some(plugin) = read(&section, notes, &for_all) else { continue };
        if plugins.iter().any(|earlier| earlier.name == plugin.name) {
            section.mistake("name", format!("another plugin is already called {:?}", plugin.name.as_str()));
        }
        plugins.push(plugin);
    }
    plugins
}

fn read(section: &Section<'_>, notes: &Notes, for_all: &[TrustedKey]) -> Option<Plugin> {
    section.only(KEYS, &[]);
    if !section.has("name") {
        section.missing("name");
    } else if section.any_text("name").is_some_and(|name| name.is_empty()) {
        section.mistake("name", "must not be empty");
    }
    // Everything is read before the first way out, so that all mistakes are noted.
    let name = section.parsed::<ProviderName>("name");
    let own_keys = section.has("trusted_keys").then(|| trusted_key::read_list(section, notes, "trusted_keys"));
    let trusted_keys = own_keys.unwrap_or_else(|| for_all.to_vec());
    let signature = absolute_file(section, "signature");
    let registry_user = read_registry_user(section);
    let source = read_source(section, signature.is_some() && trusted_keys.is_empty());
    let kind = read_kind(section, source.as_ref());
    let content = read_content(section, kind, source.as_ref());
    let timeout = section.seconds("timeout", 3_600).unwrap_or(TIMEOUT);
    let (env, env_from_files) = section.child("env").map(|env| read_env(&env, notes)).unwrap_or_default();
    let allowed_hosts = read_items(section, notes, "allowed_hosts", parse_host);
    let allowed_dns_servers = read_items(section, notes, "allowed_dns_servers", parse_name_server);
    let allowed_cidrs = read_items(section, notes, "allowed_cidrs", parse_network);
    let memory_mb = section.count("memory_mb", "MiB", 1..=4_096).unwrap_or(MEMORY_MB);
    let fuel = section.number("fuel", "fuel units", 1..=u64::MAX);
    let max_concurrency = section.count("max_concurrency", "a number of calls", 1..=1_024);
    let record_failures = absolute_file(section, "record_failures");
    let dns_rate_limit = section.count("dns_rate_limit", "calls per second", 1..=10_000);
    Some(Plugin {
        name: name?,
        kind,
        content,
        source: source?,
        signature,
        registry_user,
        trusted_keys,
        timeout,
        env,
        env_from_files,
        allowed_hosts,
        allowed_dns_servers,
        allowed_cidrs,
        memory_mb,
        fuel,
        max_concurrency,
        dns_rate_limit,
        record_failures,
    })
}

/// The variables, and which of them were read from files.
fn read_env(section: &Section<'_>, notes: &Notes) -> (BTreeMap<String, SecretString>, BTreeSet<String>) {
    let (mut env, mut from_files) = (BTreeMap::new(), BTreeSet::new());
    for (key, node) in section.pairs() {
        let path = section.path_of(&key.name);
        let good = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if key.name.is_empty() || !key.name.chars().all(good) || key.name.starts_with(|c: char| c.is_ascii_digit()) {
            notes.mistake(path, key.line, "expected a variable name: letters, digits and `_`, no digit first");
            continue;
        }
        if scalar(node).is_some_and(|text| text.starts_with("file:") && referenced(text).is_none()) {
            let message = "is handed over as it stands: a file is named by its whole path, `file:/…`";
            notes.warning(path.clone(), key.line, message);
        }
        from_files.extend(scalar(node).and_then(referenced).map(|_| key.name.clone()));
        // `KEY:` without a value is the empty text, as it was for the Go server.
        let value = match (&node.value, scalar(node)) {
            (super::tree::Value::Null, _) => Ok(SecretString::default()),
            (_, Some(text)) => resolve(text),
            (_, None) => Err(format!("expected text, got {}", node.describe(Show::KindOnly))),
        };
        match value {
            Ok(value) => drop(env.insert(key.name.clone(), value)),
            Err(message) => notes.mistake(path, key.line, message),
        }
    }
    (env, from_files)
}

/// The file that a value refers to. Only absolute references count, so that `file:` alone stays a value.
fn referenced(text: &str) -> Option<&Path> {
    text.strip_prefix("file:").filter(|path| path.starts_with('/')).map(Path::new)
}

/// A value as it is, or what it refers to.
fn resolve(text: &str) -> Result<SecretString, String> {
    if let Some(path) = referenced(text) {
        return read_secret_file(path);
    }
    if text.strip_prefix("vault:").is_some_and(|reference| reference.contains('#')) {
        return Err("references to Vault (`vault:path#key`) are not supported yet; use `file:/path`".to_owned());
    }
    Ok(SecretString::from(text))
}

/// The content of a small file without the white space at its ends.
pub(super) fn read_secret_file(path: &Path) -> Result<SecretString, String> {
    Ok(SecretString::from(read_text_file(path)?.trim()))
}

/// The content of a small file; a pipe or device in its place is not waited for.
pub(super) fn read_text_file(path: &Path) -> Result<Zeroizing<String>, String> {
    text_file::read(path, LONGEST_REFERENCE).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => format!("cannot read {}: there is no such file", path.display()),
        _ => format!("cannot read {}: {error}", path.display()),
    })
}

/// Why a file cannot be opened, and whether it is none at all but a folder, pipe or device, which is not opened.
pub(super) fn fault_of_file(path: &Path) -> Option<(FileFault, String)> {
    let failed = |error: std::io::Error| Some((FileFault::Absent, format!("cannot open {}: {error}", path.display())));
    match std::fs::metadata(path) {
        Err(error) => failed(error),
        Ok(metadata) if !metadata.is_file() => {
            Some((FileFault::NoFile, format!("cannot open {}: it is no regular file", path.display())))
        }
        Ok(_) => std::fs::File::open(path).err().and_then(failed),
    }
}

/// What is wrong with a file that the config names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FileFault {
    /// It may come, or become readable.
    Absent,
    /// Whoever read it might wait for ever.
    NoFile,
}
