//! The `bunny` DNS-01 provider: DNS zones at bunny.net.
//!
//! Reference: <https://docs.bunny.net/api-reference/core/dns-zone/list-dns-zones>

use acme_manager_plugin::{Description, Error, Key, Provider, TxtRecord, dns, env, export_provider, http, json};
use serde::Deserialize;

const API_KEY: &str = "BUNNY_API_KEY";
const BASE_URL: &str = "BUNNY_API_URL";
const DEFAULT_URL: &str = "https://api.bunny.net";
const PREFIX: &str = "BUNNY_";

/// The number that stands for TXT among the record types.
const TXT: u32 = 3;
/// Each of the hundred zones of a page comes with all of its records.
const MAX_BODY: usize = 16 * 1024 * 1024;

struct Bunny {
    api: http::Client,
    ttl: u32,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Zones {
    items: Option<Vec<Zone>>,
    #[serde(default)]
    has_more_items: bool,
}

/// A zone with its records.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Zone {
    id: u64,
    domain: Option<String>,
    records: Option<Vec<Record>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Record {
    id: u64,
    r#type: u32,
    name: Option<String>,
    value: Option<String>,
}

impl Provider for Bunny {
    fn describe() -> Description {
        Description::new("bunny", env!("CARGO_PKG_VERSION"))
            .homepage("https://docs.bunny.net/api-reference/core/dns-zone/list-dns-zones")
            .host("api.bunny.net")
            .key(Key::new(API_KEY).required().secret().help("API key of the account, from its settings"))
            .key(Key::new(BASE_URL).endpoint().default(DEFAULT_URL).help("Address of the API"))
            .times(PREFIX, 60, 120, 2)
    }

    fn from_env() -> Result<Self, Error> {
        let client = http::Client::new(&env::optional_or(BASE_URL, DEFAULT_URL))?.max_body(MAX_BODY);
        Ok(Self { api: client.header("accesskey", &env::required(API_KEY)?), ttl: env::ttl(PREFIX, 60)? })
    }

    fn check(&self) -> Result<(), Error> {
        // Five is the smallest page.
        self.api.get("dnszone").query("page", "1").query("perPage", "5").send().map(drop)
    }

    fn present(&self, record: &TxtRecord) -> Result<String, Error> {
        let zone = self.zone(record)?;
        if let Some(id) = zone.find(record).next() {
            return Ok(format!("{}/{id}", zone.id));
        }
        let (name, ttl) = (zone.subname(record), dns::ttl_or(record, self.ttl));
        let new = json!({ "Type": TXT, "Name": name, "Value": record.value, "Ttl": ttl });
        let created: Record = self.api.put(&format!("dnszone/{}/records", zone.id)).json(&new).send()?.json()?;
        Ok(format!("{}/{}", zone.id, created.id))
    }

    fn cleanup(&self, record: &TxtRecord, handle: &str) -> Result<(), Error> {
        if let Some((zone, id)) = handle.split_once('/') {
            return self.delete(zone, id);
        }
        // With its zone the value is gone too.
        let Some(zone) = dns::found(self.zone(record))? else { return Ok(()) };
        zone.find(record).try_for_each(|id| self.delete(&zone.id.to_string(), &id.to_string()))
    }
}

impl Bunny {
    fn zone(&self, record: &TxtRecord) -> Result<Zone, Error> {
        dns::find_zone(record, |name| {
            for zone in self.search(name) {
                let zone = zone?;
                if zone.name() == name {
                    return Ok(Some(zone));
                }
            }
            Ok(None)
        })
    }

    /// The zones of this name, and those whose names only contain it.
    fn search(&self, name: &str) -> impl Iterator<Item = Result<Zone, Error>> {
        http::pages(1_u32, move |page| {
            let request = self.api.get("dnszone").query("search", name).query("page", &page.to_string());
            let zones: Zones = request.query("perPage", "100").send()?.json()?;
            let items = zones.items.unwrap_or_default();
            let has_next = zones.has_more_items && !items.is_empty();
            Ok((items, has_next.then_some(page + 1)))
        })
    }

    fn delete(&self, zone: &str, id: &str) -> Result<(), Error> {
        let path = format!("dnszone/{}/records/{}", http::segment(zone), http::segment(id));
        self.api.delete(&path).accept(404).send().map(drop)
    }
}

impl Zone {
    fn name(&self) -> &str {
        self.domain.as_deref().unwrap_or_default()
    }

    fn subname<'a>(&self, record: &'a TxtRecord) -> &'a str {
        dns::subname(&record.name, self.name())
    }

    /// The numbers of the TXT records that hold exactly this value.
    fn find(&self, record: &TxtRecord) -> impl Iterator<Item = u64> {
        let name = self.subname(record);
        let is_wanted = move |found: &&Record| {
            found.r#type == TXT
                && found.name.as_deref().unwrap_or_default() == name
                && found.value.as_ref() == Some(&record.value)
        };
        self.records.iter().flatten().filter(is_wanted).map(|found| found.id)
    }
}

export_provider!(Bunny);

#[cfg(test)]
mod tests {
    #[test]
    fn conformance() {
        acme_manager_plugin::testing::run_script::<super::Bunny>(include_str!("../conformance.json"));
    }
}
