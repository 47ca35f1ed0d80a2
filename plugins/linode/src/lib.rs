//! The `linode` DNS-01 provider: the Domains of the Linode API, version 4.
//!
//! Reference: <https://techdocs.akamai.com/linode-api/reference/get-domain-records>

use acme_manager_plugin::{Description, Error, ErrorKind, Key, Provider, TxtRecord, dns, env, export_provider, http};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

const TOKEN: &str = "LINODE_TOKEN";
const BASE_URL: &str = "LINODE_API_URL";
const DEFAULT_URL: &str = "https://api.linode.com/v4";
const PREFIX: &str = "LINODE_";
const DEFAULT_TTL: u32 = 300;

struct Linode {
    api: http::Client,
    ttl: u32,
}

#[derive(Serialize)]
struct NewRecord<'a> {
    r#type: &'a str,
    name: &'a str,
    target: &'a str,
    ttl_sec: u32,
}

#[derive(Deserialize)]
struct Page<T> {
    data: Vec<T>,
}

#[derive(Deserialize)]
struct Domain {
    id: u64,
    domain: String,
}

#[derive(Deserialize)]
struct Record {
    id: u64,
    target: String,
}

impl Provider for Linode {
    fn describe() -> Description {
        Description::new("linode", env!("CARGO_PKG_VERSION"))
            .homepage("https://techdocs.akamai.com/linode-api/reference/api")
            .host("api.linode.com")
            .key(Key::new(TOKEN).required().secret().help("Personal access token with Domains: Read/Write"))
            .key(Key::new(BASE_URL).endpoint().default(DEFAULT_URL).help("Address of the API"))
            .times(PREFIX, DEFAULT_TTL, 120, 15)
    }

    fn from_env() -> Result<Self, Error> {
        let api = http::Client::new(&env::optional_or(BASE_URL, DEFAULT_URL))?.bearer(&env::required(TOKEN)?);
        Ok(Self { api, ttl: env::ttl(PREFIX, DEFAULT_TTL)? })
    }

    fn check(&self) -> Result<(), Error> {
        // There are no pages of fewer than 25.
        self.api.get("domains").query("page_size", "25").send().map(drop)
    }

    fn present(&self, record: &TxtRecord) -> Result<String, Error> {
        let domain = self.domain(record)?;
        if let Some(found) = self.find(&domain, record)?.first() {
            return Ok(handle(&domain, found));
        }
        let ttl_sec = dns::ttl_or(record, self.ttl);
        let new = NewRecord { r#type: "TXT", name: name_in(&domain, record), target: &record.value, ttl_sec };
        let created: Record = self.api.post(&records(&domain)).json(&new).send()?.json()?;
        Ok(handle(&domain, &created))
    }

    fn cleanup(&self, record: &TxtRecord, handle: &str) -> Result<(), Error> {
        let delete = |domain: &str, id: &str| {
            let path = format!("domains/{}/records/{}", http::segment(domain), http::segment(id));
            self.api.delete(&path).accept(404).send().map(drop)
        };
        if let Some((domain, id)) = handle.split_once('/') {
            return delete(domain, id);
        }
        let domain = match self.domain(record) {
            // With its zone the value is gone too.
            Err(error) if error.kind() == ErrorKind::ZoneNotFound => return Ok(()),
            domain => domain?,
        };
        let found = self.find(&domain, record)?;
        found.iter().try_for_each(|found| delete(&domain.id.to_string(), &found.id.to_string()))
    }
}

impl Linode {
    fn domain(&self, record: &TxtRecord) -> Result<Domain, Error> {
        for zone in dns::zone_candidates(record) {
            let domains: Vec<Domain> = self.list("domains", &json!({ "domain": zone }))?;
            if let Some(domain) = domains.into_iter().find(|domain| domain.domain.eq_ignore_ascii_case(zone)) {
                return Ok(domain);
            }
        }
        Err(Error::zone_not_found(&record.name))
    }

    /// The records that hold exactly this value.
    fn find(&self, domain: &Domain, record: &TxtRecord) -> Result<Vec<Record>, Error> {
        let filter = json!({ "type": "TXT", "name": name_in(domain, record) });
        let mut found: Vec<Record> = self.list(&records(domain), &filter)?;
        found.retain(|found| found.target == record.value);
        Ok(found)
    }

    /// What a filter leaves of a collection. Filters are exact, so that never fills a page.
    fn list<T: DeserializeOwned>(&self, path: &str, filter: &Value) -> Result<Vec<T>, Error> {
        let request = self.api.get(path).query("page_size", "500").header("x-filter", &filter.to_string());
        Ok(request.send()?.json::<Page<T>>()?.data)
    }
}

/// The name relative to the domain; that of the domain itself is empty.
fn name_in<'a>(domain: &Domain, record: &'a TxtRecord) -> &'a str {
    Some(dns::relative_to(&record.name, &domain.domain)).filter(|name| *name != "@").unwrap_or_default()
}

fn records(domain: &Domain) -> String {
    format!("domains/{}/records", domain.id)
}

fn handle(domain: &Domain, record: &Record) -> String {
    format!("{}/{}", domain.id, record.id)
}

export_provider!(Linode);

#[cfg(test)]
mod tests {
    #[test]
    fn conformance() {
        acme_manager_plugin::testing::run_script::<super::Linode>(include_str!("../conformance.json"));
    }
}
