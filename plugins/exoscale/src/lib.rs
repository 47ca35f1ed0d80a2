//! The `exoscale` DNS-01 provider: DNS zones at Exoscale, API version 2.
//!
//! Reference: <https://community.exoscale.com/reference/api/dns>

mod api;
mod sign;

use acme_manager_plugin::{Description, Error, Key, Provider, TxtRecord, dns, env, export_provider, http};

use api::Api;
use sign::Signer;

const API_KEY: &str = "EXOSCALE_API_KEY";
const API_SECRET: &str = "EXOSCALE_API_SECRET";
const ENDPOINT: &str = "EXOSCALE_ENDPOINT";
const DEFAULT_URL: &str = "https://api-ch-gva-2.exoscale.com/v2";
const PREFIX: &str = "EXOSCALE_";
const DEFAULT_TTL: u32 = 120;

struct Exoscale {
    api: Api,
    ttl: u32,
}

/// A zone of the account.
struct Zone<'a> {
    id: String,
    name: &'a str,
}

impl Provider for Exoscale {
    fn describe() -> Description {
        Description::new("exoscale", env!("CARGO_PKG_VERSION"))
            .homepage("https://community.exoscale.com/product/networking/dns/")
            .host("api-ch-gva-2.exoscale.com")
            .key(Key::new(API_KEY).required().help("API key whose role may list zones and change records"))
            .key(Key::new(API_SECRET).required().secret().help("Secret of the API key"))
            .key(Key::new(ENDPOINT).endpoint().default(DEFAULT_URL).help("Address of the API in one of the zones"))
            .times(PREFIX, DEFAULT_TTL, 60, 2)
    }

    fn from_env() -> Result<Self, Error> {
        let signer = Signer { key: env::required(API_KEY)?, secret: env::required(API_SECRET)? };
        let client = http::Client::new(&env::optional_or(ENDPOINT, DEFAULT_URL))?;
        let client = client.sign_with(move |request| {
            signer.sign(request);
            Ok(())
        });
        Ok(Self { api: Api::new(client), ttl: env::ttl(PREFIX, DEFAULT_TTL)? })
    }

    fn check(&self) -> Result<(), Error> {
        self.api.domains().map(drop)
    }

    fn present(&self, record: &TxtRecord) -> Result<String, Error> {
        let missing = || Error::zone_not_found(&record.name);
        let Zone { id, name } = self.zone(record)?.ok_or_else(missing)?;
        let name = api::relative(record, name);
        if self.api.find(&id, name, &record.value)?.ok_or_else(missing)?.is_empty() {
            self.api.create(&id, name, &record.value, dns::ttl_or(record, self.ttl))?;
        }
        Ok(format!("{id}/{name}"))
    }

    fn cleanup(&self, record: &TxtRecord, handle: &str) -> Result<(), Error> {
        let (zone, name) = match handle.split_once('/') {
            Some((zone, name)) => (zone.to_owned(), name),
            None => match self.zone(record)? {
                Some(zone) => (zone.id, api::relative(record, zone.name)),
                // With its zone the value is gone too.
                None => return Ok(()),
            },
        };
        // Looked for by its value: a creation that took too long may have been tried again, and have come about twice.
        let found = self.api.find(&zone, name, &record.value)?.unwrap_or_default();
        found.iter().try_for_each(|id| self.api.delete(&zone, id))
    }
}

impl Exoscale {
    /// The zone that holds the record.
    fn zone<'a>(&self, record: &'a TxtRecord) -> Result<Option<Zone<'a>>, Error> {
        let domains = self.api.domains()?;
        let id = |name: &str| domains.iter().find(|domain| domain.unicode_name == name).map(|domain| domain.id.clone());
        Ok(dns::zone_candidates(record).into_iter().find_map(|name| Some(Zone { id: id(name)?, name })))
    }
}

export_provider!(Exoscale);

#[cfg(test)]
mod tests;
