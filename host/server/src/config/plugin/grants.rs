//! The lists of what a plugin may reach.

use std::net::IpAddr;

use acme_manager_plugin_runtime::{DnsGrant, HostGrant};
use ipnet::IpNet;
use url::{Host, Url};

use crate::config::section::{Notes, Section, scalar};
use crate::config::tree::{Node, Show};

pub(super) fn read_items<T>(
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

pub(super) fn parse_host(text: &str) -> Result<String, &'static str> {
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

pub(super) fn parse_name_server(text: &str) -> Result<String, &'static str> {
    text.parse::<DnsGrant>().map(|_| text.to_owned()).map_err(|error| error.reason())
}

pub(super) fn parse_network(text: &str) -> Result<IpNet, &'static str> {
    const EXPECTED: &str = "expected a network such as `10.0.0.0/8` or `fd00::/8`";
    match text.parse::<IpNet>() {
        Ok(network) => Ok(network.trunc()),
        Err(_) => text.parse::<IpAddr>().map(IpNet::from).map_err(|_| EXPECTED),
    }
}
