//! The `luadns` DNS-01 provider: `LuaDNS`'s REST API, version 1.
//!
//! Reference: <https://luadns.com/api.html>

use acme_manager_plugin::{Description, Error, Key, Provider, TxtRecord, dns, env, export_provider, http, json};
use serde::Deserialize;
use serde::de::DeserializeOwned;

const USERNAME: &str = "LUADNS_API_USERNAME";
const TOKEN: &str = "LUADNS_API_TOKEN";
const BASE_URL: &str = "LUADNS_API_URL";
const DEFAULT_URL: &str = "https://api.luadns.com";
const PREFIX: &str = "LUADNS_";

/// The TTL of a free account. Whether less is allowed depends on the plan.
const MIN_TTL: u32 = 300;

struct LuaDns {
    api: http::Client,
    ttl: u32,
}

#[derive(Deserialize)]
struct Zone {
    id: u64,
    name: String,
}

#[derive(Deserialize)]
struct Record {
    id: u64,
    name: String,
    r#type: String,
    content: String,
}

impl Provider for LuaDns {
    fn describe() -> Description {
        Description::new("luadns", env!("CARGO_PKG_VERSION"))
            .homepage("https://luadns.com/api.html")
            .host("api.luadns.com")
            .key(Key::new(USERNAME).required().help("Email address of the account"))
            .key(Key::new(TOKEN).required().secret().help("API key, for all zones or for one"))
            .key(Key::new(BASE_URL).endpoint().default(DEFAULT_URL).help("Address of the API"))
            .times(PREFIX, 300, 120, 2)
    }

    fn from_env() -> Result<Self, Error> {
        let client = http::Client::new(&env::optional_or(BASE_URL, DEFAULT_URL))?;
        let api = client.basic(&env::required(USERNAME)?, &env::required(TOKEN)?);
        Ok(Self { api, ttl: env::ttl(PREFIX, 300)? })
    }

    fn check(&self) -> Result<(), Error> {
        self.api.get("v1/users/me").send().map(drop)
    }

    fn present(&self, record: &TxtRecord) -> Result<String, Error> {
        let zone = self.zone(record)?;
        if let Some(found) = self.find(zone, record)?.first() {
            return Ok(format!("{zone}/{}", found.id));
        }
        let ttl = dns::ttl_or(record, self.ttl).max(MIN_TTL);
        let name = dns::absolute(&record.name);
        let new = json!({ "name": name, "type": "TXT", "content": record.value, "ttl": ttl });
        let created: Record = self.api.post(&format!("v1/zones/{zone}/records")).json(&new).send()?.json()?;
        Ok(format!("{zone}/{}", created.id))
    }

    fn cleanup(&self, record: &TxtRecord, handle: &str) -> Result<(), Error> {
        if let Some((zone, id)) = handle.split_once('/') {
            return self.delete(zone, id);
        }
        // With its zone the value is gone too.
        let Some(zone) = dns::found(self.zone(record))? else { return Ok(()) };
        let found = self.find(zone, record)?;
        found.iter().try_for_each(|found| self.delete(&zone.to_string(), &found.id.to_string()))
    }
}

impl LuaDns {
    /// The number of the zone that holds a record.
    fn zone(&self, record: &TxtRecord) -> Result<u64, Error> {
        let zones: Vec<Zone> = self.list("v1/zones")?;
        dns::find_zone(record, |name| Ok(zones.iter().find(|zone| zone.name == name).map(|zone| zone.id)))
    }

    /// The records that hold exactly this value.
    fn find(&self, zone: u64, record: &TxtRecord) -> Result<Vec<Record>, Error> {
        let mut found: Vec<Record> = self.list(&format!("v1/zones/{zone}/records"))?;
        let name = dns::absolute(&record.name);
        found.retain(|found| found.r#type == "TXT" && found.name == name && found.content == record.value);
        Ok(found)
    }

    /// Without a limit the API answers with everything at once; should it not, a header counts the pages.
    fn list<T: DeserializeOwned>(&self, path: &str) -> Result<Vec<T>, Error> {
        let pages = http::pages(1_u32, |page| {
            let answer = self.api.get(path).query("page", &page.to_string()).send()?;
            let last = answer.header("x-total-pages").and_then(|pages| pages.parse().ok()).unwrap_or(1);
            Ok((answer.json()?, (page < last).then_some(page + 1)))
        });
        pages.collect()
    }

    fn delete(&self, zone: &str, id: &str) -> Result<(), Error> {
        let path = format!("v1/zones/{}/records/{}", http::segment(zone), http::segment(id));
        self.api.delete(&path).accept(404).send().map(drop)
    }
}

export_provider!(LuaDns);

#[cfg(test)]
mod tests {
    #[test]
    fn conformance() {
        acme_manager_plugin::testing::run_script::<super::LuaDns>(include_str!("../conformance.json"));
    }
}
