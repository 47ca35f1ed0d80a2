//! The `infomaniak` DNS-01 provider: Infomaniak's API, version 2.
//!
//! Reference: <https://developer.infomaniak.com/docs/api/get/2/zones/%7Bzone%7D/records>

use acme_manager_plugin::{
    Description, Error, ErrorKind, Key, Provider, TxtRecord, dns, env, export_provider, http, json,
};
use serde::Deserialize;

const TOKEN: &str = "INFOMANIAK_ACCESS_TOKEN";
const ENDPOINT: &str = "INFOMANIAK_ENDPOINT";
const DEFAULT_ENDPOINT: &str = "https://api.infomaniak.com";
const PREFIX: &str = "INFOMANIAK_";
const PER_PAGE: usize = 100;

struct Infomaniak {
    api: http::Client,
    ttl: u32,
}

#[derive(Deserialize)]
struct Record {
    id: u64,
    r#type: String,
    source: String,
    target: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Problem {
    code: String,
    description: String,
    errors: Vec<Problem>,
}

impl Provider for Infomaniak {
    fn describe() -> Description {
        Description::new("infomaniak", env!("CARGO_PKG_VERSION"))
            .homepage("https://developer.infomaniak.com/docs/api")
            .host("api.infomaniak.com")
            .key(Key::new(TOKEN).required().secret().help("API token with the scopes dns:read and dns:write"))
            .key(Key::new(ENDPOINT).endpoint().default(DEFAULT_ENDPOINT).help("Address of the API"))
            .times(PREFIX, 300, 120, 10)
    }

    fn from_env() -> Result<Self, Error> {
        let client = http::Client::new(&env::optional_or(ENDPOINT, DEFAULT_ENDPOINT))?.judge_with(judge);
        Ok(Self { api: client.bearer(&env::required(TOKEN)?), ttl: env::ttl(PREFIX, 300)? })
    }

    /// The scopes for DNS allow no list of zones, so this asks for one that no account has. The answer does not
    /// matter, only that there is one.
    fn check(&self) -> Result<(), Error> {
        self.exists("example.com").map(drop)
    }

    fn present(&self, record: &TxtRecord) -> Result<String, Error> {
        let zone = self.zone(record)?;
        if let Some(found) = self.find(zone, record)?.first() {
            return Ok(format!("{zone}/{}", found.id));
        }
        let (source, ttl) = (source(record, zone), dns::ttl_or(record, self.ttl));
        let new = json!({ "type": "TXT", "source": source, "target": record.value, "ttl": ttl });
        let created: Record = self.api.post(&records(zone)).json(&new).send()?.json_at("/data")?;
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

impl Infomaniak {
    fn zone<'a>(&self, record: &'a TxtRecord) -> Result<&'a str, Error> {
        dns::find_zone(record, |zone| Ok(self.exists(zone)?.then_some(zone)))
    }

    fn exists(&self, zone: &str) -> Result<bool, Error> {
        let answer = dns::found(self.api.get(&format!("2/zones/{}/exists", http::segment(zone))).send())?;
        answer.map_or(Ok(false), |answer| answer.json_at("/data"))
    }

    /// The records that hold exactly this value.
    fn find(&self, zone: &str, record: &TxtRecord) -> Result<Vec<Record>, Error> {
        let source = source(record, zone);
        let pages = http::pages(1_u32, |page| {
            let request = self.api.get(&records(zone)).query("filter[source]", source).query("filter[types][]", "TXT");
            let request = request.query("per_page", &PER_PAGE.to_string()).query("page", &page.to_string());
            let found: Vec<Record> = request.send()?.json_at("/data")?;
            let is_full = found.len() >= PER_PAGE;
            Ok((found, is_full.then_some(page + 1)))
        });
        let mut found = pages.collect::<Result<Vec<_>, _>>()?;
        found.retain(|found| found.r#type == "TXT" && found.source == source && dns::is_value(&found.target, record));
        Ok(found)
    }

    fn delete(&self, zone: &str, id: &str) -> Result<(), Error> {
        dns::found(self.api.delete(&format!("{}/{}", records(zone), http::segment(id))).send()).map(drop)
    }
}

/// What does not exist, whether a zone or a record, is [`ErrorKind::ZoneNotFound`].
fn judge(response: &http::Response) -> Result<(), Error> {
    let result = response.json_at::<Option<String>>("/result");
    if response.is_success() && result?.as_deref() == Some("success") {
        return Ok(());
    }
    let problem: Problem = response.json_at("/error").unwrap_or_default();
    let words = problem.in_words();
    // The error page of a proxy has no words of the API.
    let error = if words.is_empty() { response.to_error() } else { response.to_error_with(&words) };
    Err(match (problem.code.as_str(), error.kind()) {
        ("object_not_found", _) => error.with_kind(ErrorKind::ZoneNotFound),
        ("not_authorized", _) => error.with_kind(ErrorKind::Unauthorized),
        // An error with the status of a success.
        (_, ErrorKind::Other) => error.with_kind(ErrorKind::Rejected),
        _ => error,
    })
}

impl Problem {
    fn in_words(&self) -> String {
        let details = self.errors.iter().map(Self::in_words);
        let own = [&self.description, &self.code].map(String::as_str);
        let own = own.into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join(", ");
        std::iter::once(own).chain(details).filter(|text| !text.is_empty()).collect::<Vec<_>>().join("; ")
    }
}

fn records(zone: &str) -> String {
    format!("2/zones/{}/records", http::segment(zone))
}

/// The name within the zone; the zone itself is a dot.
fn source<'a>(record: &'a TxtRecord, zone: &str) -> &'a str {
    match dns::relative_to(&record.name, zone) {
        "@" => ".",
        name => name,
    }
}

export_provider!(Infomaniak);

#[cfg(test)]
mod tests {
    #[test]
    fn conformance() {
        acme_manager_plugin::testing::run_script::<super::Infomaniak>(include_str!("../conformance.json"));
    }
}
