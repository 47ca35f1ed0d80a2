//! The list `common.plugins`: components to load, and grants and limits of bundled ones.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use acme_manager_plugin_runtime::{DnsGrant, HostGrant, read_component};
use ipnet::IpNet;
use secrecy::{ExposeSecret, SecretString};
use url::{Host, Url};

use super::artifact::{self, Artifact, RegistryUser};
use super::section::{Notes, Section, scalar};
use super::tree::{Node, Show};
use super::trusted_key::{self, TrustedKey};
use crate::names::ProviderName;

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
];

/// One entry of `common.plugins`.
#[derive(Debug, Clone)]
pub struct Plugin {
    /// Unique among the entries; what issuers and requests name.
    pub name: ProviderName,
    /// What the entry says that it is for; bundled plugins are what they are.
    pub kind: Option<PluginKind>,
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
    /// Calls per second for one provider account; `None` leaves it to the plugin's own description.
    pub dns_rate_limit: Option<u32>,
}

/// What a plugin is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PluginKind {
    /// It places TXT values at a DNS vendor; issuers and requests name it.
    DnsProvider,
    /// It is asked before every order, in the order of the entries.
    IssuanceHook,
}

/// Where a plugin comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PluginSource {
    /// The entry has no `path`: the name must be that of a bundled plugin.
    Bundled,
    /// A file that must have this digest.
    File {
        /// Absolute.
        path: PathBuf,
        /// What its content must hash to.
        checksum: Checksum,
    },
    /// An artifact of a registry.
    Registry {
        /// Which one; its digest pins the component.
        artifact: Artifact,
        /// What the component must hash to, if the config says so as well.
        checksum: Option<Checksum>,
    },
    /// A file without `checksum`, for servers that were started with `-allow-unverified-plugins`.
    Unverified {
        /// Absolute.
        path: PathBuf,
    },
    /// The entry can never be loaded; the server runs on without this plugin.
    Broken {
        /// As far as it is known.
        path: PathBuf,
        /// What is wrong, for the operator.
        problem: String,
    },
}

/// A SHA-256 digest; `Display` is 64 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Checksum(pub [u8; 32]);

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Checksum({self})")
    }
}

const TIMEOUT: Duration = Duration::from_secs(30);
const MEMORY_MB: u32 = 64;

/// A component that has this in it and is no hook gets an error that names `kind`.
const HOOK_INTERFACE: &[u8] = b"acme-manager:issuance/hook@";

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
    let timeout = section.seconds("timeout", 3_600).unwrap_or(TIMEOUT);
    let env = section.child("env").map(|env| read_env(&env, notes)).unwrap_or_default();
    let allowed_hosts = read_items(section, notes, "allowed_hosts", parse_host);
    let allowed_dns_servers = read_items(section, notes, "allowed_dns_servers", parse_name_server);
    let allowed_cidrs = read_items(section, notes, "allowed_cidrs", parse_network);
    let memory_mb = section.count("memory_mb", "MiB", 1..=4_096).unwrap_or(MEMORY_MB);
    let fuel = section.number("fuel", "fuel units", 1..=u64::MAX);
    let max_concurrency = section.count("max_concurrency", "a number of calls", 1..=1_024);
    let dns_rate_limit = section.count("dns_rate_limit", "calls per second", 1..=10_000);
    Some(Plugin {
        name: name?,
        kind,
        source: source?,
        signature,
        registry_user,
        trusted_keys,
        timeout,
        env,
        allowed_hosts,
        allowed_dns_servers,
        allowed_cidrs,
        memory_mb,
        fuel,
        max_concurrency,
        dns_rate_limit,
    })
}

/// Without a `kind`, a file is what it says itself. To take a policy for a provider would be to issue without asking, and
/// so it would be with the programs that the existing system runs before its orders.
fn read_kind(section: &Section<'_>, source: Option<&PluginSource>) -> Option<PluginKind> {
    if let Some(word) = section.optional_text("kind") {
        return match word.as_str() {
            "dns-provider" => Some(PluginKind::DnsProvider),
            "issuance-hook" => Some(PluginKind::IssuanceHook),
            other => {
                section.mistake("kind", format!("expected dns-provider or issuance-hook, got {other:?}"));
                None
            }
        };
    }
    let (PluginSource::File { path, .. } | PluginSource::Unverified { path } | PluginSource::Broken { path, .. }) =
        source?
    else {
        return None;
    };
    let bytes = read_component(path).ok()?;
    if memchr::memmem::find(&bytes, HOOK_INTERFACE).is_some() {
        return Some(PluginKind::IssuanceHook);
    }
    if !bytes.starts_with(b"#!") && !bytes.starts_with(b"\x7fELF") {
        return None;
    }
    section.warning(
        "path",
        "is a program, and programs were asked before every order; components of the kind issuance-hook are now. \
         Nothing is issued until the entry names such a component, or is removed",
    );
    Some(PluginKind::IssuanceHook)
}

/// A digest that cannot be right breaks this one plugin, not the config: a half-edited entry must not keep the
/// server, with all its other issuers, from starting.
fn read_source(section: &Section<'_>, is_signed_for_nobody: bool) -> Option<PluginSource> {
    let checksum = section.optional_text("checksum");
    if !section.has("path") {
        for key in ["checksum", "signature", "trusted_keys", "registry_username", "registry_password"] {
            if section.has(key) && (key != "checksum" || checksum.is_some()) {
                section.mistake(key, "has no meaning without `path`: bundled plugins are part of the server");
            }
        }
        return Some(PluginSource::Bundled);
    }
    let place = section.text("path")?;
    let artifact = place.strip_prefix(artifact::SCHEME).map(Artifact::parse);
    let artifact = match artifact.transpose() {
        Ok(artifact) => artifact,
        Err(problem) => {
            section.mistake("path", problem);
            return None;
        }
    };
    if artifact.is_none() {
        for key in ["registry_username", "registry_password"] {
            if section.has(key) {
                section.mistake(key, "has no meaning without a `path` that begins with oci://");
            }
        }
    }
    let path = if artifact.is_some() { PathBuf::from(place) } else { absolute_file(section, "path")? };
    if is_signed_for_nobody {
        let problem = "nothing would check the signature: name the public key in `trusted_keys`, or in \
                       `plugin_trusted_keys` of `common` for all plugins";
        section.warning("signature", format!("{problem}; the plugin stays off"));
        return Some(PluginSource::Broken { path, problem: problem.to_owned() });
    }
    if let (Some(artifact), None) = (&artifact, &checksum) {
        return Some(PluginSource::Registry { artifact: artifact.clone(), checksum: None });
    }
    let Some(checksum) = checksum else {
        section.warning("checksum", "not set: the plugin is loaded only with -allow-unverified-plugins");
        return Some(PluginSource::Unverified { path });
    };
    let mut digest = [0; 32];
    if hex::decode_to_slice(&checksum, &mut digest).is_ok() {
        let checksum = Checksum(digest);
        return Some(match artifact {
            Some(artifact) => PluginSource::Registry { artifact, checksum: Some(checksum) },
            None => PluginSource::File { path, checksum },
        });
    }
    let problem = format!("expected the SHA-256 digest of the file, 64 hex digits, got {checksum:?}");
    section.warning("checksum", format!("{problem}: the plugin stays off"));
    Some(PluginSource::Broken { path, problem })
}

/// Both keys, or neither.
fn read_registry_user(section: &Section<'_>) -> Option<RegistryUser> {
    let (name_key, password_key) = ("registry_username", "registry_password");
    for (key, other) in [(name_key, password_key), (password_key, name_key)] {
        if section.has(key) && !section.has(other) {
            section.mistake(key, format!("has no meaning without `{other}`"));
        }
    }
    let name = section.text(name_key);
    let password = section.optional_secret(password_key)?;
    match resolve(password.expose_secret()) {
        Ok(password) => Some(RegistryUser { name: name?, password }),
        Err(problem) => {
            section.mistake(password_key, problem);
            None
        }
    }
}

fn absolute_file(section: &Section<'_>, key: &str) -> Option<PathBuf> {
    if !section.has(key) {
        return None;
    }
    let path = section.file(key)?;
    if !path.is_absolute() {
        section.mistake(key, format!("expected an absolute path, got {:?}", path.display().to_string()));
        return None;
    }
    Some(path)
}

fn read_env(section: &Section<'_>, notes: &Notes) -> BTreeMap<String, SecretString> {
    let mut env = BTreeMap::new();
    for (key, node) in section.pairs() {
        let path = section.path_of(&key.name);
        let good = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if key.name.is_empty() || !key.name.chars().all(good) || key.name.starts_with(|c: char| c.is_ascii_digit()) {
            notes.mistake(path, key.line, "expected a variable name: letters, digits and `_`, no digit first");
            continue;
        }
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
    env
}

/// A value as it is, or what it refers to. Only absolute references count, so that `file:` alone stays a value.
fn resolve(text: &str) -> Result<SecretString, String> {
    if let Some(path) = text.strip_prefix("file:").filter(|path| path.starts_with('/')) {
        return read_secret_file(Path::new(path));
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

/// The content of a small file.
pub(super) fn read_text_file(path: &Path) -> Result<zeroize::Zeroizing<String>, String> {
    let failed = |error: std::io::Error| format!("cannot read {}: {error}", path.display());
    let metadata = std::fs::metadata(path).map_err(failed)?;
    if !metadata.is_file() || metadata.len() > LONGEST_REFERENCE {
        return Err(format!("cannot read {}: expected a file of at most 64 KiB", path.display()));
    }
    Ok(zeroize::Zeroizing::new(std::fs::read_to_string(path).map_err(failed)?))
}

fn read_items<T>(
    section: &Section<'_>,
    notes: &Notes,
    key: &str,
    parse: fn(&str) -> Result<T, &'static str>,
) -> Vec<T> {
    let mut items = Vec::new();
    for (path, node) in section.list(key) {
        // A user name in front of a host comes with a password.
        let show = if scalar(node).is_some_and(|text| text.contains('@')) { Show::KindOnly } else { Show::Value };
        match item(node).and_then(parse) {
            Ok(value) => items.push(value),
            Err(reason) => notes.mistake(path, node.line, format!("{reason}, got {}", node.describe(show))),
        }
    }
    items
}

fn item(node: &Node) -> Result<&str, &'static str> {
    scalar(node).ok_or("expected text")
}

fn parse_host(text: &str) -> Result<String, &'static str> {
    const EXPECTED: &str = "expected a host such as `api.example.com`, `*.example.com` or `https://host:8443`";
    let (scheme, rest) = match text.split_once("://") {
        Some((scheme @ ("http" | "https"), rest)) => (scheme, rest),
        Some(_) => return Err("expected http:// or https://, or no scheme"),
        None => ("https", text),
    };
    if rest.contains(['/', '?', '#', '@', ' ']) {
        return Err("expected a host without path, query or user name");
    }
    let plain = rest.strip_prefix("*.").unwrap_or(rest);
    // A bare IPv6 address would read as host and port; what is wrong with it is said below.
    let authority = if plain.parse::<std::net::Ipv6Addr>().is_ok() { format!("[{plain}]") } else { plain.to_owned() };
    let url = Url::parse(&format!("{scheme}://{authority}")).map_err(|_| EXPECTED)?;
    match url.host() {
        Some(Host::Domain(name)) if !name.contains('*') && !name.is_empty() => {}
        Some(Host::Ipv4(_) | Host::Ipv6(_)) if plain == rest => {}
        _ => return Err(EXPECTED),
    }
    // What the runtime does not understand would keep the plugin from being loaded, later and without a line.
    text.parse::<HostGrant>().map(|_| text.to_owned()).map_err(|error| error.reason())
}

fn parse_name_server(text: &str) -> Result<String, &'static str> {
    text.parse::<DnsGrant>().map(|_| text.to_owned()).map_err(|error| error.reason())
}

fn parse_network(text: &str) -> Result<IpNet, &'static str> {
    const EXPECTED: &str = "expected a network such as `10.0.0.0/8` or `fd00::/8`";
    match text.parse::<IpNet>() {
        Ok(network) => Ok(network.trunc()),
        Err(_) => text.parse::<IpAddr>().map(IpNet::from).map_err(|_| EXPECTED),
    }
}
