//! The `vultr` DNS-01 provider: Vultr's API, version 2.
//!
//! Reference: <https://www.vultr.com/api/#tag/dns>

use acme_manager_plugin::{
    Description, Error, ErrorKind, Key, Provider, TxtRecord, dns, env, export_provider, http, json,
};
use serde::Deserialize;
use serde::de::DeserializeOwned;

const API_KEY: &str = "VULTR_API_KEY";
const BASE_URL: &str = "VULTR_API_URL";
const DEFAULT_URL: &str = "https://api.vultr.com";
const PREFIX: &str = "VULTR_";
const DEFAULT_TTL: u32 = 120;

struct Vultr {
    api: http::Client,
    ttl: u32,
}

#[derive(Deserialize)]
struct Domain {
    domain: String,
}

#[derive(Deserialize)]
struct Record {
    id: String,
    r#type: String,
    name: String,
    /// In quotes.
    data: String,
    ttl: u32,
}

impl Provider for Vultr {
    fn describe() -> Description {
        Description::new("vultr", env!("CARGO_PKG_VERSION"))
            .homepage("https://www.vultr.com/api/#tag/dns")
            .host("api.vultr.com")
            .key(
                Key::new(API_KEY).required().secret().help("API key; the server's addresses must be allowed to use it"),
            )
            .key(Key::new(BASE_URL).endpoint().default(DEFAULT_URL).help("Address of the API"))
            .times(PREFIX, DEFAULT_TTL, 60, 2)
    }

    fn from_env() -> Result<Self, Error> {
        let api = http::Client::new(&env::optional_or(BASE_URL, DEFAULT_URL))?.bearer(&env::required(API_KEY)?);
        Ok(Self { api, ttl: env::ttl(PREFIX, DEFAULT_TTL)? })
    }

    fn check(&self) -> Result<(), Error> {
        self.api.get("v2/domains").query("per_page", "1").send().map(drop)
    }

    fn present(&self, record: &TxtRecord) -> Result<String, Error> {
        let zone = self.zone(record)?;
        let found = self.records_at(&zone, record)?;
        if let Some(found) = found.iter().find(|found| dns::is_value(&found.data, record)) {
            return Ok(format!("{zone}/{}", found.id));
        }
        // Records at one name have one TTL; another one is refused.
        let ttl = found.first().map_or_else(|| dns::ttl_or(record, self.ttl), |first| first.ttl);
        let name = dns::subname(&record.name, &zone);
        let new = json!({ "type": "TXT", "name": name, "data": dns::quoted(&record.value), "ttl": ttl });
        let created: Record = self.api.post(&records(&zone)).json(&new).send()?.json_at("/record")?;
        Ok(format!("{zone}/{}", created.id))
    }

    fn cleanup(&self, record: &TxtRecord, handle: &str) -> Result<(), Error> {
        if let Some((zone, id)) = handle.split_once('/') {
            match self.delete(zone, id) {
                // The reference promises "a 4xx error" for a record that is gone, so look whether it is.
                Err(error) if error.kind() == ErrorKind::Rejected => {}
                deleted => return deleted,
            }
        }
        // With its zone the value is gone too.
        let Some(zone) = dns::found(self.zone(record))? else { return Ok(()) };
        let mut found = self.records_at(&zone, record)?;
        found.retain(|found| dns::is_value(&found.data, record));
        found.iter().try_for_each(|found| self.delete(&zone, &found.id))
    }
}

impl Vultr {
    /// From the list of all domains: how a single one is missed is not documented.
    fn zone(&self, record: &TxtRecord) -> Result<String, Error> {
        let domains: Vec<Domain> = self.list("v2/domains", "/domains")?;
        dns::find_zone(record, |zone| {
            let is_there = domains.iter().any(|domain| domain.domain.eq_ignore_ascii_case(zone));
            Ok(is_there.then(|| zone.to_owned()))
        })
    }

    /// The TXT records at the name. There is no filter, so all of the zone's records are read.
    fn records_at(&self, zone: &str, record: &TxtRecord) -> Result<Vec<Record>, Error> {
        let mut found: Vec<Record> = self.list(&records(zone), "/records")?;
        let name = dns::subname(&record.name, zone);
        found.retain(|found| found.r#type == "TXT" && found.name.eq_ignore_ascii_case(name));
        Ok(found)
    }

    /// All of a collection; `items` is where a page has its own.
    fn list<T: DeserializeOwned>(&self, path: &str, items: &str) -> Result<Vec<T>, Error> {
        let pages = http::pages(String::new(), |cursor| {
            let mut request = self.api.get(path).query("per_page", "500");
            if !cursor.is_empty() {
                request = request.query("cursor", &cursor);
            }
            let page = request.send()?;
            // Empty on the last page.
            let next: String = page.json_at("/meta/links/next")?;
            Ok((page.json_at(items)?, Some(next).filter(|next| !next.is_empty())))
        });
        pages.collect()
    }

    fn delete(&self, zone: &str, id: &str) -> Result<(), Error> {
        self.api.delete(&format!("{}/{}", records(zone), http::segment(id))).send().map(drop)
    }
}

fn records(zone: &str) -> String {
    format!("v2/domains/{}/records", http::segment(zone))
}

export_provider!(Vultr);

#[cfg(test)]
mod tests {
    #[test]
    fn conformance() {
        acme_manager_plugin::testing::run_script::<super::Vultr>(include_str!("../conformance.json"));
    }
}
