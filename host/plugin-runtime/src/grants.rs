//! Where a plugin may send requests. Two questions are asked of every request: does a host grant match scheme, name
//! and port, and may the address that the name resolved to be reached. Both default to no.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr},
    str::FromStr,
};

use ipnet::IpNet;
use url::{Host, Url};

use crate::address::{canonical, embedded, is_metadata, special_purpose};

/// What a plugin may reach.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grants {
    /// The hosts that it may send HTTP requests to, `allowed_hosts` in the configuration.
    pub hosts: Vec<HostGrant>,
    /// The name servers that it may exchange DNS messages with, `allowed_dns_servers`.
    pub dns_servers: Vec<DnsGrant>,
    /// Address ranges that may be reached although they are private, loopback or otherwise special: `allowed_cidrs`.
    pub cidrs: Vec<IpNet>,
}

/// Permission to talk to one host, or to all hosts below one domain.
///
/// Written as `api.example.com` (HTTPS, port 443), `api.example.com:8443`, `*.example.com` (every host below, not
/// `example.com` itself), `https://host[:port]` or `http://host[:port]`. Plain HTTP needs the explicit `http://`,
/// because API tokens travel in the requests. A host may be an address; it is then granted as such, special purpose
/// or not.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HostGrant {
    scheme: Scheme,
    host: Pattern,
    port: u16,
    any_address: bool,
}

/// Permission to exchange DNS messages with one name server.
///
/// Written as `ns.example.com`, `ns.example.com:5353`, `192.0.2.1` or `[2001:db8::1]:53`; the port is 53 otherwise. A
/// server may be an address; it is then granted as such, special purpose or not.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DnsGrant {
    server: DnsServer,
    any_address: bool,
}

/// A name server as plugins and grants write it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct DnsServer {
    pub(crate) host: Host<String>,
    pub(crate) port: u16,
}

/// Why a text is not a host grant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a host that can be allowed: {reason}")]
pub struct HostGrantError {
    text: String,
    reason: &'static str,
}

impl HostGrantError {
    /// What is wrong with the text.
    pub fn reason(&self) -> &'static str {
        self.reason
    }
}

/// The two schemes of HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Scheme {
    Https,
    Http,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Pattern {
    Exact(Host<String>),
    /// The part after `*`, beginning with a dot.
    Below(String),
}

impl Scheme {
    pub(crate) fn default_port(self) -> u16 {
        match self {
            Self::Https => 443,
            Self::Http => 80,
        }
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Https => "https",
            Self::Http => "http",
        }
    }
}

/// What a matching host grant says about addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Public addresses and those in `cidrs`.
    Public,
    /// Wherever the name leads.
    Anywhere,
}

impl Grants {
    /// Whether a request to this host and port is granted, and how far.
    pub(crate) fn permit(&self, scheme: Scheme, host: &Host<String>, port: u16) -> Option<Reach> {
        let mut matching = self.hosts.iter().filter(|grant| grant.matches(scheme, host, port)).peekable();
        matching.peek()?;
        Some(if matching.any(|grant| grant.any_address) { Reach::Anywhere } else { Reach::Public })
    }

    /// Whether DNS messages to this server are granted, and how far.
    pub(crate) fn permit_dns(&self, server: &DnsServer) -> Option<Reach> {
        let mut matching = self.dns_servers.iter().filter(|grant| grant.server == *server).peekable();
        matching.peek()?;
        Some(if matching.any(|grant| grant.any_address) { Reach::Anywhere } else { Reach::Public })
    }

    /// Why `address` must not be connected to under `reach`; `None` when it may.
    pub(crate) fn prohibits(&self, address: IpAddr, reach: Reach) -> Option<&'static str> {
        let reason = special_purpose(address)?;
        let inner = canonical(address);
        let listed = self.cidrs.iter().any(|net| net.contains(&inner) || net.contains(&address));
        // Metadata services hand out credentials of the machine: whoever means them says so with `allowed_cidrs`.
        // Nobody means an address that hides another one.
        let meant = reach == Reach::Anywhere && !is_no_host(inner) && !is_metadata(inner) && embedded(inner).is_none();
        (!listed && !meant).then_some(reason)
    }
}

/// Addresses at which no single host answers, so that nobody can mean them.
fn is_no_host(address: IpAddr) -> bool {
    address.is_unspecified() || address.is_multicast() || address == IpAddr::V4(Ipv4Addr::BROADCAST)
}

impl HostGrant {
    /// The grant for exactly the origin of an endpoint URL that the operator set, whatever address it has. `None` when
    /// the URL is neither HTTP nor HTTPS or has no host.
    pub fn origin(url: &Url) -> Option<Self> {
        let scheme = match url.scheme() {
            "https" => Scheme::Https,
            "http" => Scheme::Http,
            _ => return None,
        };
        let host = Pattern::Exact(normal(url.host()?.to_owned()));
        Some(Self { scheme, host, port: url.port().unwrap_or(scheme.default_port()), any_address: true })
    }

    fn matches(&self, scheme: Scheme, host: &Host<String>, port: u16) -> bool {
        self.scheme == scheme
            && self.port == port
            && match (&self.host, host) {
                (Pattern::Exact(own), host) => own == host,
                (Pattern::Below(suffix), Host::Domain(name)) => name.len() > suffix.len() && name.ends_with(suffix),
                (Pattern::Below(_), _) => false,
            }
    }
}

/// Reads a host as it stands in a request or a grant; names become lower-case ASCII, odd spellings of addresses
/// (`0x7f.1`, `2130706433`) become addresses. `None` when it is neither, such as a name with an empty label or with a
/// `*`, which `%2a` would otherwise smuggle in.
pub(crate) fn parse_host(text: &str) -> Option<Host<String>> {
    let host = normal(Host::parse(text).ok()?);
    // RFC 1035 §2.3.4
    let is_label = |label: &str| (1..=63).contains(&label.len()) && !label.contains('*');
    let is_name = |name: &str| name.len() <= 253 && name.split('.').all(is_label);
    match &host {
        Host::Domain(name) if !is_name(name) => None,
        _ => Some(host),
    }
}

/// `example.com.` and `example.com` are the same host.
fn normal(host: Host<String>) -> Host<String> {
    match host {
        Host::Domain(name) => Host::Domain(name.strip_suffix('.').map(str::to_owned).unwrap_or(name)),
        address => address,
    }
}

impl FromStr for HostGrant {
    type Err = HostGrantError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text.trim()).map_err(|reason| HostGrantError { text: text.trim().to_owned(), reason })
    }
}

fn parse(text: &str) -> Result<HostGrant, &'static str> {
    let (scheme, rest) = match text.split_once("://") {
        None => (Scheme::Https, text),
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("https") => (Scheme::Https, rest),
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => (Scheme::Http, rest),
        Some(_) => return Err("the scheme must be https:// or http://"),
    };
    // A trailing slash is what browsers append when an address is copied.
    let rest = rest.strip_suffix('/').filter(|_| text.contains("://")).unwrap_or(rest);
    if rest.contains(['/', '?', '#']) {
        return Err("a grant covers a whole host: leave out the path");
    }
    if rest.contains('@') {
        return Err("leave out the user name");
    }
    let (host, port) = split_port(rest)?;
    let port = port.unwrap_or(scheme.default_port());
    if let Some(below) = host.strip_prefix("*.") {
        const LABELS: &str = "`*.` must be followed by at least two labels, for example `*.example.com`";
        if below.contains('*') {
            return Err(LABELS);
        }
        let Some(Host::Domain(name)) = parse_host(below) else {
            return Err("after `*.` comes a domain name");
        };
        if !name.contains('.') {
            return Err(LABELS);
        }
        return Ok(HostGrant { scheme, host: Pattern::Below(format!(".{name}")), port, any_address: false });
    }
    if host.contains('*') {
        return Err("`*` stands only at the beginning and for whole labels: `*.example.com`");
    }
    let host = parse_host(host).ok_or("it is no host name and no address")?;
    let any_address = !matches!(host, Host::Domain(_));
    Ok(HostGrant { scheme, host: Pattern::Exact(host), port, any_address })
}

impl DnsGrant {
    /// The same server, whatever address it has: for one that the operator named in the plugin's environment.
    #[must_use]
    pub fn at_any_address(self) -> Self {
        Self { any_address: true, ..self }
    }
}

impl FromStr for DnsGrant {
    type Err = HostGrantError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let server = DnsServer::parse(text.trim());
        let server = server.map_err(|reason| HostGrantError { text: text.trim().to_owned(), reason })?;
        let any_address = !matches!(server.host, Host::Domain(_));
        Ok(Self { server, any_address })
    }
}

impl DnsServer {
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        if text.contains(['/', '?', '#', '@', '*']) {
            return Err("a name server is written `host`, `host:port` or `[IPv6]:port`");
        }
        // An address without port needs no brackets: nothing follows it.
        if let Ok(address) = text.parse() {
            return Ok(Self { host: Host::Ipv6(address), port: 53 });
        }
        let (host, port) = split_port(text)?;
        let host = parse_host(host).ok_or("it is no host name and no address")?;
        Ok(Self { host, port: port.unwrap_or(53) })
    }
}

impl fmt::Display for DnsServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.host)?;
        if self.port == 53 { Ok(()) } else { write!(f, ":{}", self.port) }
    }
}

impl fmt::Display for DnsGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.server.fmt(f)
    }
}

fn split_port(text: &str) -> Result<(&str, Option<u16>), &'static str> {
    let end_of_host = if text.starts_with('[') { text.find(']').ok_or("`]` is missing")? } else { 0 };
    let Some(colon) = text[end_of_host..].find(':').map(|at| at + end_of_host) else {
        return Ok((text, None));
    };
    let digits = &text[colon + 1..];
    if digits.contains(':') {
        return Err("an IPv6 address is written in brackets: `[2001:db8::1]:8443`");
    }
    match digits.parse::<u16>() {
        Ok(port) if port > 0 && digits.bytes().all(|b| b.is_ascii_digit()) => Ok((&text[..colon], Some(port))),
        _ => Err("the port must be a number from 1 to 65535"),
    }
}

impl fmt::Display for HostGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.scheme == Scheme::Http {
            f.write_str("http://")?;
        }
        match &self.host {
            Pattern::Exact(host) => write!(f, "{host}")?,
            Pattern::Below(suffix) => write!(f, "*{suffix}")?,
        }
        if self.port == self.scheme.default_port() { Ok(()) } else { write!(f, ":{}", self.port) }
    }
}

#[cfg(test)]
mod tests;
