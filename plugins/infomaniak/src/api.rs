//! The requests and what Infomaniak answers.

use acme_manager_plugin::{Error, ErrorKind, TxtRecord, dns, http};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};

const PER_PAGE: usize = 100;

/// The API with its credentials.
pub(crate) struct Api(http::Client);

#[derive(Deserialize)]
struct Envelope<T> {
    #[serde(default)]
    result: String,
    data: Option<T>,
    error: Option<Problem>,
}

#[derive(Deserialize, Default)]
struct Problem {
    #[serde(default)]
    code: String,
    #[serde(default)]
    description: String,
    #[serde(default)]
    errors: Vec<Problem>,
}

#[derive(Deserialize)]
struct Record {
    id: u64,
    r#type: String,
    source: String,
    target: String,
}

#[derive(Serialize)]
struct NewRecord<'a> {
    r#type: &'a str,
    source: &'a str,
    target: &'a str,
    ttl: u32,
}

impl Api {
    pub(crate) fn new(client: http::Client) -> Self {
        Self(client)
    }

    /// Whether the account has a zone of this name.
    pub(crate) fn exists(&self, zone: &str) -> Result<bool, Error> {
        let request = self.0.get(&format!("2/zones/{}/exists", http::segment(zone)));
        Ok(data(request)?.unwrap_or(false))
    }

    /// The numbers of the TXT records that hold exactly this value. It comes back in quotes, whatever it was
    /// created with.
    pub(crate) fn find(&self, zone: &str, record: &TxtRecord) -> Result<Vec<u64>, Error> {
        let source = source(record, zone);
        let quoted = dns::quoted(&record.value);
        let mut found = Vec::new();
        let mut page = 1_u32;
        loop {
            let request = self.0.get(&records(zone)).query("filter[source]", source).query("filter[types][]", "TXT");
            let request = request.query("per_page", &PER_PAGE.to_string()).query("page", &page.to_string());
            let mut records: Vec<Record> = data(request)?.ok_or_else(|| Error::zone_not_found(&record.name))?;
            let is_last = records.len() < PER_PAGE;
            records.retain(|found| found.r#type == "TXT" && found.source == source);
            records.retain(|found| found.target == quoted || found.target == record.value);
            found.extend(records.into_iter().map(|found| found.id));
            if is_last {
                return Ok(found);
            }
            page += 1;
        }
    }

    /// Adds a TXT record and returns its number.
    pub(crate) fn create(&self, zone: &str, record: &TxtRecord, ttl: u32) -> Result<u64, Error> {
        let new = NewRecord { r#type: "TXT", source: source(record, zone), target: &record.value, ttl };
        let created: Option<Record> = data(self.0.post(&records(zone)).json(&new))?;
        created.map(|created| created.id).ok_or_else(|| Error::zone_not_found(&record.name))
    }

    /// Deletes a record, if it is there.
    pub(crate) fn delete(&self, zone: &str, id: &str) -> Result<(), Error> {
        data::<IgnoredAny>(self.0.delete(&format!("{}/{}", records(zone), http::segment(id)))).map(drop)
    }
}

/// The `data` of an answer, or nothing if what was asked for does not exist.
fn data<T: DeserializeOwned>(request: http::Request<'_>) -> Result<Option<T>, Error> {
    let response = request.send_any()?;
    let envelope: Envelope<T> = match response.json() {
        // The error page of a proxy.
        Err(_) if !response.is_success() => return Err(response.to_error()),
        envelope => envelope?,
    };
    if response.is_success() && envelope.result == "success" {
        let missing = || Error::unavailable("Infomaniak reported a success without data");
        return envelope.data.ok_or_else(missing).map(Some);
    }
    let problem = envelope.error.unwrap_or_default();
    if problem.code == "object_not_found" {
        return Ok(None);
    }
    let error = response.to_error_with(&problem.in_words());
    let kind = match error.kind() {
        _ if problem.code == "not_authorized" => ErrorKind::Unauthorized,
        // An error with the status of a success.
        ErrorKind::Other => ErrorKind::Rejected,
        kind => kind,
    };
    Err(Error::new(kind, error.message()).retry_after(error.retry_after_seconds()))
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
