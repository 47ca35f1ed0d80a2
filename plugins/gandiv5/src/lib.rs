//! The `gandiv5` DNS-01 provider: Gandi's LiveDNS API, version 5.
//!
//! The API knows whole record sets only, so each change reads the set and writes it back.
//! Reference: <https://api.gandi.net/docs/livedns/>

use acme_manager_plugin::{Description, Error, Key, Provider, TxtRecord, dns, env, export_provider, http};
use serde::{Deserialize, Serialize};

const TOKEN: &str = "GANDIV5_PERSONAL_ACCESS_TOKEN";
const API_KEY: &str = "GANDIV5_API_KEY";
const BASE_URL: &str = "GANDIV5_API_URL";
const DEFAULT_URL: &str = "https://api.gandi.net/v5/livedns";
const PREFIX: &str = "GANDIV5_";

/// The API takes nothing shorter.
const MIN_TTL: u32 = 300;

struct Gandi {
    api: http::Client,
    ttl: u32,
}

#[derive(Serialize, Deserialize)]
struct RecordSet {
    /// A set that is written without it gets 10800.
    rrset_ttl: u32,
    rrset_values: Vec<String>,
}

impl Provider for Gandi {
    fn describe() -> Description {
        Description::new("gandiv5", env!("CARGO_PKG_VERSION"))
            .homepage("https://api.gandi.net/docs/livedns/")
            .host("api.gandi.net")
            .key(Key::new(TOKEN).secret().help("Personal access token that may manage the technical configuration"))
            .key(Key::new(API_KEY).secret().help("API key, deprecated by Gandi; not used where there is a token"))
            .key(Key::new(BASE_URL).endpoint().default(DEFAULT_URL).help("Address of the API"))
            .times(PREFIX, MIN_TTL, 1200, 20)
    }

    fn from_env() -> Result<Self, Error> {
        let api = http::Client::new(&env::optional_or(BASE_URL, DEFAULT_URL))?;
        let api = match (env::optional(TOKEN), env::optional(API_KEY)) {
            (Some(token), _) => api.bearer(&token),
            (None, Some(key)) => api.header("authorization", &format!("Apikey {key}")),
            (None, None) => return Err(Error::config(format!("set {TOKEN}"))),
        };
        Ok(Self { api, ttl: env::ttl(PREFIX, MIN_TTL)? })
    }

    fn check(&self) -> Result<(), Error> {
        self.api.get("domains").query("per_page", "1").send().map(drop)
    }

    fn present(&self, record: &TxtRecord) -> Result<String, Error> {
        let zone = self.zone(record)?;
        let path = path(&zone, record);
        let new = || RecordSet { rrset_ttl: dns::ttl_or(record, self.ttl).max(MIN_TTL), rrset_values: Vec::new() };
        let mut set = self.set(&path)?.unwrap_or_else(new);
        if !set.rrset_values.iter().any(|value| dns::is_value(value, record)) {
            set.rrset_values.push(dns::quoted(&record.value));
            self.api.put(&path).json(&set).send()?;
        }
        Ok(zone)
    }

    fn cleanup(&self, record: &TxtRecord, handle: &str) -> Result<(), Error> {
        let zone = if handle.is_empty() { self.zone(record) } else { Ok(handle.to_owned()) };
        // With its zone the value is gone too.
        let Some(zone) = dns::found(zone)? else { return Ok(()) };
        let path = path(&zone, record);
        let Some(mut set) = self.set(&path)? else { return Ok(()) };
        if set.rrset_values.extract_if(.., |value| dns::is_value(value, record)).count() == 0 {
            return Ok(());
        }
        let request = if set.rrset_values.is_empty() { self.api.delete(&path) } else { self.api.put(&path).json(&set) };
        request.accept(404).send().map(drop)
    }
}

impl Gandi {
    fn zone(&self, record: &TxtRecord) -> Result<String, Error> {
        dns::find_zone(record, |zone| {
            let answer = self.api.get(&format!("domains/{}", http::segment(zone))).accept(404).send()?;
            Ok(answer.is_success().then(|| zone.to_owned()))
        })
    }

    fn set(&self, path: &str) -> Result<Option<RecordSet>, Error> {
        let response = self.api.get(path).accept(404).send()?;
        response.is_success().then(|| response.json()).transpose()
    }
}

fn path(zone: &str, record: &TxtRecord) -> String {
    let name = dns::relative_to(&record.name, zone);
    format!("domains/{}/records/{}/TXT", http::segment(zone), http::segment(name))
}

export_provider!(Gandi);

#[cfg(test)]
mod tests {
    #[test]
    fn conformance() {
        acme_manager_plugin::testing::run_script::<super::Gandi>(include_str!("../conformance.json"));
    }
}
