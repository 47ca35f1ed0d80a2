//! A conversation between a plugin and the API that it uses, written down as JSON: what the host calls, what the plugin
//! must then send, what the API answers, and what the plugin must make of it. A plugin is a DNS provider, whose API is
//! its vendor's, or an issuance hook.
//!
//! The same `conformance.json` drives a plugin twice: natively under `cargo test`
//! (`acme_manager_plugin::testing::run_script`, `run_hook_script`), and as a finished component under the real host
//! (`acme-manager-server plugin test`). It is written from the API's documentation, with its own words and fields.
//!
//! In `url`, header values and `body`, `*` stands for any run of characters: signatures and dates differ each time.
//! `README.md` has the whole format for people who write scripts.

mod answer;
mod check;
mod dns;
mod hook;
mod pattern;
mod refusal;
mod required;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

pub use answer::Answer;
pub use dns::{DnsRequest, Rcode, host as name_server_of, server_of};
pub use hook::{Challenge, ProposedOrder};
pub use pattern::matches;
pub use refusal::Refusal;

/// The scenarios that the script of every provider must have; [`Script::missing`] says what each must show.
pub const REQUIRED: [&str; 4] = ["happy path", "two values", "repeat", "cleanup by value"];
/// The scenario that a provider with one value for each name leaves out.
pub const TWO_VALUES: &str = "two values";

/// A whole `conformance.json`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Script {
    /// What the plugin finds in its environment, invented secrets included.
    pub environment: BTreeMap<String, String>,
    /// Conversations; [`REQUIRED`] names those that must be among them.
    pub scenarios: Vec<Scenario>,
    /// What the API answers to everything, and the error that `present` or `review` must then end with. Replaces the default
    /// with the same name ([`Refusal::defaults`]).
    #[serde(default)]
    pub refusals: Vec<Refusal>,
}

/// One conversation. Its steps share one imagined account.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// What it shows.
    pub name: String,
    /// Environment for this scenario alone, over that of the script; an empty value unsets a variable.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// The calls, in order. Each runs in an instance of its own, as under the host.
    pub steps: Vec<Step>,
}

/// One call of the host and all that happens in it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// The function.
    pub call: Call,
    /// Its record; needed by `present`, `cleanup` and `ready`.
    pub record: Option<Record>,
    /// What is about to be ordered; needed by `review`.
    pub order: Option<ProposedOrder>,
    /// The handle given to `cleanup` and `ready`; when left out, what the last `present` of the same value returned.
    pub with_handle: Option<String>,
    /// The requests that must come, in this order, and no others.
    #[serde(default)]
    pub exchanges: Vec<Exchange>,
    /// The handle that `present` must return; any when left out.
    pub handle: Option<String>,
    /// What `ready` must return.
    pub ready: Option<bool>,
    /// The error that the call must end with; success when left out.
    pub error: Option<ExpectedError>,
}

/// A function of the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the contract documents them")]
pub enum Call {
    Check,
    Present,
    Cleanup,
    Ready,
    Review,
}

/// A TXT record, as in the contract.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// The zone; empty when the host could not find it.
    pub zone: String,
    /// The full name.
    pub name: String,
    /// The value.
    pub value: String,
    /// Seconds; 0 for the provider's default.
    #[serde(default)]
    pub ttl: u32,
}

/// A request and its answer.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exchange {
    /// What must be sent.
    pub request: ExpectedRequest,
    /// What comes back.
    pub response: Answer,
}

/// What a request must look like. Parts that are left out are not looked at.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpectedRequest {
    /// `GET`, `POST`, ….
    pub method: String,
    /// The whole URL with its query; a pattern.
    pub url: String,
    /// Headers by lower-case name; patterns.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The body as JSON, however it is laid out.
    pub json: Option<Value>,
    /// The body as text; a pattern.
    pub body: Option<String>,
}

/// An error that a call must end with.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpectedError {
    /// The kind, as the contract spells it: `zone-not-found`; of a hook, `refused` or `failed`.
    pub kind: String,
    /// Text that the message must hold.
    pub contains: Option<String>,
    /// Seconds to wait before another try.
    pub retry_after: Option<u32>,
}

/// A request as the plugin sent it.
#[derive(Debug, Clone, Copy)]
pub struct Sent<'a> {
    /// The method.
    pub method: &'a str,
    /// The whole URL.
    pub url: &'a str,
    /// Names in lower case, and values.
    pub headers: &'a [(String, String)],
    /// The body.
    pub body: &'a [u8],
}

impl Script {
    /// Reads a script and checks that it is complete.
    ///
    /// # Errors
    /// A sentence that says where it is not a script, or what it lacks.
    pub fn parse(json: &str) -> Result<Self, String> {
        let json = json.trim_start_matches('\u{feff}');
        // The library would take a list for the fields in their order.
        if !json.trim_start().starts_with('{') {
            return Err("a script is one JSON object, `{\"environment\": {…}, \"scenarios\": […]}`".to_owned());
        }
        let script: Self = serde_json::from_str(json).map_err(|error| error.to_string())?;
        script.check()?;
        Ok(script)
    }

    /// The required scenarios that are not there or do not show what they must, each with what it needs. `two_values`
    /// says whether the provider can keep two values at a name.
    #[must_use]
    pub fn missing(&self, two_values: bool) -> Vec<String> {
        required::missing(&self.scenarios, two_values)
    }

    /// The environment of a scenario.
    #[must_use]
    pub fn environment_of(&self, scenario: &Scenario) -> BTreeMap<String, String> {
        without_unset(self.environment.iter().chain(&scenario.environment))
    }

    /// The environment where there is no scenario.
    #[must_use]
    pub fn environment_alone(&self) -> BTreeMap<String, String> {
        without_unset(self.environment.iter())
    }

    /// A record to call `present` with where the script does not say which: that of the first `present`.
    #[must_use]
    pub fn sample(&self) -> Option<&Record> {
        let steps = self.scenarios.iter().flat_map(|scenario| &scenario.steps);
        steps.filter(|step| step.call == Call::Present).find_map(|step| step.record.as_ref())
    }

    /// Whether the requests go to name servers, and none to a web server.
    #[must_use]
    pub fn speaks_dns(&self) -> bool {
        let steps = self.scenarios.iter().flat_map(|scenario| &scenario.steps);
        let mut urls = steps.flat_map(|step| &step.exchanges).map(|exchange| &exchange.request.url).peekable();
        urls.peek().is_some() && urls.all(|url| url.starts_with(dns::SCHEME))
    }

    /// The refusals to try: the defaults, replaced and followed by the script's own.
    #[must_use]
    pub fn all_refusals(&self) -> Vec<Refusal> {
        let mut all = if self.speaks_dns() { Refusal::defaults_of_name_servers() } else { Refusal::defaults() };
        if self.is_of_a_hook() {
            all.iter_mut().for_each(Refusal::leaves_open);
        }
        all.retain(|default| !self.refusals.iter().any(|own| own.name == default.name));
        all.extend(self.refusals.iter().cloned());
        all
    }
}

/// Variables, of which the later ones count and empty ones are not set.
fn without_unset<'a>(variables: impl Iterator<Item = (&'a String, &'a String)>) -> BTreeMap<String, String> {
    let mut environment: BTreeMap<_, _> = variables.map(|(name, value)| (name.clone(), value.clone())).collect();
    environment.retain(|_, value| !value.is_empty());
    environment
}

impl Call {
    /// The word of the script and of the contract.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Check => "check",
            Self::Present => "present",
            Self::Cleanup => "cleanup",
            Self::Ready => "ready",
            Self::Review => "review",
        }
    }

    fn is_about_a_record(self) -> bool {
        matches!(self, Self::Present | Self::Cleanup | Self::Ready)
    }
}

impl ExpectedRequest {
    /// Says how a request differs from this, or nothing.
    #[must_use]
    pub fn difference(&self, sent: &Sent<'_>) -> Option<String> {
        if self.method != sent.method || !matches(&self.url, sent.url) {
            return Some(format!("expected {} {}, got {} {}", self.method, self.url, sent.method, sent.url));
        }
        for (name, pattern) in &self.headers {
            let values = sent.headers.iter().filter(|(present, _)| present.eq_ignore_ascii_case(name));
            let values: Vec<&str> = values.map(|(_, value)| value.as_str()).collect();
            if !values.iter().any(|value| matches(pattern, value)) {
                return Some(format!("expected the header {name}: {pattern}, got {values:?}"));
            }
        }
        let text = String::from_utf8_lossy(sent.body);
        if let Some(json) = &self.json {
            match serde_json::from_str::<Value>(&text) {
                Ok(value) if value == *json => {}
                _ => return Some(format!("expected the body {json}, got {text}")),
            }
        }
        match &self.body {
            Some(pattern) if !matches(pattern, &text) => Some(format!("expected the body {pattern}, got {text}")),
            _ => None,
        }
    }
}

impl ExpectedError {
    /// Says how an error differs from this, or nothing.
    #[must_use]
    pub fn difference(&self, kind: &str, message: &str, retry_after: Option<u32>) -> Option<String> {
        if self.kind != kind {
            return Some(format!("expected an error of kind {}, got {kind}: {message}", self.kind));
        }
        if let Some(text) = self.contains.as_ref().filter(|text| !message.contains(*text)) {
            return Some(format!("expected {text:?} in the message, got {message:?}"));
        }
        match self.retry_after {
            Some(seconds) if retry_after != Some(seconds) => {
                Some(format!("expected retry-after {seconds}, got {retry_after:?}"))
            }
            _ => None,
        }
    }
}
