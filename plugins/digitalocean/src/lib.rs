//! The `digitalocean` DNS-01 provider: DigitalOcean's networking API, version 2.
//!
//! Reference: <https://docs.digitalocean.com/reference/api/digitalocean/#tag/Domain-Records>

use acme_manager_plugin::{Description, Error, Key, Provider, TxtRecord, dns, env, export_provider, http, json};
use serde::Deserialize;

const TOKEN: &str = "DO_AUTH_TOKEN";
const BASE_URL: &str = "DO_API_URL";
const DEFAULT_URL: &str = "https://api.digitalocean.com";
const PREFIX: &str = "DO_";

/// The API takes nothing shorter.
const MIN_TTL: u32 = 30;

struct DigitalOcean {
    api: http::Client,
    ttl: u32,
}

#[derive(Deserialize)]
struct Record {
    id: u64,
    data: String,
}

impl Provider for DigitalOcean {
    fn describe() -> Description {
        Description::new("digitalocean", env!("CARGO_PKG_VERSION"))
            .homepage("https://docs.digitalocean.com/reference/api/digitalocean/#tag/Domain-Records")
            .host("api.digitalocean.com")
            .key(Key::new(TOKEN).required().secret().help("Personal access token with the scope domain"))
            .key(Key::new(BASE_URL).endpoint().default(DEFAULT_URL).help("Address of the API"))
            .times(PREFIX, 30, 60, 5)
    }

    fn from_env() -> Result<Self, Error> {
        let api = http::Client::new(&env::optional_or(BASE_URL, DEFAULT_URL))?.bearer(&env::required(TOKEN)?);
        Ok(Self { api, ttl: env::ttl(PREFIX, 30)? })
    }

    fn check(&self) -> Result<(), Error> {
        self.api.get("v2/domains").query("per_page", "1").send().map(drop)
    }

    fn present(&self, record: &TxtRecord) -> Result<String, Error> {
        let zone = self.zone(record)?;
        if let Some(found) = self.find(zone, record)?.first() {
            return Ok(format!("{zone}/{}", found.id));
        }
        let name = dns::relative_to(&record.name, zone);
        let ttl = dns::ttl_or(record, self.ttl).max(MIN_TTL);
        let new = json!({ "type": "TXT", "name": name, "data": record.value, "ttl": ttl });
        let created: Record = self.api.post(&records(zone)).json(&new).send()?.json_at("/domain_record")?;
        Ok(format!("{zone}/{}", created.id))
    }

    fn cleanup(&self, record: &TxtRecord, handle: &str) -> Result<(), Error> {
        if let Some((zone, id)) = handle.split_once('/') {
            return self.delete(zone, id);
        }
        // With its zone the value is gone too.
        let Some(zone) = dns::found(self.zone(record))? else { return Ok(()) };
        self.find(zone, record)?.iter().try_for_each(|found| self.delete(zone, &found.id.to_string()))
    }
}

impl DigitalOcean {
    fn zone<'a>(&self, record: &'a TxtRecord) -> Result<&'a str, Error> {
        dns::find_zone(record, |zone| {
            let answer = self.api.get(&format!("v2/domains/{}", http::segment(zone))).accept(404).send()?;
            Ok(answer.is_success().then_some(zone))
        })
    }

    /// The records that hold exactly this value.
    fn find(&self, zone: &str, record: &TxtRecord) -> Result<Vec<Record>, Error> {
        // At one name there are never as many as a page holds.
        let request = self.api.get(&records(zone)).query("type", "TXT").query("name", &record.name);
        let mut found: Vec<Record> = request.query("per_page", "200").send()?.json_at("/domain_records")?;
        found.retain(|found| found.data == record.value);
        Ok(found)
    }

    fn delete(&self, zone: &str, id: &str) -> Result<(), Error> {
        self.api.delete(&format!("{}/{}", records(zone), http::segment(id))).accept(404).send().map(drop)
    }
}

fn records(zone: &str) -> String {
    format!("v2/domains/{}/records", http::segment(zone))
}

export_provider!(DigitalOcean);

#[cfg(test)]
mod tests {
    #[test]
    fn conformance() {
        acme_manager_plugin::testing::run_script::<super::DigitalOcean>(include_str!("../conformance.json"));
    }
}
