//! The `dnsimple` DNS-01 provider: `DNSimple`'s API, version 2.
//!
//! Reference: <https://developer.dnsimple.com/v2/zones/records/>

mod api;

use acme_manager_plugin::{Description, Error, ErrorKind, Key, Provider, TxtRecord, dns, env, export_provider, http};

use api::{Api, Place};

const TOKEN: &str = "DNSIMPLE_OAUTH_TOKEN";
const BASE_URL: &str = "DNSIMPLE_BASE_URL";
const DEFAULT_URL: &str = "https://api.dnsimple.com";
const PREFIX: &str = "DNSIMPLE_";

struct DnSimple {
    api: Api,
    ttl: u32,
}

impl Provider for DnSimple {
    fn describe() -> Description {
        Description::new("dnsimple", env!("CARGO_PKG_VERSION"))
            .homepage("https://developer.dnsimple.com/v2/")
            .host("api.dnsimple.com")
            .key(Key::new(TOKEN).required().secret().help("Access token of an account, not of a user"))
            .key(Key::new(BASE_URL).endpoint().default(DEFAULT_URL).help("Address of the API, without /v2"))
            .times(PREFIX, 120, 60, 2)
    }

    fn from_env() -> Result<Self, Error> {
        let client = http::Client::new(&env::optional_or(BASE_URL, DEFAULT_URL))?;
        Ok(Self { api: Api::new(client.bearer(&env::required(TOKEN)?)), ttl: env::ttl(PREFIX, 120)? })
    }

    fn check(&self) -> Result<(), Error> {
        self.api.account().map(drop)
    }

    fn present(&self, record: &TxtRecord) -> Result<String, Error> {
        let account = self.api.account()?;
        let zone = self.api.zone(account, record)?;
        let found = self.api.find(account, &zone, record)?.first().copied();
        let ttl = dns::ttl_or(record, self.ttl);
        let id = found.map_or_else(|| self.api.create(account, &zone, record, ttl), Ok)?;
        Ok(Place { account, zone: &zone, id }.to_handle())
    }

    fn cleanup(&self, record: &TxtRecord, handle: &str) -> Result<(), Error> {
        if let Some(place) = Place::from_handle(handle) {
            return self.api.delete(&place);
        }
        let account = self.api.account()?;
        let zone = match self.api.zone(account, record) {
            // With its zone the value is gone too.
            Err(error) if error.kind() == ErrorKind::ZoneNotFound => return Ok(()),
            zone => zone?,
        };
        let mut found = self.api.find(account, &zone, record)?.into_iter();
        found.try_for_each(|id| self.api.delete(&Place { account, zone: &zone, id }))
    }
}

export_provider!(DnSimple);

#[cfg(test)]
mod tests {
    #[test]
    fn conformance() {
        acme_manager_plugin::testing::run_script::<super::DnSimple>(include_str!("../conformance.json"));
    }
}
