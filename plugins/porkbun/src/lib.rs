//! The `porkbun` DNS-01 provider: Porkbun's API, version 3.
//!
//! Reference: <https://porkbun.com/api/json/v3/documentation>

mod api;

use acme_manager_plugin::{Description, Error, ErrorKind, Key, Provider, TxtRecord, dns, env, export_provider, http};

use api::Api;

const API_KEY: &str = "PORKBUN_API_KEY";
const SECRET_KEY: &str = "PORKBUN_SECRET_API_KEY";
const BASE_URL: &str = "PORKBUN_API_URL";
const DEFAULT_URL: &str = "https://api.porkbun.com/api/json/v3";
const PREFIX: &str = "PORKBUN_";

/// The least of any account; many have 600.
const MIN_TTL: u32 = 300;

struct Porkbun {
    api: Api,
    ttl: u32,
}

impl Provider for Porkbun {
    fn describe() -> Description {
        Description::new("porkbun", env!("CARGO_PKG_VERSION"))
            .homepage("https://porkbun.com/api/json/v3/documentation")
            .host("api.porkbun.com")
            .key(Key::new(API_KEY).required().secret().help("API key (pk1_…), from porkbun.com/account/api"))
            .key(Key::new(SECRET_KEY).required().secret().help("Secret API key (sk1_…), shown when it is made"))
            .key(Key::new(BASE_URL).endpoint().default(DEFAULT_URL).help("Address of the API"))
            .times(PREFIX, 300, 600, 10)
    }

    fn from_env() -> Result<Self, Error> {
        let client = http::Client::new(&env::optional_or(BASE_URL, DEFAULT_URL))?;
        let api = Api::new(client, env::required(API_KEY)?, env::required(SECRET_KEY)?);
        Ok(Self { api, ttl: env::ttl(PREFIX, 300)? })
    }

    fn check(&self) -> Result<(), Error> {
        self.api.ping()
    }

    fn present(&self, record: &TxtRecord) -> Result<String, Error> {
        let (domain, found) = self.find(record)?;
        let ttl = dns::ttl_or(record, self.ttl).max(MIN_TTL);
        let id = found.into_iter().next().map_or_else(|| self.api.create(domain, record, ttl), Ok)?;
        Ok(format!("{domain}/{id}"))
    }

    fn cleanup(&self, record: &TxtRecord, handle: &str) -> Result<(), Error> {
        if let Some((domain, id)) = handle.split_once('/') {
            return self.api.delete(domain, id);
        }
        let (domain, found) = match self.find(record) {
            // With its zone the value is gone too.
            Err(error) if error.kind() == ErrorKind::ZoneNotFound => return Ok(()),
            found => found?,
        };
        found.iter().try_for_each(|id| self.api.delete(domain, id))
    }
}

impl Porkbun {
    /// The domain that holds the record, and the identifiers of the records there that hold exactly this value.
    fn find<'a>(&self, record: &'a TxtRecord) -> Result<(&'a str, Vec<String>), Error> {
        for domain in dns::zone_candidates(record) {
            match self.api.find(domain, record) {
                Err(error) if error.kind() == ErrorKind::ZoneNotFound => {}
                found => return Ok((domain, found?)),
            }
        }
        Err(Error::zone_not_found(&record.name))
    }
}

export_provider!(Porkbun);

#[cfg(test)]
mod tests {
    #[test]
    fn conformance() {
        acme_manager_plugin::testing::run_script::<super::Porkbun>(include_str!("../conformance.json"));
    }
}
