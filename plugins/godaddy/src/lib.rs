//! The `godaddy` DNS-01 provider: GoDaddy's Domains API, version 1.
//!
//! The API adds single records but removes whole sets only, so `cleanup` writes back what shall stay.
//! Reference: <https://developer.godaddy.com/doc/endpoint/domains>

use acme_manager_plugin::{Description, Error, Key, Provider, TxtRecord, dns, env, export_provider, http};
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

#[derive(Serialize)]
struct NewRecord<'a> {
    r#type: &'a str,
    name: &'a str,
    data: &'a str,
    ttl: u32,
}

/// One record of a set, whose type and name are in the path.
#[derive(Serialize, Deserialize)]
struct Entry {
    data: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    ttl: Option<u32>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TooMany {
    retry_after_sec: u32,
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
        let api = http::Client::new(&env::optional_or(BASE_URL, DEFAULT_URL))?.header("authorization", &credentials);
        Ok(Self { api, ttl: env::ttl(PREFIX, MIN_TTL)? })
    }

    fn check(&self) -> Result<(), Error> {
        send(self.api.get("v1/domains").query("limit", "1"), &[]).map(drop)
    }

    fn present(&self, record: &TxtRecord) -> Result<String, Error> {
        let found = self.find(&dns::zone_candidates(record), record)?;
        let (zone, entries) = found.ok_or_else(|| Error::zone_not_found(&record.name))?;
        if !entries.iter().any(|entry| entry.data == record.value) {
            let name = dns::relative_to(&record.name, &zone);
            let ttl = dns::ttl_or(record, self.ttl).max(MIN_TTL);
            let new = [NewRecord { r#type: "TXT", name, data: &record.value, ttl }];
            send(self.api.patch(&format!("v1/domains/{}/records", http::segment(&zone))).json(&new), &[])?;
        }
        Ok(zone)
    }

    fn cleanup(&self, record: &TxtRecord, handle: &str) -> Result<(), Error> {
        let zones = if handle.is_empty() { dns::zone_candidates(record) } else { vec![handle] };
        let Some((zone, mut entries)) = self.find(&zones, record)? else {
            // With its zone the value is gone too.
            return Ok(());
        };
        if !entries.iter().any(|entry| entry.data == record.value) {
            return Ok(());
        }
        // Removed records can linger without data, and could not be written back.
        entries.retain(|entry| entry.data != record.value && !entry.data.trim().is_empty());
        let path = record_set(&zone, record);
        // An empty set is not taken.
        let request = if entries.is_empty() { self.api.delete(&path) } else { self.api.put(&path).json(&entries) };
        send(request, &[404]).map(drop)
    }
}

impl GoDaddy {
    /// The first of these zones that the account has, and the TXT records at the name.
    fn find(&self, zones: &[&str], record: &TxtRecord) -> Result<Option<(String, Vec<Entry>)>, Error> {
        // A guessed zone may be nothing that GoDaddy takes for a domain, which is a 422.
        let missing: &[u16] = if record.zone.is_empty() { &[404, 422] } else { &[404] };
        for zone in zones {
            let response = send(self.api.get(&record_set(zone, record)), missing)?;
            if response.is_success() {
                return Ok(Some(((*zone).to_owned(), response.json()?)));
            }
        }
        Ok(None)
    }
}

fn send(request: http::Request<'_>, accepted: &[u16]) -> Result<http::Response, Error> {
    let response = request.send_any()?;
    if response.is_success() || accepted.contains(&response.status()) {
        return Ok(response);
    }
    let error = response.to_error();
    Err(match response.status() {
        // The domain is locked or not active, which does not pass.
        409 => Error::rejected(error.message()),
        429 if error.retry_after_seconds().is_none() => {
            error.retry_after(response.json().ok().map(|too_many: TooMany| too_many.retry_after_sec))
        }
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
