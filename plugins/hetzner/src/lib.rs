//! The `hetzner` DNS-01 provider: the zones of the Hetzner Cloud API, version 1.
//!
//! The DNS Console with its own API (`dns.hetzner.com`) ended in May 2026; its tokens (`HETZNER_API_KEY` of other
//! clients) are of no use here. Reference: <https://docs.hetzner.cloud/reference/cloud#tag/zone-rrset-actions>

use acme_manager_plugin::{
    Description, Error, ErrorKind, Key, Provider, TxtRecord, dns, env, export_provider, http, json,
};
use serde::Deserialize;

const TOKEN: &str = "HETZNER_API_TOKEN";
const BASE_URL: &str = "HETZNER_API_URL";
const DEFAULT_URL: &str = "https://api.hetzner.cloud/v1";
const PREFIX: &str = "HETZNER_";
const DEFAULT_TTL: u32 = 120;
/// The API takes nothing shorter.
const MIN_TTL: u32 = 60;

struct Hetzner {
    api: http::Client,
    ttl: u32,
}

#[derive(Deserialize)]
struct Record {
    value: String,
}

/// What goes on behind an accepted change.
#[derive(Deserialize)]
struct Action {
    id: u64,
    status: String,
    error: Option<Problem>,
}

#[derive(Deserialize)]
struct Problem {
    code: String,
    message: String,
}

impl Provider for Hetzner {
    fn describe() -> Description {
        Description::new("hetzner", env!("CARGO_PKG_VERSION"))
            .homepage("https://docs.hetzner.cloud/reference/cloud#dns")
            .host("api.hetzner.cloud")
            .key(Key::new(TOKEN).required().secret().help("Read & Write token of the project that has the zones"))
            .key(Key::new(BASE_URL).endpoint().default(DEFAULT_URL).help("Address of the API"))
            .times(PREFIX, DEFAULT_TTL, 60, 2)
            .reports_ready()
    }

    fn from_env() -> Result<Self, Error> {
        let client = http::Client::new(&env::optional_or(BASE_URL, DEFAULT_URL))?.judge_with(judge);
        Ok(Self { api: client.bearer(&env::required(TOKEN)?), ttl: env::ttl(PREFIX, DEFAULT_TTL)? })
    }

    fn check(&self) -> Result<(), Error> {
        self.api.get("zones").query("per_page", "1").send().map(drop)
    }

    fn present(&self, record: &TxtRecord) -> Result<String, Error> {
        let (zone, values) = dns::find_zone(record, |zone| self.values(zone, record))?;
        let value = dns::quoted(&record.value);
        if values.contains(&value) {
            return Ok(zone);
        }
        let mut change = json!({ "records": [{ "value": value }] });
        if values.is_empty() {
            // A TTL other than that of the set would be refused, so only a new set gets one.
            change["ttl"] = dns::ttl_or(record, self.ttl).max(MIN_TTL).into();
        }
        let answer = self.api.post(&action(&zone, record, "add_records")).json(&change).accept(422).send()?;
        if answer.status() == 422 && answer.text().contains("duplicate value") {
            // An addition that is under way is not yet in the list.
            return Ok(zone);
        }
        judge(&answer)?;
        let action: Action = answer.json_at("/action")?;
        action.is_done()?;
        Ok(format!("{zone}/{}", action.id))
    }

    fn cleanup(&self, record: &TxtRecord, handle: &str) -> Result<(), Error> {
        let zone = handle.split('/').next().filter(|zone| !zone.is_empty());
        let found = match zone {
            Some(zone) => self.values(zone, record)?,
            None => dns::found(dns::find_zone(record, |zone| self.values(zone, record)))?,
        };
        let value = dns::quoted(&record.value);
        // With its zone the value is gone too.
        let Some((zone, _)) = found.filter(|(_, values)| values.contains(&value)) else { return Ok(()) };
        let change = json!({ "records": [{ "value": value }] });
        let answer = self.api.post(&action(&zone, record, "remove_records")).json(&change).accept(404).send()?;
        if answer.is_success() {
            answer.json_at::<Action>("/action")?.is_done()?;
        }
        Ok(())
    }

    fn ready(&self, _record: &TxtRecord, handle: &str) -> Result<bool, Error> {
        let Some((_, action)) = handle.split_once('/') else { return Ok(true) };
        let answer = self.api.get(&format!("actions/{}", http::segment(action))).send()?;
        answer.json_at::<Action>("/action")?.is_done()
    }
}

impl Hetzner {
    /// The zone, if there is one of this name, with the TXT values at the record's name in it. Asked for as a list, for
    /// then a 404 means the zone.
    fn values(&self, zone: &str, record: &TxtRecord) -> Result<Option<(String, Vec<String>)>, Error> {
        let request = self.api.get(&format!("zones/{}/rrsets", http::segment(zone)));
        let request = request.query("name", dns::relative_to(&record.name, zone)).query("type", "TXT");
        let answer = request.accept(404).send()?;
        if !answer.is_success() {
            return Ok(None);
        }
        let records: Option<Vec<Record>> = answer.json_at("/rrsets/0/records")?;
        let values = records.into_iter().flatten().map(|record| record.value);
        Ok(Some((zone.to_owned(), values.collect())))
    }
}

impl Action {
    fn is_done(&self) -> Result<bool, Error> {
        match (self.status.as_str(), &self.error) {
            ("error", Some(Problem { code, message })) => {
                Err(Error::rejected(format!("the action {} failed: {message} ({code})", self.id)))
            }
            ("error", None) => Err(Error::rejected(format!("the action {} failed", self.id))),
            (status, _) => Ok(status == "success"),
        }
    }
}

fn action(zone: &str, record: &TxtRecord, action: &str) -> String {
    let name = dns::relative_to(&record.name, zone);
    format!("zones/{}/rrsets/{}/TXT/actions/{action}", http::segment(zone), http::segment(name))
}

fn judge(response: &http::Response) -> Result<(), Error> {
    if response.is_success() {
        return Ok(());
    }
    let error = response.to_error();
    Err(match response.json_at::<String>("/error/code").unwrap_or_default().as_str() {
        // Another action is under way.
        "locked" | "conflict" => error.with_kind(ErrorKind::Conflict),
        "resource_limit_exceeded" => error.with_kind(ErrorKind::Rejected),
        _ => error,
    })
}

export_provider!(Hetzner);

#[cfg(test)]
mod tests {
    #[test]
    fn conformance() {
        acme_manager_plugin::testing::run_script::<super::Hetzner>(include_str!("../conformance.json"));
    }
}
