//! Why a challenge could not be solved.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use acme_manager_plugin_runtime::{CallError, ErrorKind};

use crate::names::{DomainName, ProviderName};

/// Why a challenge could not be solved, grouped by blame.
#[derive(Debug, thiserror::Error)]
pub enum ChallengeError {
    // The caller.
    /// DNS-01 is defined for DNS names alone (RFC 8738 §7).
    #[error("DNS-01 cannot prove control over the IP address {address}: use an HTTP challenge for it")]
    IpAddress {
        /// The identifier.
        address: IpAddr,
    },
    /// The domain leaves no room for the label that the challenge adds.
    #[error("{domain} is too long for a DNS-01 challenge: _acme-challenge.{domain} has more than 253 characters")]
    NameTooLong {
        /// The domain.
        domain: DomainName,
    },
    /// No provider of that name is configured or bundled.
    #[error("there is no DNS provider {name}{}", Suggestion { nearest: nearest.as_ref(), available })]
    UnknownProvider {
        /// What was asked for.
        name: ProviderName,
        /// The configured name that looks most like it.
        nearest: Option<ProviderName>,
        /// All that would be accepted.
        available: Vec<ProviderName>,
    },

    // The operator's plugin.
    /// The plugin did not load.
    #[error("the DNS provider {name} is not usable: {reason}")]
    ProviderUnusable {
        /// The plugin.
        name: ProviderName,
        /// Why it did not load.
        reason: String,
    },
    /// The plugin said no.
    #[error("the DNS provider {provider} refused to {action} the TXT record {fqdn}: {message}")]
    Refused {
        /// The plugin.
        provider: ProviderName,
        /// What it was asked to do.
        action: &'static str,
        /// The name of the record.
        fqdn: String,
        /// The plugin's classification.
        kind: ErrorKind,
        /// The plugin's words.
        message: String,
        /// How long the vendor wants to be left alone.
        retry_after: Option<Duration>,
        /// Whether another try may end otherwise: not where the sandbox kept something from the plugin.
        retryable: bool,
    },
    /// The plugin broke, or ran into one of its limits.
    #[error("the DNS provider {provider} failed when it should {action} the TXT record {fqdn}")]
    Broken {
        /// The plugin.
        provider: ProviderName,
        /// What it was asked to do.
        action: &'static str,
        /// The name of the record.
        fqdn: String,
        /// How it broke.
        #[source]
        source: Box<CallError>,
    },

    // The DNS of the domain.
    /// A chain of CNAME records comes back to where it has been.
    #[error("the CNAME records of {fqdn} form a loop at {at}")]
    AliasLoop {
        /// Where the chain began.
        fqdn: String,
        /// The name that came up twice.
        at: String,
    },
    /// A chain of CNAME records is longer than anybody needs.
    #[error("the chain of CNAME records of {fqdn} has more than {limit} links")]
    AliasChainTooLong {
        /// Where the chain began.
        fqdn: String,
        /// The most links that are followed.
        limit: usize,
    },
    /// A CNAME points at a name that cannot hold a challenge.
    #[error("the CNAME record of {fqdn} points at {target:?}, which is not a host name")]
    AliasTarget {
        /// The name of the CNAME record.
        fqdn: String,
        /// Where it points, escaped.
        target: String,
    },
    /// Nobody is responsible for the name.
    #[error("no DNS zone holds {fqdn}: is the domain registered and delegated, and do the DNS resolvers see it?")]
    ZoneNotFound {
        /// The name.
        fqdn: String,
    },
    /// The resolvers did not answer a question.
    #[error("DNS lookup of {record_type} {name} failed: {detail}")]
    Lookup {
        /// The name asked for.
        name: String,
        /// The record type asked for.
        record_type: String,
        /// What each resolver said.
        detail: String,
    },
    /// The value was placed, but did not show up in time.
    #[error("not visible in the DNS after {} s: {}", waited.as_secs(), Listing(missing))]
    NotVisible {
        /// How long was waited.
        waited: Duration,
        /// What was missing where.
        missing: Vec<Invisible>,
    },

    // Ourselves.
    /// Neither the config nor the system names a resolver.
    #[error("no DNS resolver is known ({detail}): set ACME_MANAGER_DNS_RESOLVERS")]
    NoResolvers {
        /// What was wrong with the system's configuration.
        detail: String,
    },
    /// Another order is using the name.
    #[error("the TXT record {fqdn} of the DNS provider {provider} was in use by another order for {} s", waited.as_secs())]
    Busy {
        /// The plugin.
        provider: ProviderName,
        /// The name of the record.
        fqdn: String,
        /// How long was waited.
        waited: Duration,
    },
    /// Too many HTTP-01 answers at once.
    #[error("more than {capacity} HTTP-01 challenges are waiting for the CA")]
    Http01Full {
        /// The most answers kept.
        capacity: usize,
    },
}

/// A value that one server did not show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invisible {
    /// The name of the TXT record.
    pub fqdn: String,
    /// Who was asked: name and address, or the plugin.
    pub server: String,
    /// What it showed instead.
    pub shown: String,
}

impl ChallengeError {
    /// Sorts what a plugin call came back with.
    pub(super) fn from_call(provider: &ProviderName, action: &'static str, fqdn: &str, source: CallError) -> Self {
        let (provider, fqdn, retryable) = (provider.clone(), fqdn.to_owned(), source.retryable());
        match source {
            CallError::Refused { kind, message, retry_after, denied, .. } => {
                // What the sandbox kept from the plugin is the likely reason of its refusal.
                let message = denied.map_or(message.clone(), |denied| format!("{message}; {denied}"));
                Self::Refused { provider, action, fqdn, kind, message, retry_after, retryable }
            }
            source => Self::Broken { provider, action, fqdn, source: Box::new(source) },
        }
    }

    /// Whether the same attempt may succeed later without anybody mending anything.
    #[must_use]
    pub fn retryable(&self) -> bool {
        match self {
            Self::IpAddress { .. }
            | Self::NameTooLong { .. }
            | Self::UnknownProvider { .. }
            | Self::ProviderUnusable { .. }
            | Self::AliasLoop { .. }
            | Self::AliasChainTooLong { .. }
            | Self::AliasTarget { .. }
            | Self::ZoneNotFound { .. }
            | Self::NoResolvers { .. } => false,
            Self::Refused { retryable, .. } => *retryable,
            Self::Broken { source, .. } => source.retryable(),
            Self::Lookup { .. } | Self::NotVisible { .. } | Self::Busy { .. } | Self::Http01Full { .. } => true,
        }
    }

    /// How long the vendor wants to be left alone, if it said so.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

struct Suggestion<'a> {
    nearest: Option<&'a ProviderName>,
    available: &'a [ProviderName],
}

impl fmt::Display for Suggestion<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(nearest) = self.nearest {
            write!(f, "; did you mean {nearest}?")?;
        }
        let available: Vec<&str> = self.available.iter().map(ProviderName::as_str).collect();
        match available.as_slice() {
            [] => f.write_str("; none is configured"),
            names => write!(f, "; available: {}", names.join(", ")),
        }
    }
}

/// An error text is read by people: the first few servers tell the story.
const LISTED: usize = 8;

struct Listing<'a>(&'a [Invisible]);

impl fmt::Display for Listing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, Invisible { fqdn, server, shown }) in self.0.iter().take(LISTED).enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(f, "{separator}{fqdn} at {server}: {shown}")?;
        }
        match self.0.len().saturating_sub(LISTED) {
            0 => Ok(()),
            more => write!(f, "; and {more} more"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_sandbox_kept_from_a_plugin_is_not_tried_again() {
        let provider: ProviderName = "pdns".parse().expect("a name");
        let refused = |denied: Option<&str>| CallError::Refused {
            plugin: "pdns".into(),
            kind: ErrorKind::Unavailable,
            message: "no answer".into(),
            retry_after: None,
            denied: denied.map(str::to_owned),
        };
        let error = ChallengeError::from_call(&provider, "place", "_acme-challenge.a.test", refused(None));
        assert!(error.retryable(), "{error}");
        let denied = refused(Some("it may not reach dns.test: `allowed_hosts`"));
        let error = ChallengeError::from_call(&provider, "place", "_acme-challenge.a.test", denied);
        assert!(
            !error.retryable() && error.to_string().ends_with("no answer; it may not reach dns.test: `allowed_hosts`")
        );
    }
}
