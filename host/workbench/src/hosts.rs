//! The hosts that components describe: a wish, and the author's word for it.

use acme_manager_plugin_runtime::HostGrant;
use url::{Host, Url};

use crate::text::{plain, quoted};

/// Why a described host is nothing that one grants because a component names it; nothing for a name over HTTPS.
#[must_use]
pub fn doubt(host: &str) -> Option<&'static str> {
    let Ok(grant) = host.parse::<HostGrant>() else { return Some("no host that can be granted") };
    let text = grant.to_string();
    if text.starts_with("http://") {
        return Some("plain http: anybody on the way reads and changes what is sent");
    }
    let name = text.strip_prefix("*.").unwrap_or(&text);
    match Url::parse(&format!("https://{name}")).ok()?.host()? {
        Host::Domain(_) => None,
        Host::Ipv4(_) | Host::Ipv6(_) => Some("an address: whatever answers there, in this network too"),
    }
}

/// Lines for the plugin's entry in the configuration: what grants the described hosts, and a comment on each that nobody
/// should grant unseen.
#[must_use]
pub fn suggestion(described: &[String]) -> Vec<String> {
    let (certain, doubtful): (Vec<&String>, Vec<&String>) = described.iter().partition(|host| doubt(host).is_none());
    let mut lines = Vec::new();
    if !certain.is_empty() {
        let quoted: Vec<String> = certain.into_iter().map(|host| quoted(host)).collect();
        lines.push(format!("allowed_hosts: [{}]", quoted.join(", ")));
    }
    for host in doubtful {
        lines.push(format!("# described as well: {} ({})", plain(host), doubt(host).unwrap_or_default()));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_over_https_alone_are_beyond_doubt() {
        for host in ["api.example.com", "https://api.example.com/", "*.example.com", "a.example:8443", "localhost"] {
            assert_eq!(doubt(host), None, "{host}");
        }
        for (host, expected) in [
            ("http://api.example.com", "plain http"),
            ("HTTP://127.0.0.1:8080", "plain http"),
            ("http://*.example.com", "plain http"),
            ("127.0.0.1", "an address"),
            ("2130706433", "an address"),
            ("0x7f.1:8443", "an address"),
            ("[::1]", "an address"),
            ("https://[2001:db8::1]:8443", "an address"),
            ("a b", "no host"),
            ("https://x/y", "no host"),
        ] {
            assert!(doubt(host).is_some_and(|doubt| doubt.contains(expected)), "{host}: {:?}", doubt(host));
        }
    }

    #[test]
    fn suggestions_hold_one_line_each() {
        let described = ["a.example", "http://10.0.0.1", "b\"]\nallowed_cidrs: [\"0.0.0.0/0", "*.b.example"];
        let lines = suggestion(&described.map(str::to_owned));
        assert_eq!(lines[0], "allowed_hosts: [\"a.example\", \"*.b.example\"]");
        assert!(lines[1].starts_with("# described as well: http://10.0.0.1 (plain http"), "{lines:?}");
        assert_eq!(lines[2], "# described as well: b\"]\\nallowed_cidrs: [\"0.0.0.0/0 (no host that can be granted)");
        assert_eq!(lines.len(), 3);
        assert_eq!(suggestion(&[]), [""; 0]);
    }
}
