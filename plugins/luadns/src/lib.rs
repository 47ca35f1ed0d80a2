//! The `luadns` DNS-01 provider: `LuaDNS`'s REST API, version 1.
//!
//! Reference: <https://luadns.com/api.html>

use acme_manager_plugin::{Description, Error, ErrorKind, Key, Provider, TxtRecord, dns, env, export_provider, http};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

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

#[derive(Serialize)]
struct NewRecord<'a> {
    name: &'a str,
    r#type: &'a str,
    content: &'a str,
    ttl: u32,
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
            return Ok(format!("{zone}/{found}"));
        }
        let ttl = dns::ttl_or(record, self.ttl).max(MIN_TTL);
        let new = NewRecord { name: &dns::absolute(&record.name), r#type: "TXT", content: &record.value, ttl };
        let created: Record = self.api.post(&format!("v1/zones/{zone}/records")).json(&new).send()?.json()?;
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
        self.find(zone, record)?.iter().try_for_each(|id| delete(&zone.to_string(), &id.to_string()))
    }
}

impl LuaDns {
    /// The number of the zone that holds a record.
    fn zone(&self, record: &TxtRecord) -> Result<u64, Error> {
        let zones: Vec<Zone> = self.list("v1/zones")?;
        let mut candidates = dns::zone_candidates(record).into_iter();
        let found = candidates.find_map(|name| zones.iter().find(|zone| zone.name == name));
        found.map(|zone| zone.id).ok_or_else(|| Error::zone_not_found(&record.name))
    }

    /// The numbers of the records that hold exactly this value.
    fn find(&self, zone: u64, record: &TxtRecord) -> Result<Vec<u64>, Error> {
        let mut records: Vec<Record> = self.list(&format!("v1/zones/{zone}/records"))?;
        let name = dns::absolute(&record.name);
        records.retain(|found| found.r#type == "TXT" && found.name == name && found.content == record.value);
        Ok(records.into_iter().map(|found| found.id).collect())
    }

    /// Without a limit the API answers with everything at once; should it not, a header counts the pages.
    fn list<T: DeserializeOwned>(&self, path: &str) -> Result<Vec<T>, Error> {
        let mut all = Vec::new();
        loop {
            let page = all.len() + 1;
            let response = self.api.get(path).query("page", &page.to_string()).send()?;
            let pages = response.header("x-total-pages").and_then(|pages| pages.parse().ok()).unwrap_or(1);
            all.push(response.json::<Vec<T>>()?);
            if page >= pages {
                return Ok(all.into_iter().flatten().collect());
            }
        }
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
