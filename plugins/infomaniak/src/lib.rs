//! The `infomaniak` DNS-01 provider: Infomaniak's API, version 2.
//!
//! Reference: <https://developer.infomaniak.com/docs/api/get/2/zones/%7Bzone%7D/records>

mod api;

use acme_manager_plugin::{Description, Error, ErrorKind, Key, Provider, TxtRecord, dns, env, export_provider, http};

use api::Api;

const TOKEN: &str = "INFOMANIAK_ACCESS_TOKEN";
const ENDPOINT: &str = "INFOMANIAK_ENDPOINT";
const DEFAULT_ENDPOINT: &str = "https://api.infomaniak.com";
const PREFIX: &str = "INFOMANIAK_";

struct Infomaniak {
    api: Api,
    ttl: u32,
}

impl Provider for Infomaniak {
    fn describe() -> Description {
        Description::new("infomaniak", env!("CARGO_PKG_VERSION"))
            .homepage("https://developer.infomaniak.com/docs/api")
            .host("api.infomaniak.com")
            .key(Key::new(TOKEN).required().secret().help("API token with the scopes dns:read and dns:write"))
            .key(Key::new(ENDPOINT).endpoint().default(DEFAULT_ENDPOINT).help("Address of the API"))
            .times(PREFIX, 300, 120, 10)
    }

    fn from_env() -> Result<Self, Error> {
        let client = http::Client::new(&env::optional_or(ENDPOINT, DEFAULT_ENDPOINT))?;
        Ok(Self { api: Api::new(client.bearer(&env::required(TOKEN)?)), ttl: env::ttl(PREFIX, 300)? })
    }

    /// The scopes for DNS allow no list of zones, so this asks for one that no account has. The answer does not
    /// matter, only that there is one.
    fn check(&self) -> Result<(), Error> {
        self.api.exists("example.com").map(drop)
    }

    fn present(&self, record: &TxtRecord) -> Result<String, Error> {
        let zone = self.zone(record)?;
        let found = self.api.find(zone, record)?.first().copied();
        let id = found.map_or_else(|| self.api.create(zone, record, dns::ttl_or(record, self.ttl)), Ok)?;
        Ok(format!("{zone}/{id}"))
    }

    fn cleanup(&self, record: &TxtRecord, handle: &str) -> Result<(), Error> {
        if let Some((zone, id)) = handle.split_once('/') {
            return self.api.delete(zone, id);
        }
        let zone = match self.zone(record) {
            // With its zone the value is gone too.
            Err(error) if error.kind() == ErrorKind::ZoneNotFound => return Ok(()),
            zone => zone?,
        };
        self.api.find(zone, record)?.iter().try_for_each(|id| self.api.delete(zone, &id.to_string()))
    }
}

impl Infomaniak {
    fn zone<'a>(&self, record: &'a TxtRecord) -> Result<&'a str, Error> {
        for zone in dns::zone_candidates(record) {
            if self.api.exists(zone)? {
                return Ok(zone);
            }
        }
        Err(Error::zone_not_found(&record.name))
    }
}

export_provider!(Infomaniak);

#[cfg(test)]
mod tests {
    #[test]
    fn conformance() {
        acme_manager_plugin::testing::run_script::<super::Infomaniak>(include_str!("../conformance.json"));
    }
}
