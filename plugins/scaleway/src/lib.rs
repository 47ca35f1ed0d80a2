//! The `scaleway` DNS-01 provider: Scaleway's Domains and DNS API, version 2 beta 1.
//!
//! Reference: <https://www.scaleway.com/en/developers/api/domains-and-dns/>

use acme_manager_plugin::{
    Description, Error, ErrorKind, Key, Provider, TxtRecord, Value, dns, env, export_provider, http, json,
};
use serde::Deserialize;

const SECRET_KEY: &str = "SCW_SECRET_KEY";
const PROJECT: &str = "SCW_PROJECT_ID";
const BASE_URL: &str = "SCW_API_URL";
const DEFAULT_URL: &str = "https://api.scaleway.com";
const PREFIX: &str = "SCW_";

const ZONES: &str = "domain/v2beta1/dns-zones";
const DEFAULT_TTL: u32 = 60;
/// The least that is known to be taken.
const MIN_TTL: u32 = 60;

struct Scaleway {
    api: http::Client,
    project: Option<String>,
    ttl: u32,
}

#[derive(Deserialize)]
struct Zone {
    domain: String,
    subdomain: String,
}

#[derive(Deserialize)]
struct Record {
    id: String,
    name: String,
    r#type: String,
    data: String,
}

impl Provider for Scaleway {
    fn describe() -> Description {
        let permission = "Secret key of an API key with the permission set DomainsDNSFullAccess";
        Description::new("scaleway", env!("CARGO_PKG_VERSION"))
            .homepage("https://www.scaleway.com/en/developers/api/domains-and-dns/")
            .host("api.scaleway.com")
            .key(Key::new(SECRET_KEY).alias("SCALEWAY_API_TOKEN").required().secret().help(permission))
            .key(Key::new(PROJECT).alias("SCALEWAY_PROJECT_ID").help("Project whose zones are looked at; default: all"))
            .key(Key::new(BASE_URL).endpoint().default(DEFAULT_URL).help("Address of the API"))
            .times_of(&[PREFIX, "SCALEWAY_"], DEFAULT_TTL, 120, 10)
    }

    fn from_env() -> Result<Self, Error> {
        let client = http::Client::new(&env::optional_or(BASE_URL, DEFAULT_URL))?.judge_with(judge);
        let api = client.header("x-auth-token", &env::required(SECRET_KEY)?);
        Ok(Self { api, project: env::optional(PROJECT), ttl: env::ttl(PREFIX, DEFAULT_TTL)? })
    }

    fn check(&self) -> Result<(), Error> {
        self.zones().query("page_size", "1").send().map(drop)
    }

    fn present(&self, record: &TxtRecord) -> Result<String, Error> {
        let zone = self.zone(record)?;
        if self.find(zone, record)?.is_empty() {
            let name = dns::subname(&record.name, zone);
            let ttl = dns::ttl_or(record, self.ttl).max(MIN_TTL);
            let new = json!({ "name": name, "type": "TXT", "data": dns::quoted(&record.value), "ttl": ttl });
            self.change(zone, vec![json!({ "add": { "records": [new] } })])?;
        }
        // An identifier would be of no use: what deleting a missing record answers is not documented, so a
        // cleanup looks first in any case.
        Ok(String::new())
    }

    fn cleanup(&self, record: &TxtRecord, _handle: &str) -> Result<(), Error> {
        // With its zone the value is gone too.
        let Some(zone) = dns::found(self.zone(record))? else { return Ok(()) };
        let found = self.find(zone, record)?;
        if found.is_empty() {
            return Ok(());
        }
        self.change(zone, found.iter().map(|found| json!({ "delete": { "id": found.id } })).collect())
    }
}

impl Scaleway {
    /// Zones are listed, for the records cannot tell: for want of a zone they answer 403, as for want of the right.
    fn zone<'a>(&self, record: &'a TxtRecord) -> Result<&'a str, Error> {
        dns::find_zone(record, |name| {
            let zones: Vec<Zone> = self.zones().query("dns_zones", name).send()?.json_at("/dns_zones")?;
            Ok(zones.iter().any(|zone| zone.name() == name).then_some(name))
        })
    }

    /// The records that hold exactly this value.
    fn find(&self, zone: &str, record: &TxtRecord) -> Result<Vec<Record>, Error> {
        let (name, data) = (dns::subname(&record.name, zone), dns::quoted(&record.value));
        let mut seen = 0;
        let pages = http::pages(1_u32, |page| {
            let request = self.api.get(&records(zone)).query("name", name).query("type", "TXT");
            let answer = request.query("page", &page.to_string()).query("page_size", "100").send()?;
            let found: Vec<Record> = answer.json_at("/records")?;
            seen += found.len();
            let is_last = found.is_empty() || seen >= answer.json_at("/total_count")?;
            Ok((found, (!is_last).then_some(page + 1)))
        });
        let mut found = pages.collect::<Result<Vec<_>, _>>()?;
        found.retain(|found| found.r#type == "TXT" && found.name == name && found.data == data);
        Ok(found)
    }

    /// Makes changes with one request.
    fn change(&self, zone: &str, changes: Vec<Value>) -> Result<(), Error> {
        let changes = json!({ "changes": changes, "return_all_records": false, "disallow_new_zone_creation": true });
        self.api.patch(&records(zone)).json(&changes).send().map(drop)
    }

    fn zones(&self) -> http::Request<'_> {
        let request = self.api.get(ZONES);
        self.project.iter().fold(request, |request, project| request.query("project_id", project))
    }
}

impl Zone {
    fn name(&self) -> String {
        let dot = if self.subdomain.is_empty() { "" } else { "." };
        format!("{}{dot}{}", self.subdomain, self.domain)
    }
}

fn judge(response: &http::Response) -> Result<(), Error> {
    if response.is_success() {
        return Ok(());
    }
    let error = response.to_error();
    Err(match response.json_at::<String>("/type").unwrap_or_default().as_str() {
        // An exhausted quota comes with 403, and a locked zone with a status of its own.
        "quotas_exceeded" => error.with_kind(ErrorKind::Rejected),
        "locked" | "transient_state" => error.with_kind(ErrorKind::Conflict),
        _ => error,
    })
}

fn records(zone: &str) -> String {
    format!("{ZONES}/{}/records", http::segment(zone))
}

export_provider!(Scaleway);

#[cfg(test)]
mod tests {
    #[test]
    fn conformance() {
        acme_manager_plugin::testing::run_script::<super::Scaleway>(include_str!("../conformance.json"));
    }
}
