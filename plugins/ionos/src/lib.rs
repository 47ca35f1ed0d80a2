//! The `ionos` DNS-01 provider: the DNS API of IONOS hosting, version 1. IONOS Cloud has another one.
//!
//! Reference: <https://developer.hosting.ionos.com/docs/dns>

use acme_manager_plugin::{Description, Error, ErrorKind, Key, Provider, TxtRecord, dns, env, export_provider, http};
use serde::{Deserialize, Serialize};

const API_KEY: &str = "IONOS_API_KEY";
const BASE_URL: &str = "IONOS_API_URL";
const DEFAULT_URL: &str = "https://api.hosting.ionos.com/dns";
const PREFIX: &str = "IONOS_";

struct Ionos {
    api: http::Client,
    ttl: u32,
}

#[derive(Deserialize)]
struct Zone {
    id: String,
    name: String,
}

#[derive(Deserialize)]
struct ZoneRecords {
    #[serde(default)]
    records: Vec<Record>,
}

#[derive(Deserialize)]
struct Record {
    id: String,
    name: String,
    r#type: String,
    content: String,
}

#[derive(Serialize)]
struct NewRecord<'a> {
    name: &'a str,
    r#type: &'a str,
    content: &'a str,
    ttl: u32,
    prio: u32,
    disabled: bool,
}

impl Provider for Ionos {
    fn describe() -> Description {
        Description::new("ionos", env!("CARGO_PKG_VERSION"))
            .homepage("https://developer.hosting.ionos.com/docs/dns")
            .host("api.hosting.ionos.com")
            .key(Key::new(API_KEY).required().secret().help("API key: public prefix, a dot, and the secret"))
            .key(Key::new(BASE_URL).endpoint().default(DEFAULT_URL).help("Address of the API"))
            .times(PREFIX, 300, 900, 2)
    }

    fn from_env() -> Result<Self, Error> {
        let client = http::Client::new(&env::optional_or(BASE_URL, DEFAULT_URL))?;
        Ok(Self { api: client.header("x-api-key", &env::required(API_KEY)?), ttl: env::ttl(PREFIX, 300)? })
    }

    fn check(&self) -> Result<(), Error> {
        self.api.get("v1/zones").send().map(drop)
    }

    fn present(&self, record: &TxtRecord) -> Result<String, Error> {
        let zone = self.zone(record)?;
        if let Some(found) = self.find(&zone, record)?.first() {
            return Ok(format!("{zone}/{}", found.id));
        }
        let ttl = dns::ttl_or(record, self.ttl);
        // The full name, unlike with most other vendors.
        let (name, content) = (record.name.as_str(), record.value.as_str());
        let new = [NewRecord { name, r#type: "TXT", content, ttl, prio: 0, disabled: false }];
        let path = format!("v1/zones/{}/records", http::segment(&zone));
        let created: Vec<Record> = self.api.post(&path).json(&new).send()?.json()?;
        let created = created.first().ok_or_else(|| Error::unavailable("IONOS answered without the new record"))?;
        Ok(format!("{zone}/{}", created.id))
    }

    fn cleanup(&self, record: &TxtRecord, handle: &str) -> Result<(), Error> {
        let delete = |zone: &str, id: &str| {
            let path = format!("v1/zones/{}/records/{}", http::segment(zone), http::segment(id));
            self.api.delete(&path).accept(404).send().map(drop)
        };
        if let Some((zone, id)) = handle.split_once('/') {
            return delete(zone, id);
        }
        let zone = match self.zone(record) {
            // With its zone the value is gone too.
            Err(error) if error.kind() == ErrorKind::ZoneNotFound => return Ok(()),
            zone => zone?,
        };
        self.find(&zone, record)?.iter().try_for_each(|found| delete(&zone, &found.id))
    }
}

impl Ionos {
    /// The identifier of the zone that holds a record.
    fn zone(&self, record: &TxtRecord) -> Result<String, Error> {
        let mut zones: Vec<Zone> = self.api.get("v1/zones").send()?.json()?;
        let mut candidates = dns::zone_candidates(record).into_iter();
        let found = candidates.find_map(|name| zones.iter().position(|zone| zone.name == name));
        found.map(|found| zones.swap_remove(found).id).ok_or_else(|| Error::zone_not_found(&record.name))
    }

    /// The records that hold exactly this value. It comes back in quotes, whatever it was created with.
    fn find(&self, zone: &str, record: &TxtRecord) -> Result<Vec<Record>, Error> {
        let request = self.api.get(&format!("v1/zones/{}", http::segment(zone)));
        let request = request.query("recordName", &record.name).query("recordType", "TXT");
        let mut found = request.send()?.json::<ZoneRecords>()?.records;
        let quoted = dns::quoted(&record.value);
        found.retain(|found| found.r#type == "TXT" && found.name == record.name);
        found.retain(|found| found.content == quoted || found.content == record.value);
        Ok(found)
    }
}

export_provider!(Ionos);

#[cfg(test)]
mod tests {
    #[test]
    fn conformance() {
        acme_manager_plugin::testing::run_script::<super::Ionos>(include_str!("../conformance.json"));
    }
}
