//! The `scaleway` DNS-01 provider: Scaleway's Domains and DNS API, version 2 beta 1.
//!
//! Reference: <https://www.scaleway.com/en/developers/api/domains-and-dns/>

mod api;

use std::time::Duration;

use acme_manager_plugin::{Description, Error, ErrorKind, Key, Provider, TxtRecord, dns, env, export_provider, http};

use api::Api;

const SECRET_KEY: &str = "SCW_SECRET_KEY";
const PROJECT: &str = "SCW_PROJECT_ID";
const BASE_URL: &str = "SCW_API_URL";
const DEFAULT_URL: &str = "https://api.scaleway.com";

/// Name, default and help of what other providers declare with `Description::times`; these have aliases.
const TIMES: [(&str, u32, &str); 3] = [
    ("TTL", 60, "Time to live of the TXT records, in seconds, 60 or more"),
    ("PROPAGATION_TIMEOUT", 120, "How long a change may take to show, in seconds"),
    ("POLLING_INTERVAL", 10, "How often to look, in seconds"),
];
const DEFAULT_TTL: u32 = 60;
/// The least that is known to be taken.
const MIN_TTL: u32 = 60;

struct Scaleway {
    api: Api,
    ttl: u32,
}

impl Provider for Scaleway {
    fn describe() -> Description {
        let description = Description::new("scaleway", env!("CARGO_PKG_VERSION"))
            .homepage("https://www.scaleway.com/en/developers/api/domains-and-dns/")
            .host("api.scaleway.com")
            .key(
                Key::new(SECRET_KEY)
                    .alias("SCALEWAY_API_TOKEN")
                    .required()
                    .secret()
                    .help("Secret key of an API key with the permission set DomainsDNSFullAccess"),
            )
            .key(Key::new(PROJECT).alias("SCALEWAY_PROJECT_ID").help("Project whose zones are looked at; default: all"))
            .key(Key::new(BASE_URL).endpoint().default(DEFAULT_URL).help("Address of the API"));
        let [ttl, timeout, interval] = TIMES.map(|(name, default, _)| {
            // `check` reports a value that is no number; a description has no room for errors.
            env::parsed(&format!("SCW_{name}")).ok().flatten().unwrap_or(default)
        });
        TIMES
            .into_iter()
            .fold(description, |description, (name, default, help)| {
                let key = Key::new(&format!("SCW_{name}")).alias(&format!("SCALEWAY_{name}"));
                description.key(key.default(&default.to_string()).help(help))
            })
            .default_ttl(ttl)
            .propagation(Duration::from_secs(timeout.into()), Duration::from_secs(interval.into()))
    }

    fn from_env() -> Result<Self, Error> {
        let client = http::Client::new(&env::optional_or(BASE_URL, DEFAULT_URL))?;
        let api = Api::new(client.header("x-auth-token", &env::required(SECRET_KEY)?), env::optional(PROJECT));
        Ok(Self { api, ttl: env::ttl("SCW_", DEFAULT_TTL)? })
    }

    fn check(&self) -> Result<(), Error> {
        self.api.check()
    }

    fn present(&self, record: &TxtRecord) -> Result<String, Error> {
        let zone = self.zone(record)?;
        if self.api.find(zone, record)?.is_empty() {
            self.api.create(zone, record, dns::ttl_or(record, self.ttl).max(MIN_TTL))?;
        }
        // An identifier would be of no use: what deleting a missing record answers is not documented, so a
        // cleanup looks first in any case.
        Ok(String::new())
    }

    fn cleanup(&self, record: &TxtRecord, _handle: &str) -> Result<(), Error> {
        let zone = match self.zone(record) {
            // With its zone the value is gone too.
            Err(error) if error.kind() == ErrorKind::ZoneNotFound => return Ok(()),
            zone => zone?,
        };
        let found = self.api.find(zone, record)?;
        if found.is_empty() { Ok(()) } else { self.api.delete(zone, &found) }
    }
}

impl Scaleway {
    fn zone<'a>(&self, record: &'a TxtRecord) -> Result<&'a str, Error> {
        for zone in dns::zone_candidates(record) {
            if self.api.has_zone(zone)? {
                return Ok(zone);
            }
        }
        Err(Error::zone_not_found(&record.name))
    }
}

export_provider!(Scaleway);

#[cfg(test)]
mod tests {
    #[test]
    fn conformance() {
        acme_manager_plugin::testing::run_script::<super::Scaleway>(include_str!("../conformance.json"));
    }
}
