//! Addresses of services that are sent credentials: HTTPS, or HTTP where that is known to be meant.

use url::{Host, Url};

use super::section::Section;

/// Where plain HTTP is accepted, with a warning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PlainHttp {
    /// To this machine alone: RFC 8555 §6.1 asks a CA for HTTPS.
    Loopback,
    /// To any host: installations reach Vault over a private network or a local proxy, and must go on working.
    Anywhere,
}

/// The URL at `key`; mistakes are noted.
pub(super) fn read(section: &Section<'_>, key: &str, plain: PlainHttp) -> Option<Url> {
    let text = section.required_text(key)?;
    let url = match Url::parse(&text) {
        Ok(url) if url.has_host() => url,
        Ok(_) => {
            section.mistake(key, "expected a URL such as https://host/path, but no host is named");
            return None;
        }
        Err(error) => {
            // Without the text: an address that does not parse may hold a password.
            section.mistake(key, format!("expected a URL such as https://host/path: {error}"));
            return None;
        }
    };
    if !url.username().is_empty() || url.password().is_some() {
        section.mistake(key, "must not hold a user name or password");
        return None;
    }
    match url.scheme() {
        "https" => Some(url),
        "http" if is_loopback(&url) => {
            section.warning(key, "plain HTTP: accepted because the host is this machine");
            Some(url)
        }
        "http" if plain == PlainHttp::Anywhere => {
            section.warning(key, "plain HTTP: credentials and keys cross the network in clear; use https");
            Some(url)
        }
        "http" => {
            section.mistake(key, format!("expected https, got {text:?}; plain http is allowed to loopback hosts only"));
            None
        }
        scheme => {
            section.mistake(key, format!("expected a URL with https, got the scheme {scheme:?}"));
            None
        }
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => false,
    }
}
