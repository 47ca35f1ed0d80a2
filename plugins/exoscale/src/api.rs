//! The requests, what Exoscale answers, and waiting for what it does behind an answer.
//!
//! Reference: <https://community.exoscale.com/reference/api/dns/record>

use std::time::Duration;

use acme_manager_plugin::{Error, ErrorKind, TxtRecord, dns, host, http};
use serde::{Deserialize, Serialize};

const POLL_EVERY: Duration = Duration::from_secs(2);

/// The API with its credentials.
pub(crate) struct Api(http::Client);

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Domains {
    #[serde(default)]
    dns_domains: Vec<Domain>,
}

/// A zone.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Domain {
    pub(crate) id: String,
    pub(crate) unicode_name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Records {
    #[serde(default)]
    dns_domain_records: Vec<Record>,
}

#[derive(Deserialize)]
struct Record {
    id: String,
    #[serde(default)]
    name: String,
    r#type: String,
    #[serde(default)]
    content: String,
}

#[derive(Serialize)]
struct NewRecord<'a> {
    name: &'a str,
    r#type: &'a str,
    content: &'a str,
    ttl: u32,
}

/// What goes on behind an accepted change.
#[derive(Deserialize)]
struct Operation {
    id: String,
    state: String,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    message: String,
}

impl Api {
    pub(crate) fn new(client: http::Client) -> Self {
        Self(client)
    }

    /// All zones that the key may see.
    pub(crate) fn domains(&self) -> Result<Vec<Domain>, Error> {
        Ok(self.0.get("dns-domain").send()?.json::<Domains>()?.dns_domains)
    }

    /// The ids of the records that hold exactly this value; nothing if there is no such zone.
    pub(crate) fn find(&self, domain: &str, name: &str, value: &str) -> Result<Option<Vec<String>>, Error> {
        // There is no filter.
        let response = self.0.get(&records(domain)).accept(404).send()?;
        if !response.is_success() {
            return Ok(None);
        }
        let found = response.json::<Records>()?.dns_domain_records.into_iter();
        Ok(Some(found.filter(|found| found.is(name, value)).map(|found| found.id).collect()))
    }

    /// Adds a value.
    pub(crate) fn create(&self, domain: &str, name: &str, value: &str, ttl: u32) -> Result<(), Error> {
        let new = NewRecord { name, r#type: "TXT", content: value, ttl };
        self.wait(self.0.post(&records(domain)).json(&new).send()?.json()?)
    }

    /// Deletes a record, if it is there.
    pub(crate) fn delete(&self, domain: &str, id: &str) -> Result<(), Error> {
        let path = format!("{}/{}", records(domain), http::segment(id));
        let response = self.0.delete(&path).accept(404).send()?;
        if response.is_success() { self.wait(response.json()?) } else { Ok(()) }
    }

    /// Waits until an operation has come to its end, for as long as there is time.
    fn wait(&self, mut operation: Operation) -> Result<(), Error> {
        while operation.state == "pending" {
            // What is asked last should be answered as well.
            if host::remaining() < POLL_EVERY * 2 {
                return Err(Error::unavailable(format!("the operation {} is still under way", operation.id)));
            }
            host::sleep(POLL_EVERY);
            operation = self.0.get(&format!("operation/{}", http::segment(&operation.id))).send()?.json()?;
        }
        if operation.state == "success" { Ok(()) } else { Err(operation.to_error()) }
    }
}

impl Record {
    /// Values come back with quotes or without.
    fn is(&self, name: &str, value: &str) -> bool {
        self.r#type == "TXT" && self.name == name && (self.content == dns::quoted(value) || self.content == value)
    }
}

impl Operation {
    fn to_error(&self) -> Error {
        let kind = match (self.state.as_str(), self.reason.as_str()) {
            ("timeout", _) | (_, "unavailable" | "interrupted" | "fault" | "partial") => ErrorKind::Unavailable,
            (_, "busy" | "conflict") => ErrorKind::Conflict,
            (_, "forbidden") => ErrorKind::Unauthorized,
            (_, "incorrect" | "not-found" | "unsupported") => ErrorKind::Rejected,
            _ => ErrorKind::Other,
        };
        let Self { id, state, reason, message } = self;
        Error::new(kind, format!("the operation {id} ended with {state}: {message} ({reason})"))
    }
}

/// The record's name as Exoscale has it.
pub(crate) fn relative<'a>(record: &'a TxtRecord, zone: &str) -> &'a str {
    match dns::relative_to(&record.name, zone) {
        "@" => "",
        name => name,
    }
}

fn records(domain: &str) -> String {
    format!("dns-domain/{}/record", http::segment(domain))
}
