//! The server's own variables: how DNS is asked while a challenge is prepared, and which roots CAs are checked against.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use secrecy::ExposeSecret;

use super::environment::{Environment, EnvironmentError, EnvironmentProblem};

/// How the propagation of a challenge record is observed. From `ACME_MANAGER_DNS_*` and `LEGO_DISABLE_CNAME_SUPPORT`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DnsSettings {
    /// Recursive servers to ask; empty means those of the system.
    pub resolvers: Vec<Resolver>,
    /// Limit of one query.
    pub timeout: Duration,
    /// What is waited for.
    pub propagation: Propagation,
    /// Whether a CNAME at `_acme-challenge` is followed.
    pub follow_cname: bool,
}

/// What has to happen before the CA is asked to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Propagation {
    /// All authoritative servers show the record.
    Authoritative,
    /// All authoritative servers and all recursive ones show it.
    AuthoritativeAndRecursive,
    /// All recursive servers show it.
    Recursive,
    /// A fixed time passes, nothing is asked.
    Wait(Duration),
    /// Nothing.
    None,
}

/// A recursive DNS server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolver {
    /// An IP address or a name.
    pub host: String,
    /// 53 unless given.
    pub port: u16,
}

impl fmt::Display for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.parse::<Ipv6Addr>().is_ok() {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl FromStr for Resolver {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        let (host, port) = host_and_port(text, 53)?;
        Ok(Self { host, port })
    }
}

/// Which roots the certificates of CA directories are checked against, for issuers without `ca_root_file`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CaSettings {
    /// PEM files, from `LEGO_CA_CERTIFICATES`; when empty, the public roots count.
    pub certificates: Vec<PathBuf>,
    /// Whether the public roots count beside those files, from `LEGO_CA_SYSTEM_CERT_POOL`.
    pub with_public_roots: bool,
}

impl Environment {
    /// The DNS settings.
    ///
    /// # Errors
    /// With every mistake in these variables.
    pub fn dns_settings(&self) -> Result<DnsSettings, EnvironmentError> {
        let mut reader = Reader { environment: self, problems: Vec::new() };
        let settings = DnsSettings {
            resolvers: reader.resolvers("ACME_MANAGER_DNS_RESOLVERS"),
            timeout: reader.seconds("ACME_MANAGER_DNS_TIMEOUT").filter(|t| !t.is_zero()).unwrap_or(QUERY_TIMEOUT),
            propagation: reader.propagation(),
            follow_cname: !reader.flag("LEGO_DISABLE_CNAME_SUPPORT").unwrap_or(false),
        };
        for name in self.names().filter(|name| name.starts_with(PREFIX) && !DNS_NAMES.contains(name)) {
            let known = super::section::nearest(name, DNS_NAMES);
            let hint = known
                .map_or_else(|| format!("known are {}", DNS_NAMES.join(", ")), |near| format!("did you mean {near}?"));
            reader.note(name, format!("unknown variable; {hint}"));
        }
        reader.finish(settings)
    }

    /// The settings about roots.
    ///
    /// # Errors
    /// With every mistake in these variables.
    pub fn ca_settings(&self) -> Result<CaSettings, EnvironmentError> {
        let mut reader = Reader { environment: self, problems: Vec::new() };
        let list = reader.text("LEGO_CA_CERTIFICATES").unwrap_or_default();
        let settings = CaSettings {
            certificates: std::env::split_paths(&list).filter(|path| !path.as_os_str().is_empty()).collect(),
            with_public_roots: reader.flag("LEGO_CA_SYSTEM_CERT_POOL").unwrap_or(false),
        };
        reader.finish(settings)
    }
}

const PREFIX: &str = "ACME_MANAGER_DNS_";
const DNS_NAMES: &[&str] = &[
    "ACME_MANAGER_DNS_RESOLVERS",
    "ACME_MANAGER_DNS_TIMEOUT",
    "ACME_MANAGER_DNS_PROPAGATIONDISABLEANS",
    "ACME_MANAGER_DNS_PROPAGATIONRNS",
    "ACME_MANAGER_DNS_PROPAGATIONWAIT",
];
const QUERY_TIMEOUT: Duration = Duration::from_secs(10);
const DAY_SECONDS: u64 = 24 * 60 * 60;

struct Reader<'e> {
    environment: &'e Environment,
    problems: Vec<EnvironmentProblem>,
}

impl<'e> Reader<'e> {
    fn finish<T>(self, settings: T) -> Result<T, EnvironmentError> {
        if self.problems.is_empty() { Ok(settings) } else { Err(EnvironmentError::Invalid(self.problems)) }
    }

    fn note(&mut self, name: &str, message: String) {
        self.problems.push(EnvironmentProblem { line: 0, name: name.to_owned(), message });
    }

    /// None of these variables is a secret, so messages may repeat their values.
    fn text(&mut self, name: &str) -> Option<&'e str> {
        match self.environment.resolve(name) {
            Ok(value) => value.map(|value| value.expose_secret().trim()).filter(|value| !value.is_empty()),
            Err(problem) => {
                self.problems.push(problem);
                None
            }
        }
    }

    fn seconds(&mut self, name: &str) -> Option<Duration> {
        let text = self.text(name)?;
        match text.parse::<u64>().ok().filter(|seconds| *seconds <= DAY_SECONDS) {
            Some(seconds) => Some(Duration::from_secs(seconds)),
            None => {
                self.note(name, format!("expected whole seconds from 0 to {DAY_SECONDS}, got {text:?}"));
                None
            }
        }
    }

    fn flag(&mut self, name: &str) -> Option<bool> {
        let text = self.text(name)?;
        let flag = super::flags::parse_bool(text).ok();
        if flag.is_none() {
            self.note(name, format!("expected true or false, got {text:?}"));
        }
        flag
    }

    fn resolvers(&mut self, name: &str) -> Vec<Resolver> {
        let mut resolvers = Vec::new();
        for item in self.text(name).unwrap_or_default().split(',').map(str::trim).filter(|item| !item.is_empty()) {
            match item.parse() {
                Ok(resolver) => resolvers.push(resolver),
                Err(reason) => self.note(name, format!("{reason}, got {item:?}")),
            }
        }
        resolvers
    }

    fn propagation(&mut self) -> Propagation {
        const WAIT: &str = "ACME_MANAGER_DNS_PROPAGATIONWAIT";
        const SKIP_AUTHORITATIVE: &str = "ACME_MANAGER_DNS_PROPAGATIONDISABLEANS";
        const RECURSIVE: &str = "ACME_MANAGER_DNS_PROPAGATIONRNS";
        let wait = self.seconds(WAIT).filter(|wait| !wait.is_zero());
        let authoritative = !self.flag(SKIP_AUTHORITATIVE).unwrap_or(false);
        let recursive = self.flag(RECURSIVE).unwrap_or(false);
        if wait.is_some() && !authoritative {
            self.note(WAIT, format!("cannot be given together with {SKIP_AUTHORITATIVE}"));
        }
        if wait.is_some() && recursive {
            self.note(WAIT, format!("cannot be given together with {RECURSIVE}"));
        }
        match (wait, authoritative, recursive) {
            (Some(wait), _, _) => Propagation::Wait(wait),
            (None, true, false) => Propagation::Authoritative,
            (None, true, true) => Propagation::AuthoritativeAndRecursive,
            (None, false, true) => Propagation::Recursive,
            (None, false, false) => Propagation::None,
        }
    }
}

/// Splits `host`, `host:port`, `[v6]:port` and a bare IPv6 address.
pub(super) fn host_and_port(text: &str, default_port: u16) -> Result<(String, u16), &'static str> {
    const EXPECTED: &str = "expected host or host:port";
    if text.parse::<IpAddr>().is_ok() {
        return Ok((text.to_owned(), default_port));
    }
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) => {
            (host, port.parse().ok().filter(|port| *port > 0).ok_or("expected a port from 1 to 65535")?)
        }
        None => (text, default_port),
    };
    if let Some(address) = host.strip_prefix('[') {
        let address = address.strip_suffix(']').filter(|address| address.parse::<Ipv6Addr>().is_ok());
        return address.map(|address| (address.to_owned(), port)).ok_or(EXPECTED);
    }
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    if host.is_empty() || host.len() > 253 || !host.chars().all(good) {
        return Err(EXPECTED);
    }
    Ok((host.to_owned(), port))
}
