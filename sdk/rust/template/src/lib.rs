//! The `{{name}}` DNS-01 provider.
//!
//! The API at `api.example.com` is made up. Put your vendor's in its place, here and in `conformance.json`; the
//! documentation of the SDK (`cargo doc -p acme-manager-plugin --open`) has what other APIs need.

use acme_manager_plugin::{Description, Error, ErrorKind, Key, Provider, TxtRecord, dns, env, export_provider, http};
use serde::{Deserialize, Serialize};

const TOKEN: &str = "{{NAME}}_API_TOKEN";
const BASE_URL: &str = "{{NAME}}_API_URL";
const DEFAULT_URL: &str = "https://api.example.com";
/// What the keys of times begin with: `{{NAME}}_TTL` and so on.
const PREFIX: &str = "{{NAME}}_";

struct {{Type}} {
    api: http::Client,
    ttl: u32,
}

#[derive(Serialize)]
struct NewRecord<'a> {
    r#type: &'a str,
    name: &'a str,
    value: &'a str,
    ttl: u32,
}

#[derive(Deserialize)]
struct Records {
    records: Vec<Record>,
}

#[derive(Deserialize)]
struct Record {
    id: String,
    value: String,
}

impl Provider for {{Type}} {
    // Works without environment and network: the server asks when it loads the plugin.
    fn describe() -> Description {
        Description::new("{{name}}", env!("CARGO_PKG_VERSION"))
            .homepage("https://example.com/docs/api")
            .host("api.example.com")
            .key(Key::new(TOKEN).required().secret().help("API token that may edit DNS records"))
            .key(Key::new(BASE_URL).endpoint().default(DEFAULT_URL).help("Address of the API"))
            .times(PREFIX, 120, 60, 5)
    }

    fn from_env() -> Result<Self, Error> {
        let api = http::Client::new(&env::optional_or(BASE_URL, DEFAULT_URL))?.bearer(&env::required(TOKEN)?);
        Ok(Self { api, ttl: env::ttl(PREFIX, 120)? })
    }

    // Only reads. What is wrong with the token is found out before a certificate is ordered.
    fn check(&self) -> Result<(), Error> {
        self.api.get("v1/account").send().map(drop)
    }

    // A value that is there already is a success, and other values at the name stay.
    fn present(&self, record: &TxtRecord) -> Result<String, Error> {
        let zone = self.zone(record)?;
        if let Some(found) = self.find(&zone, record)?.first() {
            return Ok(format!("{zone}/{}", found.id));
        }
        let ttl = dns::ttl_or(record, self.ttl);
        let new = NewRecord { r#type: "TXT", name: &record.name, value: &record.value, ttl };
        let created: Record = self.api.post(&records(&zone)).json(&new).send()?.json()?;
        // Memory does not live until `cleanup`, this text does.
        Ok(format!("{zone}/{}", created.id))
    }

    // Removes exactly this value; one that is gone is a success.
    fn cleanup(&self, record: &TxtRecord, handle: &str) -> Result<(), Error> {
        if let Some((zone, id)) = handle.split_once('/') {
            return self.delete(zone, id);
        }
        // Without a handle (the server died before it had one) the value is looked up.
        let zone = match self.zone(record) {
            Err(error) if error.kind() == ErrorKind::ZoneNotFound => return Ok(()),
            zone => zone?,
        };
        self.find(&zone, record)?.iter().try_for_each(|found| self.delete(&zone, &found.id))
    }
}

impl {{Type}} {
    /// The zone of the account that holds the name: usually the one that the host found, the first candidate.
    fn zone(&self, record: &TxtRecord) -> Result<String, Error> {
        for zone in dns::zone_candidates(record) {
            if self.api.get(&format!("v1/zones/{}", http::segment(zone))).accept(404).send()?.is_success() {
                return Ok(zone.to_owned());
            }
        }
        Err(Error::zone_not_found(&record.name))
    }

    /// The records that hold exactly this value.
    fn find(&self, zone: &str, record: &TxtRecord) -> Result<Vec<Record>, Error> {
        let request = self.api.get(&records(zone)).query("type", "TXT").query("name", &record.name);
        let mut found: Records = request.send()?.json()?;
        found.records.retain(|found| found.value == record.value);
        Ok(found.records)
    }

    fn delete(&self, zone: &str, id: &str) -> Result<(), Error> {
        self.api.delete(&format!("{}/{}", records(zone), http::segment(id))).accept(404).send().map(drop)
    }
}

fn records(zone: &str) -> String {
    format!("v1/zones/{}/records", http::segment(zone))
}

export_provider!({{Type}});

#[cfg(test)]
mod tests {
    #[test]
    fn conformance() {
        acme_manager_plugin::testing::run_script::<super::{{Type}}>(include_str!("../conformance.json"));
    }
}
