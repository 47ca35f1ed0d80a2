//! The `godaddy` DNS-01 provider: GoDaddy's Domains API, version 1.
//!
//! The API adds single records but removes whole sets only, so `cleanup` writes back what shall stay.
//! Reference: <https://developer.godaddy.com/doc/endpoint/domains>

use acme_manager_plugin::{
    Description, Error, ErrorKind, Key, Provider, TxtRecord, dns, env, export_provider, http, json,
};
use serde::{Deserialize, Serialize};

const API_KEY: &str = "GODADDY_API_KEY";
const API_SECRET: &str = "GODADDY_API_SECRET";
const BASE_URL: &str = "GODADDY_API_URL";
const DEFAULT_URL: &str = "https://api.godaddy.com";
const PREFIX: &str = "GODADDY_";

/// The API takes nothing shorter.
const MIN_TTL: u32 = 600;

struct GoDaddy {
    api: http::Client,
    ttl: u32,
}

/// One record of a set, whose type and name are in the path.
#[derive(Serialize, Deserialize)]
struct Entry {
    data: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    ttl: Option<u32>,
}

impl Provider for GoDaddy {
    fn describe() -> Description {
        Description::new("godaddy", env!("CARGO_PKG_VERSION"))
            .homepage("https://developer.godaddy.com/doc/endpoint/domains")
            .host("api.godaddy.com")
            .key(Key::new(API_KEY).required().secret().help("Key for the production environment"))
            .key(Key::new(API_SECRET).required().secret().help("The key's secret, shown once when the key is made"))
            .key(Key::new(BASE_URL).endpoint().default(DEFAULT_URL).help("Address of the API"))
            .times(PREFIX, MIN_TTL, 120, 2)
    }

    fn from_env() -> Result<Self, Error> {
        let credentials = format!("sso-key {}:{}", env::required(API_KEY)?, env::required(API_SECRET)?);
        let client = http::Client::new(&env::optional_or(BASE_URL, DEFAULT_URL))?.judge_with(judge);
        Ok(Self { api: client.header("authorization", &credentials), ttl: env::ttl(PREFIX, MIN_TTL)? })
    }

    fn check(&self) -> Result<(), Error> {
        self.api.get("v1/domains").query("limit", "1").send().map(drop)
    }

    fn present(&self, record: &TxtRecord) -> Result<String, Error> {
        let (zone, entries) = dns::find_zone(record, |zone| self.entries(zone, record))?;
        if !entries.iter().any(|entry| entry.data == record.value) {
            let name = dns::relative_to(&record.name, &zone);
            let ttl = dns::ttl_or(record, self.ttl).max(MIN_TTL);
            let new = json!([{ "type": "TXT", "name": name, "data": record.value, "ttl": ttl }]);
            self.api.patch(&format!("v1/domains/{}/records", http::segment(&zone))).json(&new).send()?;
        }
        Ok(zone)
    }

    fn cleanup(&self, record: &TxtRecord, handle: &str) -> Result<(), Error> {
        let found = match handle {
            "" => dns::found(dns::find_zone(record, |zone| self.entries(zone, record)))?,
            zone => self.entries(zone, record)?,
        };
        // With its zone the value is gone too.
        let Some((zone, mut entries)) = found else { return Ok(()) };
        if entries.extract_if(.., |entry| entry.data == record.value).count() == 0 {
            return Ok(());
        }
        // Removed records can linger without data, and could not be written back.
        entries.retain(|entry| !entry.data.trim().is_empty());
        let path = record_set(&zone, record);
        // An empty set is not taken.
        let request = if entries.is_empty() { self.api.delete(&path) } else { self.api.put(&path).json(&entries) };
        request.accept(404).send().map(drop)
    }
}

impl GoDaddy {
    /// The zone, if the account has one of this name, with the TXT records at the record's name in it.
    fn entries(&self, zone: &str, record: &TxtRecord) -> Result<Option<(String, Vec<Entry>)>, Error> {
        let mut request = self.api.get(&record_set(zone, record)).accept(404);
        if record.zone.is_empty() {
            // A guessed zone may be nothing that GoDaddy takes for a domain.
            request = request.accept(422);
        }
        let answer = request.send()?;
        if !answer.is_success() {
            return Ok(None);
        }
        Ok(Some((zone.to_owned(), answer.json()?)))
    }
}

fn judge(response: &http::Response) -> Result<(), Error> {
    if response.is_success() {
        return Ok(());
    }
    let error = response.to_error();
    Err(match response.status() {
        // The domain is locked or not active, which does not pass.
        409 => error.with_kind(ErrorKind::Rejected),
        429 if error.retry_after_seconds().is_none() => error.retry_after(response.json_at("/retryAfterSec").ok()),
        _ => error,
    })
}

fn record_set(zone: &str, record: &TxtRecord) -> String {
    let name = dns::relative_to(&record.name, zone);
    format!("v1/domains/{}/records/TXT/{}", http::segment(zone), http::segment(name))
}

export_provider!(GoDaddy);

#[cfg(test)]
mod tests {
    #[test]
    fn conformance() {
        acme_manager_plugin::testing::run_script::<super::GoDaddy>(include_str!("../conformance.json"));
    }
}
