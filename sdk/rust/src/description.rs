//! What a provider says of itself.

use std::time::Duration;

use crate::bindings::acme_manager::dns::types as wit;
use crate::env;

/// What a provider says of itself: built with the methods below, starting from [`Description::new`].
///
/// Unless told otherwise a provider has a TTL of 120 seconds, 120 seconds of patience for propagation, looks every
/// 2 seconds, can hold several values at one name, and does not report readiness.
#[derive(Debug, Clone)]
pub struct Description(wit::Description);

impl Description {
    /// A provider with the name under which issuers refer to it (lower-case letters, digits and `-`) and its
    /// version, commonly `env!("CARGO_PKG_VERSION")`.
    pub fn new(name: &str, version: &str) -> Self {
        Self(wit::Description {
            name: name.to_owned(),
            version: version.to_owned(),
            homepage: String::new(),
            environment: Vec::new(),
            hosts: Vec::new(),
            default_ttl: 120,
            propagation_timeout: 120,
            propagation_interval: 2,
            multiple_values: true,
            reports_ready: false,
        })
    }

    /// Where the documentation is.
    #[must_use]
    pub fn homepage(mut self, url: &str) -> Self {
        url.clone_into(&mut self.0.homepage);
        self
    }

    /// A host that the provider talks to: `name`, `name:port` or `*.suffix`, meaning HTTPS.
    #[must_use]
    pub fn host(mut self, host: &str) -> Self {
        self.0.hosts.push(host.to_owned());
        self
    }

    /// An environment variable that the provider reads.
    #[must_use]
    pub fn key(mut self, key: Key) -> Self {
        self.0.environment.push(key.0);
        self
    }

    /// The TTL of records unless the host asks for another, in seconds.
    #[must_use]
    pub fn default_ttl(mut self, seconds: u32) -> Self {
        self.0.default_ttl = seconds;
        self
    }

    /// How long a change may take to show everywhere, and how often to look; whole seconds.
    #[must_use]
    pub fn propagation(mut self, timeout: Duration, interval: Duration) -> Self {
        self.0.propagation_timeout = u32::try_from(timeout.as_secs()).unwrap_or(u32::MAX);
        self.0.propagation_interval = u32::try_from(interval.as_secs()).unwrap_or(u32::MAX);
        self
    }

    /// Declares the variables `<PREFIX>TTL`, `<PREFIX>PROPAGATION_TIMEOUT` and `<PREFIX>POLLING_INTERVAL`, whole
    /// seconds, and follows them where they are set; else takes the values given here. [`env::ttl`](crate::env::ttl)
    /// reads the first of them for records.
    #[must_use]
    pub fn times(self, prefix: &str, ttl: u32, propagation_timeout: u32, polling_interval: u32) -> Self {
        self.times_of(&[prefix], ttl, propagation_timeout, polling_interval)
    }

    /// [`times`](Self::times) for a provider that has been called differently: the first prefix is the present one, and
    /// the variables are known under the others too.
    ///
    /// # Panics
    /// Without a prefix.
    #[must_use]
    pub fn times_of(self, prefixes: &[&str], ttl: u32, propagation_timeout: u32, polling_interval: u32) -> Self {
        let (prefix, others) = prefixes.split_first().expect("there is at least one prefix");
        let variable = |name: &str, default: u32, help: &str| {
            let key = Key::new(&format!("{prefix}{name}")).default(&default.to_string()).help(help);
            let key = others.iter().fold(key, |key, other| key.alias(&format!("{other}{name}")));
            // `check` reports a value that is no number; a description has no room for errors.
            (key, env::parsed(&format!("{prefix}{name}")).ok().flatten().unwrap_or(default))
        };
        let (ttl_key, ttl) = variable("TTL", ttl, "Time to live of the TXT records, in seconds");
        let (timeout_key, timeout) =
            variable("PROPAGATION_TIMEOUT", propagation_timeout, "How long a change may take to show, in seconds");
        let (interval_key, interval) = variable("POLLING_INTERVAL", polling_interval, "How often to look, in seconds");
        let mut description = self.key(ttl_key).key(timeout_key).key(interval_key).default_ttl(ttl);
        description.0.propagation_timeout = timeout;
        description.0.propagation_interval = interval;
        description
    }

    /// The vendor holds only one TXT value at a name, so the host orders one certificate name after the other.
    #[must_use]
    pub fn single_value(mut self) -> Self {
        self.0.multiple_values = false;
        self
    }

    /// [`Provider::ready`](crate::Provider::ready) is implemented.
    #[must_use]
    pub fn reports_ready(mut self) -> Self {
        self.0.reports_ready = true;
        self
    }

    /// The record as it crosses to the host, for tests to look at.
    pub fn into_wit(self) -> wit::Description {
        self.0
    }
}

/// An environment variable that a provider reads.
#[derive(Debug, Clone)]
pub struct Key(wit::EnvironmentKey);

impl Key {
    /// The record as it crosses to the host.
    #[cfg(feature = "issuance-hook")]
    pub(crate) fn into_wit(self) -> wit::EnvironmentKey {
        self.0
    }

    /// An optional variable that is neither secret nor an address.
    pub fn new(name: &str) -> Self {
        Self(wit::EnvironmentKey {
            name: name.to_owned(),
            aliases: Vec::new(),
            required: false,
            secret: false,
            endpoint: false,
            default: None,
            help: String::new(),
        })
    }

    /// Another name that means the same; the host hands the value over under the first name.
    #[must_use]
    pub fn alias(mut self, name: &str) -> Self {
        self.0.aliases.push(name.to_owned());
        self
    }

    /// The provider cannot work without it.
    #[must_use]
    pub fn required(mut self) -> Self {
        self.0.required = true;
        self
    }

    /// The value must never be seen.
    #[must_use]
    pub fn secret(mut self) -> Self {
        self.0.secret = true;
        self
    }

    /// The value is the base URL of the provider's API.
    #[must_use]
    pub fn endpoint(mut self) -> Self {
        self.0.endpoint = true;
        self
    }

    /// The value used when the variable is not set, for people to read.
    #[must_use]
    pub fn default(mut self, value: &str) -> Self {
        self.0.default = Some(value.to_owned());
        self
    }

    /// One line: what it is and where the vendor shows it.
    #[must_use]
    pub fn help(mut self, line: &str) -> Self {
        line.clone_into(&mut self.0.help);
        self
    }
}
