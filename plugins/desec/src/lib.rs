//! The `desec` DNS-01 provider: deSEC's REST API, version 1.
//!
//! The API knows whole record sets only, so each change reads the set and writes it back.
//! Reference: <https://desec.readthedocs.io/en/latest/dns/rrsets.html>

use acme_manager_plugin::{Description, Error, Key, Provider, TxtRecord, dns, env, export_provider, http, json};
use serde::Deserialize;

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
        // One that is there keeps the TTL that it has.
        let ttl = set.is_none().then(|| dns::ttl_or(record, self.ttl).max(domain.minimum_ttl));
        let mut values = set.unwrap_or_default();
        let value = dns::quoted(&record.value);
        if !values.contains(&value) {
            values.push(value);
            self.write(&domain.name, record, ttl, &values)?;
        }
        Ok(domain.name)
    }

    fn cleanup(&self, record: &TxtRecord, handle: &str) -> Result<(), Error> {
        let domain = match handle {
            "" => self.domain(record).map(|domain| domain.name),
            name => Ok(name.to_owned()),
        };
        // With its zone the value is gone too.
        let Some(domain) = dns::found(domain)? else { return Ok(()) };
        let Some(Some(mut values)) = dns::found(self.set(&domain, record))? else { return Ok(()) };
        let value = dns::quoted(&record.value);
        if values.extract_if(.., |other| *other == value).count() == 0 {
            return Ok(());
        }
        self.write(&domain, record, None, &values)
    }
}

impl Desec {
    fn domain(&self, record: &TxtRecord) -> Result<Domain, Error> {
        dns::find_zone(record, |zone| {
            let response = self.api.get(&format!("domains/{}/", http::segment(zone))).accept(404).send()?;
            response.is_success().then(|| response.json()).transpose()
        })
    }

    /// The TXT values at the name, if there is a set of them. Asked for as a list, for then a 404 means the domain.
    fn set(&self, domain: &str, record: &TxtRecord) -> Result<Option<Vec<String>>, Error> {
        let request = self.api.get(&sets(domain)).query("subname", dns::subname(&record.name, domain));
        let response = request.query("type", "TXT").accept(404).send()?;
        if response.status() == 404 {
            return Err(Error::zone_not_found(&record.name));
        }
        response.json_at("/0/records")
    }

    /// Creates, changes or, without values, deletes the set.
    fn write(&self, domain: &str, record: &TxtRecord, ttl: Option<u32>, values: &[String]) -> Result<(), Error> {
        let subname = dns::subname(&record.name, domain);
        let mut change = json!({ "subname": subname, "type": "TXT", "records": values });
        if let Some(ttl) = ttl {
            change["ttl"] = ttl.into();
        }
        self.api.patch(&sets(domain)).json(&[change]).send().map(drop)
    }
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
