//! The `desec` DNS-01 provider: deSEC's REST API, version 1.
//!
//! The API knows whole record sets only, so each change reads the set and writes it back.
//! Reference: <https://desec.readthedocs.io/en/latest/dns/rrsets.html>

use acme_manager_plugin::{Description, Error, ErrorKind, Key, Provider, TxtRecord, dns, env, export_provider, http};
use serde::{Deserialize, Serialize};

const TOKEN: &str = "DESEC_TOKEN";
const BASE_URL: &str = "DESEC_API_URL";
const DEFAULT_URL: &str = "https://desec.io/api/v1";
const PREFIX: &str = "DESEC_";
const DEFAULT_TTL: u32 = 3600;

struct Desec {
    api: http::Client,
    ttl: u32,
}

#[derive(Deserialize)]
struct Domain {
    name: String,
    /// The least TTL in this domain, 3600 unless deSEC granted less.
    minimum_ttl: u32,
}

#[derive(Deserialize)]
struct RecordSet {
    records: Vec<String>,
}

/// Creates, changes or, without records, deletes a set.
#[derive(Serialize)]
struct Change<'a> {
    subname: &'a str,
    r#type: &'a str,
    /// For a new set; one that is there keeps what it has.
    #[serde(skip_serializing_if = "Option::is_none")]
    ttl: Option<u32>,
    records: &'a [String],
}

impl Provider for Desec {
    fn describe() -> Description {
        Description::new("desec", env!("CARGO_PKG_VERSION"))
            .homepage("https://desec.readthedocs.io/en/latest/")
            .host("desec.io")
            .key(Key::new(TOKEN).required().secret().help("Token whose policies, if it has any, let it write TXT"))
            .key(Key::new(BASE_URL).endpoint().default(DEFAULT_URL).help("Address of the API"))
            .times(PREFIX, DEFAULT_TTL, 120, 4)
    }

    fn from_env() -> Result<Self, Error> {
        let authorization = format!("Token {}", env::required(TOKEN)?);
        let api = http::Client::new(&env::optional_or(BASE_URL, DEFAULT_URL))?.header("authorization", &authorization);
        Ok(Self { api, ttl: env::ttl(PREFIX, DEFAULT_TTL)? })
    }

    fn check(&self) -> Result<(), Error> {
        // An account with many domains is listed by pages only.
        self.api.get("domains/").query("cursor", "").send().map(drop)
    }

    fn present(&self, record: &TxtRecord) -> Result<String, Error> {
        let domain = self.domain(record)?;
        let set = self.set(&domain.name, record)?;
        let ttl = set.is_none().then(|| dns::ttl_or(record, self.ttl).max(domain.minimum_ttl));
        let mut records = set.map(|set| set.records).unwrap_or_default();
        let value = dns::quoted(&record.value);
        if !records.contains(&value) {
            records.push(value);
            self.write(&domain.name, record, ttl, &records)?;
        }
        Ok(domain.name)
    }

    fn cleanup(&self, record: &TxtRecord, handle: &str) -> Result<(), Error> {
        let name =
            if handle.is_empty() { self.domain(record).map(|domain| domain.name) } else { Ok(handle.to_owned()) };
        let set = name.and_then(|name| Ok((self.set(&name, record)?, name)));
        let (set, name) = match set {
            // With its zone the value is gone too.
            Err(error) if error.kind() == ErrorKind::ZoneNotFound => return Ok(()),
            set => set?,
        };
        let Some(RecordSet { mut records }) = set else { return Ok(()) };
        let value = dns::quoted(&record.value);
        if !records.contains(&value) {
            return Ok(());
        }
        records.retain(|other| *other != value);
        self.write(&name, record, None, &records)
    }
}

impl Desec {
    fn domain(&self, record: &TxtRecord) -> Result<Domain, Error> {
        for zone in dns::zone_candidates(record) {
            let response = self.api.get(&format!("domains/{}/", http::segment(zone))).accept(404).send()?;
            if response.is_success() {
                return response.json();
            }
        }
        Err(Error::zone_not_found(&record.name))
    }

    /// The TXT records at the name. Asked for as a list, for then a 404 means the domain.
    fn set(&self, domain: &str, record: &TxtRecord) -> Result<Option<RecordSet>, Error> {
        let request = self.api.get(&sets(domain)).query("subname", subname(record, domain)).query("type", "TXT");
        let response = request.accept(404).send()?;
        if response.status() == 404 {
            return Err(Error::zone_not_found(&record.name));
        }
        Ok(response.json::<Vec<RecordSet>>()?.pop())
    }

    fn write(&self, domain: &str, record: &TxtRecord, ttl: Option<u32>, records: &[String]) -> Result<(), Error> {
        let change = Change { subname: subname(record, domain), r#type: "TXT", ttl, records };
        self.api.patch(&sets(domain)).json(&[change]).send().map(drop)
    }
}

/// The name relative to the domain; that of the domain itself is empty.
fn subname<'a>(record: &'a TxtRecord, domain: &str) -> &'a str {
    Some(dns::relative_to(&record.name, domain)).filter(|name| *name != "@").unwrap_or_default()
}

fn sets(domain: &str) -> String {
    format!("domains/{}/rrsets/", http::segment(domain))
}

export_provider!(Desec);

#[cfg(test)]
mod tests {
    #[test]
    fn conformance() {
        acme_manager_plugin::testing::run_script::<super::Desec>(include_str!("../conformance.json"));
    }
}
