//! The requests and what Vultr answers.

use acme_manager_plugin::{Error, dns, http};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The most that the API allows.
const PER_PAGE: &str = "500";
/// Ten thousand domains, or records of one.
const MAX_PAGES: u32 = 20;

/// The API with its credentials.
pub(crate) struct Api {
    client: http::Client,
}

#[derive(Deserialize)]
pub(crate) struct Record {
    pub(crate) id: String,
    r#type: String,
    name: String,
    data: String,
    pub(crate) ttl: u32,
}

#[derive(Serialize)]
struct NewRecord<'a> {
    r#type: &'a str,
    name: &'a str,
    data: &'a str,
    ttl: u32,
}

#[derive(Deserialize)]
struct Created {
    record: Record,
}

/// A page of either collection.
#[derive(Deserialize)]
struct Page<T> {
    #[serde(alias = "domains", alias = "records")]
    items: Vec<T>,
    meta: Meta,
}

#[derive(Deserialize)]
struct Meta {
    links: Links,
}

#[derive(Deserialize)]
struct Links {
    /// The cursor of the next page; empty on the last.
    next: String,
}

#[derive(Deserialize)]
struct Domain {
    domain: String,
}

impl Record {
    /// The text, which is stored in quotes.
    pub(crate) fn value(&self) -> &str {
        self.data.trim_matches('"')
    }
}

impl Api {
    pub(crate) fn new(client: http::Client) -> Self {
        Self { client }
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        self.client.get("v2/domains").query("per_page", "1").send().map(drop)
    }

    /// The names of all domains.
    pub(crate) fn domains(&self) -> Result<Vec<String>, Error> {
        let domains: Vec<Domain> = self.list("v2/domains")?;
        Ok(domains.into_iter().map(|domain| domain.domain).collect())
    }

    /// The TXT records at a name. There is no filter, so all of the domain's records are read.
    pub(crate) fn records_at(&self, domain: &str, name: &str) -> Result<Vec<Record>, Error> {
        let mut records: Vec<Record> = self.list(&records(domain))?;
        records.retain(|record| record.r#type == "TXT" && record.name.eq_ignore_ascii_case(name));
        Ok(records)
    }

    pub(crate) fn create(&self, domain: &str, name: &str, value: &str, ttl: u32) -> Result<Record, Error> {
        let new = NewRecord { r#type: "TXT", name, data: &dns::quoted(value), ttl };
        Ok(self.client.post(&records(domain)).json(&new).send()?.json::<Created>()?.record)
    }

    pub(crate) fn delete(&self, domain: &str, id: &str) -> Result<(), Error> {
        self.client.delete(&format!("{}/{}", records(domain), http::segment(id))).send().map(drop)
    }

    fn list<T: DeserializeOwned>(&self, path: &str) -> Result<Vec<T>, Error> {
        let mut items = Vec::new();
        let mut cursor = String::new();
        for _ in 0..MAX_PAGES {
            let mut request = self.client.get(path).query("per_page", PER_PAGE);
            if !cursor.is_empty() {
                request = request.query("cursor", &cursor);
            }
            let page: Page<T> = request.send()?.json()?;
            items.extend(page.items);
            cursor = page.meta.links.next;
            if cursor.is_empty() {
                break;
            }
        }
        Ok(items)
    }
}

fn records(domain: &str) -> String {
    format!("v2/domains/{}/records", http::segment(domain))
}
