//! The `ionos` DNS-01 provider: the DNS API of IONOS hosting, version 1. IONOS Cloud has another one.
//!
//! Reference: <https://developer.hosting.ionos.com/docs/dns>

use acme_manager_plugin::{Description, Error, Key, Provider, TxtRecord, dns, env, export_provider, http, json};
use serde::Deserialize;

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
struct Record {
    id: String,
    name: String,
    r#type: String,
    content: String,
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
        let (name, content) = (&record.name, &record.value);
        let new = json!({ "name": name, "type": "TXT", "content": content, "ttl": ttl, "prio": 0, "disabled": false });
        let path = format!("v1/zones/{}/records", http::segment(&zone));
        let created: Vec<Record> = self.api.post(&path).json(&[new]).send()?.json()?;
        let created = created.first().ok_or_else(|| Error::unavailable("IONOS answered without the new record"))?;
        Ok(format!("{zone}/{}", created.id))
    }

    fn cleanup(&self, record: &TxtRecord, handle: &str) -> Result<(), Error> {
        if let Some((zone, id)) = handle.split_once('/') {
            return self.delete(zone, id);
        }
        // With its zone the value is gone too.
        let Some(zone) = dns::found(self.zone(record))? else { return Ok(()) };
        self.find(&zone, record)?.iter().try_for_each(|found| self.delete(&zone, &found.id))
    }
}

impl Ionos {
    /// The identifier of the zone that holds a record.
    fn zone(&self, record: &TxtRecord) -> Result<String, Error> {
        let zones: Vec<Zone> = self.api.get("v1/zones").send()?.json()?;
        dns::find_zone(record, |name| Ok(zones.iter().find(|zone| zone.name == name).map(|zone| zone.id.clone())))
    }

    /// The records that hold exactly this value. It comes back in quotes, whatever it was created with.
    fn find(&self, zone: &str, record: &TxtRecord) -> Result<Vec<Record>, Error> {
        let request = self.api.get(&format!("v1/zones/{}", http::segment(zone)));
        let request = request.query("recordName", &record.name).query("recordType", "TXT");
        let mut found = request.send()?.json_at::<Option<Vec<Record>>>("/records")?.unwrap_or_default();
        found.retain(|found| found.r#type == "TXT" && found.name == record.name);
        found.retain(|found| dns::is_value(&found.content, record));
        Ok(found)
    }

    fn delete(&self, zone: &str, id: &str) -> Result<(), Error> {
        let path = format!("v1/zones/{}/records/{}", http::segment(zone), http::segment(id));
        self.api.delete(&path).accept(404).send().map(drop)
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
