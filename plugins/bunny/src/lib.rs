//! The `bunny` DNS-01 provider: DNS zones at bunny.net.
//!
//! Reference: <https://docs.bunny.net/api-reference/core/dns-zone/list-dns-zones>

mod api;

use acme_manager_plugin::{Description, Error, ErrorKind, Key, Provider, TxtRecord, dns, env, export_provider, http};

use api::Api;

const API_KEY: &str = "BUNNY_API_KEY";
const BASE_URL: &str = "BUNNY_API_URL";
const DEFAULT_URL: &str = "https://api.bunny.net";
const PREFIX: &str = "BUNNY_";

struct Bunny {
    api: Api,
    ttl: u32,
}

impl Provider for Bunny {
    fn describe() -> Description {
        Description::new("bunny", env!("CARGO_PKG_VERSION"))
            .homepage("https://docs.bunny.net/api-reference/core/dns-zone/list-dns-zones")
            .host("api.bunny.net")
            .key(Key::new(API_KEY).required().secret().help("API key of the account, from its settings"))
            .key(Key::new(BASE_URL).endpoint().default(DEFAULT_URL).help("Address of the API"))
            .times(PREFIX, 60, 120, 2)
    }

    fn from_env() -> Result<Self, Error> {
        let client = http::Client::new(&env::optional_or(BASE_URL, DEFAULT_URL))?;
        Ok(Self { api: Api::new(client.header("accesskey", &env::required(API_KEY)?)), ttl: env::ttl(PREFIX, 60)? })
    }

    fn check(&self) -> Result<(), Error> {
        self.api.check()
    }

    fn present(&self, record: &TxtRecord) -> Result<String, Error> {
        let zone = self.api.zone(record)?;
        let found = zone.find(record).next();
        let id = found.map_or_else(|| self.api.create(&zone, record, dns::ttl_or(record, self.ttl)), Ok)?;
        Ok(format!("{}/{id}", zone.id))
    }

    fn cleanup(&self, record: &TxtRecord, handle: &str) -> Result<(), Error> {
        if let Some((zone, id)) = handle.split_once('/') {
            return self.api.delete(zone, id);
        }
        let zone = match self.api.zone(record) {
            // With its zone the value is gone too.
            Err(error) if error.kind() == ErrorKind::ZoneNotFound => return Ok(()),
            zone => zone?,
        };
        zone.find(record).try_for_each(|id| self.api.delete(&zone.id.to_string(), &id.to_string()))
    }
}

export_provider!(Bunny);

#[cfg(test)]
mod tests {
    #[test]
    fn conformance() {
        acme_manager_plugin::testing::run_script::<super::Bunny>(include_str!("../conformance.json"));
    }
}
