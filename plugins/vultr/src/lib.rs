//! The `vultr` DNS-01 provider: Vultr's API, version 2.
//!
//! Reference: <https://www.vultr.com/api/#tag/dns>

mod api;

use acme_manager_plugin::{Description, Error, ErrorKind, Key, Provider, TxtRecord, dns, env, export_provider, http};

use api::{Api, Record};

const API_KEY: &str = "VULTR_API_KEY";
const BASE_URL: &str = "VULTR_API_URL";
const DEFAULT_URL: &str = "https://api.vultr.com";
const PREFIX: &str = "VULTR_";
const DEFAULT_TTL: u32 = 120;

struct Vultr {
    api: Api,
    ttl: u32,
}

impl Provider for Vultr {
    fn describe() -> Description {
        Description::new("vultr", env!("CARGO_PKG_VERSION"))
            .homepage("https://www.vultr.com/api/#tag/dns")
            .host("api.vultr.com")
            .key(
                Key::new(API_KEY).required().secret().help("API key; the server's addresses must be allowed to use it"),
            )
            .key(Key::new(BASE_URL).endpoint().default(DEFAULT_URL).help("Address of the API"))
            .times(PREFIX, DEFAULT_TTL, 60, 2)
    }

    fn from_env() -> Result<Self, Error> {
        let client = http::Client::new(&env::optional_or(BASE_URL, DEFAULT_URL))?.bearer(&env::required(API_KEY)?);
        Ok(Self { api: Api::new(client), ttl: env::ttl(PREFIX, DEFAULT_TTL)? })
    }

    fn check(&self) -> Result<(), Error> {
        self.api.check()
    }

    fn present(&self, record: &TxtRecord) -> Result<String, Error> {
        let zone = self.zone(record)?;
        let records = self.api.records_at(&zone, name_in(&zone, record))?;
        if let Some(found) = records.iter().find(|found| found.value() == record.value) {
            return Ok(handle(&zone, found));
        }
        // Records at one name have one TTL; another one is refused.
        let ttl = records.first().map_or_else(|| dns::ttl_or(record, self.ttl), |first| first.ttl);
        Ok(handle(&zone, &self.api.create(&zone, name_in(&zone, record), &record.value, ttl)?))
    }

    fn cleanup(&self, record: &TxtRecord, handle: &str) -> Result<(), Error> {
        if let Some((zone, id)) = handle.split_once('/') {
            match self.api.delete(zone, id) {
                // The reference promises "a 4xx error" for a record that is gone, so look whether it is.
                Err(error) if error.kind() == ErrorKind::Rejected => {}
                deleted => return deleted,
            }
        }
        let zone = match self.zone(record) {
            // With its zone the value is gone too.
            Err(error) if error.kind() == ErrorKind::ZoneNotFound => return Ok(()),
            zone => zone?,
        };
        let mut records = self.api.records_at(&zone, name_in(&zone, record))?;
        records.retain(|found| found.value() == record.value);
        records.iter().try_for_each(|found| self.api.delete(&zone, &found.id))
    }
}

impl Vultr {
    /// From the list of all domains: how a single one is missed is not documented.
    fn zone(&self, record: &TxtRecord) -> Result<String, Error> {
        let domains = self.api.domains()?;
        let mut candidates = dns::zone_candidates(record).into_iter();
        let zone = candidates.find(|zone| domains.iter().any(|domain| domain.eq_ignore_ascii_case(zone)));
        zone.map(str::to_owned).ok_or_else(|| Error::zone_not_found(&record.name))
    }
}

/// The name relative to the zone; that of the zone itself is empty.
fn name_in<'a>(zone: &str, record: &'a TxtRecord) -> &'a str {
    Some(dns::relative_to(&record.name, zone)).filter(|name| *name != "@").unwrap_or_default()
}

fn handle(zone: &str, record: &Record) -> String {
    format!("{zone}/{}", record.id)
}

export_provider!(Vultr);

#[cfg(test)]
mod tests {
    #[test]
    fn conformance() {
        acme_manager_plugin::testing::run_script::<super::Vultr>(include_str!("../conformance.json"));
    }
}
