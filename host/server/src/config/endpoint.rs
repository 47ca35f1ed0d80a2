//! Addresses of services that are sent credentials: HTTPS, or HTTP to this very machine.

use url::{Host, Url};

use super::section::Section;

/// The URL at `key`; mistakes are noted, plain HTTP to the loopback is a warning.
pub(super) fn read(section: &Section<'_>, key: &str) -> Option<Url> {
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
