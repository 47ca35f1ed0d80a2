//! The `linode` DNS-01 provider: the Domains of the Linode API, version 4.
//!
//! Reference: <https://techdocs.akamai.com/linode-api/reference/get-domain-records>

use acme_manager_plugin::{Description, Error, Key, Provider, TxtRecord, Value, dns, env, export_provider, http, json};
use serde::Deserialize;
use serde::de::DeserializeOwned;

const TOKEN: &str = "LINODE_TOKEN";
const BASE_URL: &str = "LINODE_API_URL";
const DEFAULT_URL: &str = "https://api.linode.com/v4";
const PREFIX: &str = "LINODE_";
const DEFAULT_TTL: u32 = 300;

struct Linode {
    api: http::Client,
    ttl: u32,
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
            return Ok(format!("{}/{}", domain.id, found.id));
        }
        let (name, ttl) = (dns::subname(&record.name, &domain.domain), dns::ttl_or(record, self.ttl));
        let new = json!({ "type": "TXT", "name": name, "target": record.value, "ttl_sec": ttl });
        let created: Record = self.api.post(&records(&domain)).json(&new).send()?.json()?;
        Ok(format!("{}/{}", domain.id, created.id))
    }

    fn cleanup(&self, record: &TxtRecord, handle: &str) -> Result<(), Error> {
        if let Some((domain, id)) = handle.split_once('/') {
            return self.delete(domain, id);
        }
        // With its zone the value is gone too.
        let Some(domain) = dns::found(self.domain(record))? else { return Ok(()) };
        let found = self.find(&domain, record)?;
        found.iter().try_for_each(|found| self.delete(&domain.id.to_string(), &found.id.to_string()))
    }
}

impl Linode {
    fn domain(&self, record: &TxtRecord) -> Result<Domain, Error> {
        dns::find_zone(record, |zone| {
            let domains: Vec<Domain> = self.list("domains", &json!({ "domain": zone }))?;
            Ok(domains.into_iter().find(|domain| domain.domain.eq_ignore_ascii_case(zone)))
        })
    }

    /// The records that hold exactly this value.
    fn find(&self, domain: &Domain, record: &TxtRecord) -> Result<Vec<Record>, Error> {
        let filter = json!({ "type": "TXT", "name": dns::subname(&record.name, &domain.domain) });
        let mut found: Vec<Record> = self.list(&records(domain), &filter)?;
        found.retain(|found| found.target == record.value);
        Ok(found)
    }

    /// What a filter leaves of a collection. Filters are exact, so that never fills a page.
    fn list<T: DeserializeOwned>(&self, path: &str, filter: &Value) -> Result<Vec<T>, Error> {
        let request = self.api.get(path).query("page_size", "500").header("x-filter", &filter.to_string());
        request.send()?.json_at("/data")
    }

    fn delete(&self, domain: &str, id: &str) -> Result<(), Error> {
        let path = format!("domains/{}/records/{}", http::segment(domain), http::segment(id));
        self.api.delete(&path).accept(404).send().map(drop)
    }
}

fn records(domain: &Domain) -> String {
    format!("domains/{}/records", domain.id)
}

export_provider!(Linode);

#[cfg(test)]
mod tests {
    #[test]
    fn conformance() {
        acme_manager_plugin::testing::run_script::<super::Linode>(include_str!("../conformance.json"));
    }
}
