//! The `hetzner` DNS-01 provider: the zones of the Hetzner Cloud API, version 1.
//!
//! The DNS Console with its own API (`dns.hetzner.com`) ended in May 2026; its tokens (`HETZNER_API_KEY` of other
//! clients) are of no use here. Reference: <https://docs.hetzner.cloud/reference/cloud#tag/zone-rrset-actions>

mod api;

use acme_manager_plugin::{Description, Error, Key, Provider, TxtRecord, dns, env, export_provider, http};

use api::Api;

const TOKEN: &str = "HETZNER_API_TOKEN";
const BASE_URL: &str = "HETZNER_API_URL";
const DEFAULT_URL: &str = "https://api.hetzner.cloud/v1";
const PREFIX: &str = "HETZNER_";
const DEFAULT_TTL: u32 = 120;
/// The API takes nothing shorter.
const MIN_TTL: u32 = 60;

struct Hetzner {
    api: Api,
    ttl: u32,
}

impl Provider for Hetzner {
    fn describe() -> Description {
        Description::new("hetzner", env!("CARGO_PKG_VERSION"))
            .homepage("https://docs.hetzner.cloud/reference/cloud#dns")
            .host("api.hetzner.cloud")
            .key(Key::new(TOKEN).required().secret().help("Read & Write token of the project that has the zones"))
            .key(Key::new(BASE_URL).endpoint().default(DEFAULT_URL).help("Address of the API"))
            .times(PREFIX, DEFAULT_TTL, 60, 2)
            .reports_ready()
    }

    fn from_env() -> Result<Self, Error> {
        let client = http::Client::new(&env::optional_or(BASE_URL, DEFAULT_URL))?.bearer(&env::required(TOKEN)?);
        Ok(Self { api: Api::new(client), ttl: env::ttl(PREFIX, DEFAULT_TTL)? })
    }

    fn check(&self) -> Result<(), Error> {
        self.api.check()
    }

    fn present(&self, record: &TxtRecord) -> Result<String, Error> {
        let found = self.find(&dns::zone_candidates(record), record)?;
        let (zone, values) = found.ok_or_else(|| Error::zone_not_found(&record.name))?;
        let value = dns::quoted(&record.value);
        if values.contains(&value) {
            return Ok(zone);
        }
        // A TTL other than that of the set would be refused, so only a new set gets one.
        let ttl = values.is_empty().then(|| dns::ttl_or(record, self.ttl).max(MIN_TTL));
        let action = self.api.add(&zone, dns::relative_to(&record.name, &zone), &value, ttl)?;
        Ok(action.map_or_else(|| zone.clone(), |action| format!("{zone}/{action}")))
    }

    fn cleanup(&self, record: &TxtRecord, handle: &str) -> Result<(), Error> {
        let zone = handle.split('/').next().filter(|zone| !zone.is_empty());
        let zones = zone.map_or_else(|| dns::zone_candidates(record), |zone| vec![zone]);
        let value = dns::quoted(&record.value);
        match self.find(&zones, record)? {
            Some((zone, values)) if values.contains(&value) => {
                self.api.remove(&zone, dns::relative_to(&record.name, &zone), &value)
            }
            // With its zone the value is gone too.
            _ => Ok(()),
        }
    }

    fn ready(&self, _record: &TxtRecord, handle: &str) -> Result<bool, Error> {
        handle.split_once('/').map_or(Ok(true), |(_, action)| self.api.is_done(action))
    }
}

impl Hetzner {
    /// The first of these zones that the project has, and the TXT values at the name.
    fn find(&self, zones: &[&str], record: &TxtRecord) -> Result<Option<(String, Vec<String>)>, Error> {
        for zone in zones {
            if let Some(values) = self.api.values(zone, dns::relative_to(&record.name, zone))? {
                return Ok(Some(((*zone).to_owned(), values)));
            }
        }
        Ok(None)
    }
}

export_provider!(Hetzner);

#[cfg(test)]
mod tests {
    #[test]
    fn conformance() {
        acme_manager_plugin::testing::run_script::<super::Hetzner>(include_str!("../conformance.json"));
    }
}
