//! The `ns1` DNS-01 provider: the API of IBM NS1 Connect, version 1.
//!
//! The API changes all answers of a record at once, so each change reads them and writes them back.
//! Reference: <https://ns1.com/api>

use acme_manager_plugin::{
    Description, Error, ErrorKind, Key, Provider, TxtRecord, Value, dns, env, export_provider, http, json,
};

const API_KEY: &str = "NS1_API_KEY";
const BASE_URL: &str = "NS1_API_URL";
const DEFAULT_URL: &str = "https://api.nsone.net/v1";
const PREFIX: &str = "NS1_";
const DEFAULT_TTL: u32 = 120;

struct Ns1 {
    api: http::Client,
    ttl: u32,
}

impl Provider for Ns1 {
    fn describe() -> Description {
        Description::new("ns1", env!("CARGO_PKG_VERSION"))
            .homepage("https://ns1.com/api")
            .host("api.nsone.net")
            .key(Key::new(API_KEY).required().secret().help("API key that may view and manage zones"))
            .key(Key::new(BASE_URL).endpoint().default(DEFAULT_URL).help("Address of the API"))
            .times(PREFIX, DEFAULT_TTL, 60, 2)
    }

    fn from_env() -> Result<Self, Error> {
        let api = http::Client::new(&env::optional_or(BASE_URL, DEFAULT_URL))?;
        Ok(Self { api: api.header("x-nsone-key", &env::required(API_KEY)?), ttl: env::ttl(PREFIX, DEFAULT_TTL)? })
    }

    fn check(&self) -> Result<(), Error> {
        self.api.get("zones").query("limit", "1").send().map(drop)
    }

    fn present(&self, record: &TxtRecord) -> Result<String, Error> {
        let zone = self.zone(record)?;
        let path = path(&zone, record);
        let answer = json!({ "answer": [record.value] });
        let request = match self.answers(&path)? {
            Some(answers) if answers.iter().any(|answer| is_value(answer, record)) => return Ok(zone),
            Some(mut answers) => {
                answers.push(answer);
                self.api.post(&path).json(&json!({ "answers": answers }))
            }
            None => self.api.put(&path).json(&json!({
                "zone": zone,
                "domain": record.name,
                "type": "TXT",
                "ttl": dns::ttl_or(record, self.ttl),
                "answers": [answer],
            })),
        };
        let response = request.send_any()?;
        if response.is_success() {
            return Ok(zone);
        }
        let error = response.to_error();
        // Somebody else was faster; the next try adds to what they made.
        let raced = error.kind() == ErrorKind::Rejected && response.text().contains("record already exists");
        Err(if raced { error.with_kind(ErrorKind::Conflict) } else { error })
    }

    fn cleanup(&self, record: &TxtRecord, handle: &str) -> Result<(), Error> {
        let zone = if handle.is_empty() { self.zone(record) } else { Ok(handle.to_owned()) };
        // With its zone the value is gone too.
        let Some(zone) = dns::found(zone)? else { return Ok(()) };
        let path = path(&zone, record);
        let Some(mut answers) = self.answers(&path)? else { return Ok(()) };
        if answers.extract_if(.., |answer| is_value(answer, record)).count() == 0 {
            return Ok(());
        }
        let request = if answers.is_empty() {
            self.api.delete(&path)
        } else {
            self.api.post(&path).json(&json!({ "answers": answers }))
        };
        request.accept(404).send().map(drop)
    }
}

impl Ns1 {
    fn zone(&self, record: &TxtRecord) -> Result<String, Error> {
        dns::find_zone(record, |zone| {
            let request = self.api.get(&format!("zones/{}", http::segment(zone))).query("records", "false");
            Ok(request.accept(404).send()?.is_success().then(|| zone.to_owned()))
        })
    }

    /// The answers of the TXT record, if there is one, with whatever else belongs to them: it has to be written back.
    fn answers(&self, path: &str) -> Result<Option<Vec<Value>>, Error> {
        let response = self.api.get(path).accept(404).send()?;
        response.is_success().then(|| response.json_at("/answers")).transpose()
    }
}

/// An answer holds the strings of one TXT value.
fn is_value(answer: &Value, record: &TxtRecord) -> bool {
    answer["answer"] == json!([record.value])
}

fn path(zone: &str, record: &TxtRecord) -> String {
    format!("zones/{}/{}/TXT", http::segment(zone), http::segment(&record.name))
}

export_provider!(Ns1);

#[cfg(test)]
mod tests {
    #[test]
    fn conformance() {
        acme_manager_plugin::testing::run_script::<super::Ns1>(include_str!("../conformance.json"));
    }
}
