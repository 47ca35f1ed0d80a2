//! What passes between host and plugin, as this crate's own types.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{bindings::types, grants::HostGrant};

/// One TXT value to create or remove.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TxtRecord {
    /// The zone that holds the record: lower case, no trailing dot; empty when the host could not look it up.
    pub zone: String,
    /// The full name: lower case, no trailing dot, CNAMEs already followed.
    pub name: String,
    /// The text, unquoted.
    pub value: String,
    /// The time to live in seconds; 0 means the provider's default.
    pub ttl: u32,
}

/// One environment variable that a provider reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvironmentKey {
    /// The name under which the plugin reads it.
    pub name: String,
    /// Other names that mean the same, most preferred first.
    pub aliases: Vec<String>,
    /// Whether the provider cannot work without it.
    pub required: bool,
    /// Whether the value must never be seen.
    pub secret: bool,
    /// Whether the value is the base URL of the provider's API.
    pub endpoint: bool,
    /// The value used when the key is not set.
    pub default: Option<String>,
    /// One line of help.
    pub help: String,
}

/// What a provider says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// The name under which issuers refer to the provider.
    pub name: String,
    /// The provider's own version.
    pub version: String,
    /// Where its documentation is.
    pub homepage: String,
    /// Every environment variable it reads.
    pub environment: Vec<EnvironmentKey>,
    /// The hosts it talks to, in the grammar of [`HostGrant`](crate::HostGrant).
    pub hosts: Vec<String>,
    /// The time to live that it gives records unless asked for another, in seconds.
    pub default_ttl: u32,
    /// How long a change may take until all of the vendor's name servers show it.
    pub propagation_timeout: Duration,
    /// How often to look.
    pub propagation_interval: Duration,
    /// Whether two TXT values can live at one name.
    pub multiple_values: bool,
    /// Whether [`Plugin::ready`](crate::Plugin::ready) is meaningful.
    pub reports_ready: bool,
}

/// What a component says of itself, whichever world it is made for.
#[derive(Debug, Clone, Copy)]
#[expect(missing_docs, reason = "the fields are those of the descriptions")]
pub struct About<'a> {
    pub name: &'a str,
    pub version: &'a str,
    pub homepage: &'a str,
    pub environment: &'a [EnvironmentKey],
    pub hosts: &'a [String],
}

/// Bounds of what is kept of a description; far above any honest one.
const MAX_KEYS: usize = 128;
const MAX_HOSTS: usize = 128;
const MAX_TEXT_BYTES: usize = 4096;
const MAX_OWN_NAME_BYTES: usize = 64;
const MAX_NAME_BYTES: usize = 128;

impl Description {
    /// The part that descriptions of all worlds have.
    #[must_use]
    pub fn about(&self) -> About<'_> {
        let Self { name, version, homepage, environment, hosts, .. } = self;
        About { name, version, homepage, environment, hosts }
    }

    /// Takes over a guest's description, or says what is wrong with it.
    pub(crate) fn accept(raw: types::Description) -> Result<Self, String> {
        let types::Description { name, version, homepage, environment, hosts, .. } = raw;
        let environment = accept(&name, [&version, &homepage], environment, &hosts)?;
        Ok(Self {
            name,
            version,
            homepage,
            environment,
            hosts,
            default_ttl: raw.default_ttl,
            propagation_timeout: Duration::from_secs(raw.propagation_timeout.into()),
            propagation_interval: Duration::from_secs(raw.propagation_interval.into()),
            multiple_values: raw.multiple_values,
            reports_ready: raw.reports_ready,
        })
    }
}

/// Checks what the descriptions of all worlds have in common, or says what is wrong with it.
pub(crate) fn accept(
    name: &str,
    texts: [&String; 2],
    environment: Vec<types::EnvironmentKey>,
    hosts: &[String],
) -> Result<Vec<EnvironmentKey>, String> {
    let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    // Nothing is cut: what looks for secrets in the text would miss those at the cut.
    if name.len() > MAX_OWN_NAME_BYTES {
        return Err(format!("its name has {} bytes, more than {MAX_OWN_NAME_BYTES}", name.len()));
    }
    if name.is_empty() || !name.chars().all(is_name) {
        return Err(format!("its name `{name}` is not made of a-z, 0-9 and `-`"));
    }
    if environment.len() > MAX_KEYS {
        return Err(format!("it names {} environment keys, more than {MAX_KEYS}", environment.len()));
    }
    if hosts.len() > MAX_HOSTS {
        return Err(format!("it names {} hosts, more than {MAX_HOSTS}", hosts.len()));
    }
    let environment = environment.into_iter().map(EnvironmentKey::accept).collect::<Result<_, _>>()?;
    if let Some(long) = texts.into_iter().chain(hosts).find(|text| text.len() > MAX_TEXT_BYTES) {
        return Err(format!("it contains a text of {} bytes", long.len()));
    }
    for host in hosts {
        if let Err(error) = host.parse::<HostGrant>() {
            // A text as long as this is no name that anybody looks for, and not cut either.
            let shown = match host.len() {
                0..=MAX_NAME_BYTES => format!("the host `{host}`"),
                length => format!("a host of {length} bytes"),
            };
            return Err(format!("it names {shown}, which nobody can grant: {}", error.reason()));
        }
    }
    Ok(environment)
}

/// Applies `f` to every text of a description that people get to read.
pub(crate) fn map_texts(
    f: &impl Fn(&str) -> String,
    texts: [&mut String; 2],
    hosts: &mut [String],
    environment: &mut [EnvironmentKey],
) {
    let keys = environment.iter_mut().flat_map(|key| [Some(&mut key.help), key.default.as_mut()]);
    for text in texts.into_iter().chain(hosts).chain(keys.flatten()) {
        *text = f(text);
    }
}

impl EnvironmentKey {
    fn accept(raw: types::EnvironmentKey) -> Result<Self, String> {
        for name in std::iter::once(&raw.name).chain(&raw.aliases) {
            if name.len() > MAX_NAME_BYTES {
                return Err(format!(
                    "one of its environment keys has {} bytes, more than {MAX_NAME_BYTES}",
                    name.len()
                ));
            }
            if !is_environment_name(name) {
                return Err(format!("its environment key `{name}` is not made of A-Z, a-z, 0-9 and `_`"));
            }
        }
        if raw.aliases.len() > MAX_KEYS || raw.help.len() > MAX_TEXT_BYTES {
            return Err(format!("its environment key {} has more aliases or help than is kept", raw.name));
        }
        Ok(Self {
            name: raw.name,
            aliases: raw.aliases,
            required: raw.required,
            secret: raw.secret,
            endpoint: raw.endpoint,
            default: raw.default,
            help: raw.help,
        })
    }
}

/// Whether `name` can name an environment variable.
pub(crate) fn is_environment_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= MAX_NAME_BYTES && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

impl From<&TxtRecord> for types::TxtRecord {
    fn from(record: &TxtRecord) -> Self {
        let TxtRecord { zone, name, value, ttl } = record.clone();
        Self { zone, name, value, ttl }
    }
}
