//! The `dnsimple` DNS-01 provider: `DNSimple`'s API, version 2.
//!
//! Reference: <https://developer.dnsimple.com/v2/zones/records/>

use acme_manager_plugin::{
    Description, Error, ErrorKind, Key, Provider, TxtRecord, dns, env, export_provider, http, json,
};
use serde::Deserialize;
use serde::de::DeserializeOwned;

const TOKEN: &str = "DNSIMPLE_OAUTH_TOKEN";
const BASE_URL: &str = "DNSIMPLE_BASE_URL";
const DEFAULT_URL: &str = "https://api.dnsimple.com";
const PREFIX: &str = "DNSIMPLE_";

struct DnSimple {
    api: http::Client,
    ttl: u32,
}

#[derive(Deserialize)]
struct Zone {
    name: String,
}

#[derive(Deserialize)]
struct Record {
    id: u64,
    name: String,
    r#type: String,
    content: String,
}

impl Provider for DnSimple {
    fn describe() -> Description {
        Description::new("dnsimple", env!("CARGO_PKG_VERSION"))
            .homepage("https://developer.dnsimple.com/v2/")
            .host("api.dnsimple.com")
            .key(Key::new(TOKEN).required().secret().help("Access token of an account, not of a user"))
            .key(Key::new(BASE_URL).endpoint().default(DEFAULT_URL).help("Address of the API, without /v2"))
            .times(PREFIX, 120, 60, 2)
    }

    fn from_env() -> Result<Self, Error> {
        let client = http::Client::new(&env::optional_or(BASE_URL, DEFAULT_URL))?.judge_with(judge);
        Ok(Self { api: client.bearer(&env::required(TOKEN)?), ttl: env::ttl(PREFIX, 120)? })
    }

    fn check(&self) -> Result<(), Error> {
        self.account().map(drop)
    }

    fn present(&self, record: &TxtRecord) -> Result<String, Error> {
        let account = self.account()?;
        let zone = self.zone(&account, record)?;
        if let Some(found) = self.find(&account, zone, record)?.first() {
            return Ok(format!("{account}/{zone}/{}", found.id));
        }
        let (name, ttl) = (dns::subname(&record.name, zone), dns::ttl_or(record, self.ttl));
        let new = json!({ "name": name, "type": "TXT", "content": dns::quoted(&record.value), "ttl": ttl });
        let created: Record = self.api.post(&records(&account, zone)).json(&new).send()?.json_at("/data")?;
        Ok(format!("{account}/{zone}/{}", created.id))
    }

    fn cleanup(&self, record: &TxtRecord, handle: &str) -> Result<(), Error> {
        if let [account, zone, id] = handle.split('/').collect::<Vec<_>>()[..] {
            return self.delete(account, zone, id);
        }
        let account = self.account()?;
        // With its zone the value is gone too.
        let Some(zone) = dns::found(self.zone(&account, record))? else { return Ok(()) };
        let found = self.find(&account, zone, record)?;
        found.iter().try_for_each(|found| self.delete(&account, zone, &found.id.to_string()))
    }
}

impl DnSimple {
    /// The number of the account that the token belongs to; it is part of every path.
    fn account(&self) -> Result<String, Error> {
        let account: Option<u64> = self.api.get("v2/whoami").send()?.json_at("/data/account/id")?;
        let missing = "the token belongs to a user, not to an account; create an account token";
        account.map(|id| id.to_string()).ok_or_else(|| Error::config(missing))
    }

    /// The name of the zone that holds a record. Zones are listed, for a token with rights on single zones sees
    /// those in the list, and cannot ask for others.
    fn zone<'a>(&self, account: &str, record: &'a TxtRecord) -> Result<&'a str, Error> {
        dns::find_zone(record, |name| {
            let zones: Vec<Zone> = self.list(&format!("v2/{account}/zones"), &[("name_like", name)])?;
            Ok(zones.iter().any(|zone| zone.name == name).then_some(name))
        })
    }

    /// The records that hold exactly this value. It comes back in quotes, but for old records.
    fn find(&self, account: &str, zone: &str, record: &TxtRecord) -> Result<Vec<Record>, Error> {
        let name = dns::subname(&record.name, zone);
        let mut found: Vec<Record> = self.list(&records(account, zone), &[("name", name), ("type", "TXT")])?;
        found.retain(|found| found.r#type == "TXT" && found.name == name && dns::is_value(&found.content, record));
        Ok(found)
    }

    fn list<T: DeserializeOwned>(&self, path: &str, filters: &[(&str, &str)]) -> Result<Vec<T>, Error> {
        let pages = http::pages(1_u32, |page| {
            let request = filters.iter().fold(self.api.get(path), |request, (name, value)| request.query(name, value));
            let answer = request.query("per_page", "100").query("page", &page.to_string()).send()?;
            let total: u32 = answer.json_at("/pagination/total_pages")?;
            Ok((answer.json_at("/data")?, (page < total).then_some(page + 1)))
        });
        pages.collect()
    }

    /// Deletes a record, if it is there.
    fn delete(&self, account: &str, zone: &str, id: &str) -> Result<(), Error> {
        let path = format!("{}/{}", records(account, zone), http::segment(id));
        self.api.delete(&path).accept(404).send().map(drop)
    }
}

fn judge(response: &http::Response) -> Result<(), Error> {
    match response.status() {
        _ if response.is_success() => Ok(()),
        // The account's plan lacks a feature, which is no conflict: trying again does not help.
        412 => Err(response.to_error().with_kind(ErrorKind::Rejected)),
        _ => Err(response.to_error()),
    }
}

fn records(account: &str, zone: &str) -> String {
    format!("v2/{}/zones/{}/records", http::segment(account), http::segment(zone))
}

export_provider!(DnSimple);

#[cfg(test)]
mod tests {
    #[test]
    fn conformance() {
        acme_manager_plugin::testing::run_script::<super::DnSimple>(include_str!("../conformance.json"));
    }
}
